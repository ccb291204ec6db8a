/// A comparison of a metric with a threshold; it holds when the metric lies strictly beyond the threshold on the named side.
package struct Condition: Hashable, Codable, Sendable {
    package enum Side: String, Hashable, Codable, Sendable {
        case above = ">"
        case below = "<"
    }

    package var metric: Metric
    package var side: Side
    /// Parts per million of a ratio (20 000 is 2 %), or microseconds of a latency.
    package var threshold: Int

    package init(metric: Metric, side: Side, threshold: Int) {
        self.metric = metric
        self.side = side
        self.threshold = threshold
    }
}

extension Condition: CustomStringConvertible {
    package var description: String { "\(metric.rawValue) \(side.rawValue) \(Self.text(threshold, metric.unit))" }

    /// A threshold as people write it: `2%`, `45s`.
    package static func text(_ threshold: Int, _ unit: Metric.Unit) -> String {
        switch unit {
        case .ratio: Decimals.text(threshold, scale: 10_000) + "%"
        case .time: TimeSpan(rawValue: Int64(threshold)).description
        }
    }
}

/// What a step must show in every window of its bake.
package struct Criterion: Hashable, Codable, Sendable {
    package var condition: Condition
    /// Fewer samples than this in a window are missing data.
    package var minimum: Int

    package init(condition: Condition, minimum: Int = 1) {
        self.condition = condition
        self.minimum = minimum
    }
}

/// "Condition for duration": what rolls back (2-analysis.md).
package struct Trigger: Hashable, Codable, Sendable {
    /// What a missing window does to the streak.
    package enum Missing: String, Hashable, Codable, Sendable, CaseIterable { case hold, breach, pass }

    package var condition: Condition
    /// D: the condition must have held for ⌈D / w⌉ windows.
    package var duration: TimeSpan
    /// T_out, in the condition's unit: at it or inside it a window passes.
    package var exit: Int
    /// How much gray and missing time a streak survives.
    package var maxGap: TimeSpan
    /// After how much missing time in a row the absence of data is reported; nil never.
    package var noData: TimeSpan?
    package var minimum: Int
    package var missing: Missing

    package init(
        condition: Condition,
        duration: TimeSpan,
        exit: Int,
        maxGap: TimeSpan,
        noData: TimeSpan?,
        minimum: Int = 1,
        missing: Missing = .hold
    ) {
        self.condition = condition
        self.duration = duration
        self.exit = exit
        self.maxGap = maxGap
        self.noData = noData
        self.minimum = minimum
        self.missing = missing
    }

    /// How many breaching windows fire the trigger: max(1, ⌈D / w⌉).
    package func need(window: TimeSpan) -> Int { max(1, duration.windows(of: window)) }

    /// T_out where the plan names none: 80 % of the way from the healthy end to T_in.
    ///
    /// The healthy end is 0 for a condition that breaches above, and 100 % for a ratio that breaches below; a latency that
    /// breaches below has no healthy end, so its exit lies a quarter above.
    package static func defaultExit(_ condition: Condition) -> Int {
        switch (condition.side, condition.metric.unit) {
        case (.above, _): condition.threshold * 4 / 5
        case (.below, .ratio): 1_000_000 - (1_000_000 - condition.threshold) * 4 / 5
        case (.below, .time): condition.threshold * 5 / 4
        }
    }
}

extension Trigger: CustomStringConvertible {
    package var description: String { "\(condition) for \(duration)" }
}
