/// What one window says about one condition (2-analysis.md, "Verdicts").
package enum Verdict: String, Hashable, Codable, Sendable {
    case breach, gray, pass, missing, error
}

/// A measured value with what it was measured on: `value` of `of` for a ratio; microseconds and the number of samples for a latency.
package struct Measurement: Hashable, Codable, Sendable {
    package var value: Int
    package var of: Int

    package init(value: Int, of: Int) {
        self.value = value
        self.of = of
    }
}

extension Metric {
    /// The metric of one implementation's counts; nil when there is nothing to measure or the counts cannot be true.
    package func measure(_ counts: Counts) -> Measurement? {
        guard counts.isPlausible else { return nil }
        if let permille {
            return counts.latency.quantile(permille: permille).map { Measurement(value: $0, of: counts.latency.count) }
        }
        let (part, whole) = ratio(counts)
        return whole > 0 && part <= whole ? Measurement(value: part, of: whole) : nil
    }

    private func ratio(_ counts: Counts) -> (Int, Int) {
        switch self {
        case .errorRate: (counts.errors, counts.requests)
        case .timeoutRate: (counts.timeouts, counts.requests)
        case .cacheHitRate: (counts.cacheHits, counts.cacheHits + counts.cacheMisses)
        case .availability: (counts.probesUp, counts.probesUp + counts.probesDown)
        case .latencyP50, .latencyP90, .latencyP95, .latencyP99: (0, 0)
        }
    }

    /// Compares a measurement with a threshold exactly, in whole numbers: negative below, 0 equal, positive above.
    func compare(_ measurement: Measurement, _ threshold: Int) -> Int {
        switch unit {
        case .time: order(measurement.value, threshold)
        case .ratio: order(measurement.value * 1_000_000, threshold * measurement.of)
        }
    }

    private func order(_ left: Int, _ right: Int) -> Int { left == right ? 0 : left < right ? -1 : 1 }
}

extension Metric {
    /// Whether a high value is the bad one.
    package var isBadWhenHigh: Bool {
        switch self {
        case .errorRate, .timeoutRate, .latencyP50, .latencyP90, .latencyP95, .latencyP99: true
        case .cacheHitRate, .availability: false
        }
    }

    /// One window's numbers for a comparison of bad shares; nil for a latency, and for counts that cannot be true.
    package func evidence(_ window: ServiceWindow) -> EProcess.Evidence? {
        guard unit == .ratio, window.candidate.isPlausible, window.legacy.isPlausible else { return nil }
        let candidate = ratio(window.candidate), legacy = ratio(window.legacy)
        return EProcess.Evidence(
            candidate: candidate.1,
            legacy: legacy.1,
            candidateBad: isBadWhenHigh ? candidate.0 : candidate.1 - candidate.0,
            legacyBad: isBadWhenHigh ? legacy.0 : legacy.1 - legacy.0
        )
    }
}

extension Measurement {
    /// As a fraction of 1, or in seconds.
    package func number(_ unit: Metric.Unit) -> Double {
        switch unit {
        case .ratio: Double(value) / Double(max(1, of))
        case .time: Double(value) / 1_000_000
        }
    }
}

extension Metric {
    /// Whether a threshold is one that can be compared without overflow: 0…100 % of a ratio, 0…10 years of a latency.
    package func accepts(threshold: Int) -> Bool {
        switch unit {
        case .ratio: (0...1_000_000).contains(threshold)
        case .time: (0...Int(TimeSpan.days(3_660).rawValue)).contains(threshold)
        }
    }
}

extension Condition {
    /// Whether the measurement lies strictly beyond the given threshold on the condition's side.
    func isBeyond(_ measurement: Measurement, _ threshold: Int) -> Bool {
        let order = metric.compare(measurement, threshold)
        switch side {
        case .above: return order > 0
        case .below: return order < 0
        }
    }
}

extension Trigger {
    /// One window's verdict on the trigger's condition.
    package func judge(_ measurement: Measurement?) -> Verdict {
        guard let measurement, measurement.of >= minimum else { return .missing }
        if condition.isBeyond(measurement, condition.threshold) { return .breach }
        return condition.isBeyond(measurement, exit) ? .gray : .pass
    }
}

extension Criterion {
    /// One window's verdict on the criterion: pass only when the condition strictly holds on enough samples.
    package func judge(_ measurement: Measurement?) -> Verdict {
        guard let measurement, measurement.of >= minimum else { return .missing }
        return condition.isBeyond(measurement, condition.threshold) ? .pass : .breach
    }
}
