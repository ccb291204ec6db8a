/// A measured value with what it was measured on: `value` of `of` for a ratio; microseconds and the number of samples for a time;
/// requests and microseconds for a rate; millionths and the number of samples for a number.
package struct Measurement: Hashable, Codable, Sendable {
    package var value: Int
    package var of: Int

    package init(value: Int, of: Int) {
        self.value = value
        self.of = of
    }

    /// Whether it can have been measured at all.
    var isPlausible: Bool { (0...Counts.largest * 1_000).contains(value) && (1...Counts.largest * 1_000).contains(of) }
}

extension Metric {
    /// The metric of what one implementation showed; nil when there is nothing to measure or it cannot be true.
    package func measure(_ sample: Sample) -> Measurement? {
        let counts = sample.counts
        guard counts.isPlausible else { return nil }
        switch self {
        case .errorRate, .timeoutRate, .cacheHitRate, .availability, .difference, .slowRate:
            let (part, whole) = ratio(counts)
            return whole > 0 && part <= whole ? Measurement(value: part, of: whole) : nil
        case .latency(let permille):
            return counts.latency.quantile(permille: permille).map { Measurement(value: $0, of: counts.latency.count) }
        case .latencyMean: return counts.latency.mean.map { Measurement(value: $0, of: counts.latency.count) }
        case .throughput:
            return sample.span > .zero ? Measurement(value: counts.requests, of: Int(sample.span.rawValue)) : nil
        case .named(let name, let unit, _):
            guard let reading = sample.readings[name], !reading.isFailed, let value = reading[sample.implementation],
                value.isPlausible, unit != .ratio || value.value <= value.of
            else { return nil }
            return value
        }
    }

    /// The metric of the different users of one side instead of its requests; nil where they are not counted.
    func measureUsers(_ sample: Sample) -> Measurement? {
        let counts = sample.counts
        guard counts.isPlausible, counts.users > 0, let bad = usersWithBad(counts), bad <= counts.users else {
            return nil
        }
        return Measurement(value: bad, of: counts.users)
    }

    /// Whether users can be counted instead of requests.
    package var countsUsers: Bool { usersWithBad(Counts()) != nil }

    private func usersWithBad(_ counts: Counts) -> Int? {
        switch self {
        case .errorRate: counts.usersWithErrors
        case .timeoutRate: counts.usersWithTimeouts
        case .cacheHitRate, .availability, .difference, .slowRate, .latency, .latencyMean, .throughput, .named: nil
        }
    }

    /// Whether it is missing because its source failed.
    func hasFailed(_ sample: Sample) -> Bool {
        guard case .named(let name, _, _) = self else { return false }
        return sample.readings[name]?.isFailed ?? false
    }

    private func ratio(_ counts: Counts) -> (Int, Int) {
        switch self {
        case .errorRate: (counts.errors, counts.requests)
        case .timeoutRate: (counts.timeouts, counts.requests)
        case .cacheHitRate: (counts.cacheHits, counts.cacheHits + counts.cacheMisses)
        case .difference: (counts.different, counts.compared)
        case .availability: (counts.probesUp, counts.probesUp + counts.probesDown)
        case .slowRate(let limit): (counts.latency.count(above: Int(limit.rawValue)), counts.latency.count)
        case .latency, .latencyMean, .throughput, .named: (0, 0)
        }
    }

    /// How many samples a measurement rests on; nil where that is no question.
    func samples(_ measurement: Measurement) -> Int? {
        unit == .rate ? nil : measurement.of
    }

    /// Compares a measurement with a threshold exactly, in whole numbers: negative below, 0 equal, positive above.
    func compare(_ measurement: Measurement, _ threshold: Int) -> Int {
        switch unit {
        case .time, .number: order(Int128(measurement.value), Int128(threshold))
        case .ratio: order(Int128(measurement.value) * 1_000_000, Int128(threshold) * Int128(measurement.of))
        case .rate: order(Int128(measurement.value) * 1_000_000_000, Int128(threshold) * Int128(measurement.of))
        }
    }

    private func order(_ left: Int128, _ right: Int128) -> Int { left == right ? 0 : left < right ? -1 : 1 }

    /// Whether a measurement is better than a baseline by at least the given millionths of it.
    func isImproved(_ measurement: Measurement, on baseline: Measurement, by: Int) -> Bool {
        let isShare = unit == .ratio || unit == .rate
        let mine = Int128(measurement.value) * (isShare ? Int128(baseline.of) : 1)
        let theirs = Int128(baseline.value) * (isShare ? Int128(measurement.of) : 1)
        return isBadWhenHigh
            ? mine * 1_000_000 <= theirs * Int128(1_000_000 - by) : mine * 1_000_000 >= theirs * Int128(1_000_000 + by)
    }

    /// Whether a threshold is one that a measurement can have.
    package func accepts(threshold: Int) -> Bool {
        switch unit {
        case .ratio: (0...1_000_000).contains(threshold)
        case .time: (0...Int(TimeSpan.days(3_660).rawValue)).contains(threshold)
        case .rate, .number: (0...Counts.largest).contains(threshold)
        }
    }

    /// One window's numbers for a comparison of bad shares; nil where there are none, and for counts that cannot be true.
    package func evidence(candidate: Measurement?, legacy: Measurement?) -> EProcess.Evidence? {
        guard unit == .ratio, candidate != nil || legacy != nil else { return nil }
        let none = Measurement(value: 0, of: 0)
        let candidate = candidate ?? none, legacy = legacy ?? none
        return EProcess.Evidence(
            candidate: candidate.of,
            legacy: legacy.of,
            candidateBad: bad(candidate),
            legacyBad: bad(legacy)
        )
    }

    /// The bad part of a share.
    func bad(_ measurement: Measurement) -> Int {
        isBadWhenHigh ? measurement.value : measurement.of - measurement.value
    }
}

extension Measurement {
    /// As a fraction of 1, in seconds, in requests a second, or as the number that it is.
    package func number(_ unit: Metric.Unit) -> Double {
        switch unit {
        case .ratio: Double(value) / Double(max(1, of))
        case .time, .number: Double(value) / 1_000_000
        case .rate: Double(value) * 1_000_000 / Double(max(1, of))
        }
    }
}
