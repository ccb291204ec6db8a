import MigrationCore
import Randomness

extension SplitMix {
    /// A number with a standard normal distribution (Marsaglia's polar method).
    mutating func normal() -> Double {
        while true {
            let u = 2 * unit() - 1, v = 2 * unit() - 1
            let s = u * u + v * v
            if s > 0, s < 1 { return u * (-2 * Transcendental.ln(s) / s).squareRoot() }
        }
    }

    /// How many events come in a time that has so many on average: by inversion, and by the normal approximation above 60.
    mutating func poisson(_ mean: Double) -> Int {
        guard mean > 0 else { return 0 }
        // No window has more requests than can be counted.
        let mean = min(mean, Double(Counts.largest) / 2)
        guard mean < 60 else { return max(0, Int((mean + mean.squareRoot() * normal()).rounded())) }
        let limit = Transcendental.exp(-mean)
        var product = unit()
        var count = 0
        while product > limit {
            product *= unit()
            count += 1
        }
        return count
    }

    /// How many of n independent trials succeed: by waiting times between successes, and by the normal approximation where both outcomes are
    /// expected more than 60 times.
    mutating func successes(_ n: Int, _ p: Double) -> Int {
        guard n > 0, p > 0 else { return 0 }
        guard p < 1 else { return n }
        if p > 0.5 { return n - successes(n, 1 - p) }
        let mean = Double(n) * p
        if mean > 60 {
            let value = (mean + (mean * (1 - p)).squareRoot() * normal()).rounded()
            return Int(min(max(value, 0), Double(n)))
        }
        let scale = Transcendental.ln(1 - p)
        var place = 0.0
        var count = 0
        while true {
            place += (Transcendental.ln(max(unit(), 1e-300)) / scale).rounded(.down) + 1
            if place > Double(n) { return count }
            count += 1
        }
    }

    /// So many draws from a histogram, as a histogram.
    mutating func draws(_ n: Int, from histogram: LatencyHistogram) -> LatencyHistogram {
        var left = n
        var rest = histogram.count
        var drawn: [LatencyHistogram.Bucket] = []
        for bucket in histogram.buckets where left > 0 && rest > 0 {
            let count = bucket.count >= rest ? left : successes(left, Double(bucket.count) / Double(rest))
            if count > 0 { drawn.append(LatencyHistogram.Bucket(micros: bucket.micros, count: count)) }
            left -= count
            rest -= bucket.count
        }
        return LatencyHistogram(drawn)
    }
}
