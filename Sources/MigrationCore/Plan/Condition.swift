/// A statement about a metric of the candidate.
package struct Condition: Hashable, Codable, Sendable {
    package enum Side: String, Hashable, Codable, Sendable {
        case above = ">"
        case below = "<"
    }

    package enum Test: Hashable, Codable, Sendable {
        /// Strictly beyond a threshold in the metric's unit.
        case threshold(side: Side, value: Int)
        /// Better than the recorded baseline by millionths of it.
        case improved(by: Int)
        /// Against legacy by evidence: a factor and the false alarms that are borne, both in millionths. With `users`, different users are
        /// counted instead of requests, in windows that have at least so many on either side: one user's requests fail together.
        case compared(factor: Int, alpha: Int, users: Int? = nil)
        /// Against legacy by ranks of the windows of the last time; alpha in millionths.
        case ranked(alpha: Int, over: TimeSpan)
        /// How fast an objective's error budget is spent, over both times; the objective in millionths, the rate in thousandths.
        case burning(rate: Int, long: TimeSpan, short: TimeSpan, objective: Int)
    }

    package var metric: Metric
    package var test: Test

    package init(metric: Metric, test: Test) {
        self.metric = metric
        self.test = test
    }

    package init(metric: Metric, side: Side, threshold: Int) {
        self.init(metric: metric, test: .threshold(side: side, value: threshold))
    }

    /// Whether it is judged by evidence against legacy.
    package var isCompared: Bool {
        if case .compared = test { return true }
        return false
    }

    /// Whether it needs to know what legacy did, now or before the first step.
    package var needsLegacy: Bool {
        switch test {
        case .improved, .compared, .ranked: true
        case .threshold, .burning: false
        }
    }

    /// Whether it is judged by many windows together.
    package var isCumulative: Bool {
        switch test {
        case .threshold, .improved: false
        case .compared, .ranked, .burning: true
        }
    }
}

extension Condition {
    /// A threshold as people write it: `2%`, `45s`, `3.5/s`.
    package static func text(_ threshold: Int, _ unit: Metric.Unit) -> String {
        switch unit {
        case .ratio: Decimals.text(threshold, scale: 10_000) + "%"
        case .time: TimeSpan(rawValue: Int64(threshold)).description
        case .rate: Decimals.text(threshold, scale: 1_000) + "/s"
        case .number: Decimals.text(threshold, scale: 1_000_000)
        }
    }

    /// As a plan writes it among its criteria, or among its triggers.
    package func text(asTrigger: Bool) -> String {
        let worse = asTrigger ? "worse than legacy by" : "no worse than legacy by"
        switch test {
        case .threshold(let side, let value):
            return "\(metric.name) \(side.rawValue) \(Self.text(value, metric.unit))"
        case .improved(let by): return "\(metric.name) improved by \(Self.text(by, .ratio)) on baseline"
        case .compared(let factor, _, _): return "\(metric.name) \(worse) \(Decimals.text(factor, scale: 1_000_000))x"
        case .ranked: return "\(metric.name) \(worse) mann-whitney"
        case .burning(let rate, let long, let short, _):
            return "\(metric.name) burn rate > \(Decimals.text(rate, scale: 1_000)) over \(long)/\(short)"
        }
    }

    /// The settings in brackets that belong to the test itself.
    package var settings: [String] {
        func confidence(_ alpha: Int) -> String { "confidence \(Self.text(1_000_000 - alpha, .ratio))" }
        switch test {
        case .threshold, .improved: return []
        case .compared(_, let alpha, let users): return [confidence(alpha)] + (users.map { ["users \($0)"] } ?? [])
        case .ranked(let alpha, let over): return [confidence(alpha), "over \(over)"]
        case .burning(_, _, _, let objective): return ["objective \(Self.text(objective, .ratio))"]
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

extension Criterion: CustomStringConvertible {
    package var description: String { condition.text(asTrigger: false) }
}
