/// "Condition for duration": what rolls back (2-analysis.md).
package struct Trigger: Hashable, Codable, Sendable {
    /// What a missing window does to the streak.
    package enum Missing: String, Hashable, Codable, Sendable, CaseIterable { case hold, breach, pass }

    /// What goes back when it fires.
    package enum Scope: String, Hashable, Codable, Sendable, CaseIterable {
        /// Every service in every environment.
        case all
        /// The services of the current stage, in its environment.
        case stage
        /// The service that is at fault, in every environment; each service is judged by itself.
        case service
    }

    package var condition: Condition
    /// D: the condition must have held for ⌈D / w⌉ windows.
    package var duration: TimeSpan
    /// T_out, in the condition's unit: at it or inside it a window passes; nil where there is no threshold.
    package var exit: Int?
    /// How much gray and missing time a streak survives.
    package var maxGap: TimeSpan
    /// After how much missing time in a row the absence of data is reported; nil never.
    package var noData: TimeSpan?
    package var minimum: Int
    package var missing: Missing
    package var scope: Scope

    package init(
        condition: Condition,
        duration: TimeSpan,
        exit: Int?,
        maxGap: TimeSpan,
        noData: TimeSpan?,
        minimum: Int = 1,
        missing: Missing = .hold,
        scope: Scope = .all
    ) {
        self.condition = condition
        self.duration = duration
        self.exit = exit
        self.maxGap = maxGap
        self.noData = noData
        self.minimum = minimum
        self.missing = missing
        self.scope = scope
    }

    /// How many breaching windows fire the trigger: max(1, ⌈D / w⌉).
    package func need(window: TimeSpan) -> Int { max(1, duration.windows(of: window)) }

    /// T_out where the plan names none: 80 % of the way from the healthy end to T_in.
    ///
    /// The healthy end is 0 for a condition that breaches above, and 100 % for a ratio that breaches below; anything else that
    /// breaches below has no healthy end, so its exit lies a quarter above. Only a threshold has one.
    package static func defaultExit(_ condition: Condition) -> Int? {
        guard case .threshold(let side, let value) = condition.test else { return nil }
        switch (side, condition.metric.unit) {
        case (.above, _): return value * 4 / 5
        case (.below, .ratio): return 1_000_000 - (1_000_000 - value) * 4 / 5
        case (.below, _): return value * 5 / 4
        }
    }
}

extension Trigger: CustomStringConvertible {
    package var description: String {
        let text = condition.text(asTrigger: true)
        return duration > .zero || !condition.isCumulative ? "\(text) for \(duration)" : text
    }
}
