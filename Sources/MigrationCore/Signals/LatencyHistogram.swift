/// A sparse histogram of latencies: each bucket's highest value in microseconds, and how many requests fell into it.
///
/// The gateway fills it from an HDR histogram of two significant digits, so a quantile is at most 1 % off.
package struct LatencyHistogram: Hashable, Sendable {
    package struct Bucket: Hashable, Sendable {
        package var micros: Int
        package var count: Int

        package init(micros: Int, count: Int) {
            self.micros = micros
            self.count = count
        }
    }

    /// In rising order of value, no value twice, no count below 1.
    package private(set) var buckets: [Bucket]

    /// - Parameter buckets: in any order; equal values are added up, empty ones left out.
    package init(_ buckets: [Bucket] = []) {
        self.buckets = []
        for bucket in buckets.sorted(by: { $0.micros < $1.micros }) where bucket.count > 0 {
            if let last = self.buckets.indices.last, self.buckets[last].micros == bucket.micros {
                self.buckets[last].count = self.buckets[last].count.saturating(bucket.count)
            } else {
                self.buckets.append(bucket)
            }
        }
    }

    /// - Parameter rising: buckets whose values rise, each with a count; whoever gives them has seen to that.
    package init(rising: [Bucket]) { buckets = rising }

    package var count: Int { buckets.reduce(0) { $0.saturating($1.count) } }

    /// The smallest recorded value that at least the given share of the samples does not exceed (nearest rank).
    ///
    /// - Parameter permille: the quantile in thousandths, 1…1000.
    /// - Returns: microseconds, or nil without samples.
    package func quantile(permille: Int) -> Int? {
        let total = count
        guard total > 0 else { return nil }
        let rank = max(1, (total * permille + 999) / 1_000)
        var seen = 0
        for bucket in buckets {
            seen += bucket.count
            if seen >= rank { return bucket.micros }
        }
        return buckets.last?.micros
    }

    /// The mean of the samples in microseconds, each counted at its bucket's highest value; nil without samples.
    package var mean: Int? {
        let total = count
        guard total > 0 else { return nil }
        let sum = buckets.reduce(Int128(0)) { $0 + Int128($1.micros) * Int128($1.count) }
        return Int(clamping: sum / Int128(total))
    }

    /// How many samples are longer than a limit, in microseconds.
    package func count(above limit: Int) -> Int {
        buckets.reduce(0) { $1.micros > limit ? $0.saturating($1.count) : $0 }
    }

    package static func + (left: LatencyHistogram, right: LatencyHistogram) -> LatencyHistogram {
        if left.buckets.isEmpty { return right }
        if right.buckets.isEmpty { return left }
        return LatencyHistogram(left.buckets + right.buckets)
    }
}

extension LatencyHistogram: Codable {
    /// A flat list `[value, count, value, count, …]`: short in the log.
    package init(from decoder: any Decoder) throws {
        var container = try decoder.unkeyedContainer()
        var buckets: [Bucket] = []
        while !container.isAtEnd {
            let micros = try container.decode(Int.self)
            let count = try container.decode(Int.self)
            guard micros >= 0, count > 0, micros > buckets.last?.micros ?? -1 else {
                throw DecodingError.dataCorruptedError(
                    in: container,
                    debugDescription: "a latency histogram's values rise and its counts are positive"
                )
            }
            buckets.append(Bucket(micros: micros, count: count))
        }
        self.buckets = buckets
    }

    package func encode(to encoder: any Encoder) throws {
        var container = encoder.unkeyedContainer()
        for bucket in buckets {
            try container.encode(bucket.micros)
            try container.encode(bucket.count)
        }
    }
}
