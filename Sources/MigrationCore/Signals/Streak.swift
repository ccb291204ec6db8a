/// How far a trigger's condition has come: the running part of "condition for D" (2-analysis.md).
package struct Streak: Hashable, Sendable {
    /// Breaching windows so far.
    package var breaches = 0
    /// Gray and missing time since the first breach.
    package var gap = TimeSpan.zero
    /// Missing windows in a row.
    package var missing = 0
    /// The window of the first breach; nil when there is no streak.
    package var onset: Int64?

    package init() {}

    /// What one more window did.
    package struct Outcome: Hashable, Sendable {
        package var streak: Streak
        /// The streak is long enough: the trigger fires.
        package var fires: Bool
        /// Missing windows have just become as many as the plan lets pass in silence.
        package var noData: Bool
    }

    /// The streak after one more window.
    ///
    /// The window that completes a no-data run is that finding's, and adds nothing to the gap (case 5 of 2-analysis.md).
    ///
    /// - Parameters:
    ///   - verdict: what window `k` said.
    ///   - k: the window's index, for the onset.
    ///   - trigger: the trigger's own settings.
    ///   - window: the length of a window.
    package func after(_ verdict: Verdict, k: Int64, trigger: Trigger, window: TimeSpan) -> Outcome {
        var next = self
        let isMissing = verdict == .missing || verdict == .error
        next.missing = isMissing ? missing + 1 : 0
        let noData = isMissing && trigger.noData.map { next.missing == max(1, $0.windows(of: window)) } ?? false
        switch (isMissing, verdict, trigger.missing) {
        case (false, .breach, _), (true, _, .breach): next.addBreach(k)
        case (false, .pass, _), (true, _, .pass): next.reset()
        default: if !noData { next.addGap(window, limit: trigger.maxGap) }
        }
        return Outcome(streak: next, fires: next.breaches >= trigger.need(window: window), noData: noData)
    }

    private mutating func addBreach(_ k: Int64) {
        if breaches == 0 { onset = k }
        breaches += 1
    }

    private mutating func addGap(_ window: TimeSpan, limit: TimeSpan) {
        guard breaches > 0 else { return }
        gap = gap + window
        if gap > limit { reset() }
    }

    private mutating func reset() {
        breaches = 0
        gap = .zero
        onset = nil
    }
}

extension Streak: Codable {
    private enum Key: String, CodingKey { case breaches, gap, missing, onset }

    /// Zeros are left out of the log.
    package init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: Key.self)
        breaches = try container.decodeIfPresent(Int.self, forKey: .breaches) ?? 0
        gap = try container.decodeIfPresent(TimeSpan.self, forKey: .gap) ?? .zero
        missing = try container.decodeIfPresent(Int.self, forKey: .missing) ?? 0
        onset = try container.decodeIfPresent(Int64.self, forKey: .onset)
    }

    package func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: Key.self)
        if breaches != 0 { try container.encode(breaches, forKey: .breaches) }
        if gap != .zero { try container.encode(gap, forKey: .gap) }
        if missing != 0 { try container.encode(missing, forKey: .missing) }
        try container.encodeIfPresent(onset, forKey: .onset)
    }
}
