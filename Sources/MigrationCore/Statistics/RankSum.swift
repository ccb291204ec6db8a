/// The Mann–Whitney U test of two samples with the Hodges–Lehmann estimate of their distance, as Kayenta's judge uses them.
///
/// The one-sided asymptotic p has the correction for ties and for continuity (Mann and Whitney, 1947; Hodges and Lehmann, 1963).
package struct RankSum: Hashable, Sendable {
    /// Pairs in which the first sample's value is the larger one; ties count half.
    package var u: Double
    /// The probability of a U at least as large if both samples came from one distribution.
    package var p: Double
    /// The median of all differences.
    package var estimate: Double

    /// - Parameters:
    ///   - first: the sample that is suspected to be larger, finite numbers.
    ///   - second: the other one.
    /// - Returns: nil for an empty sample or a number that is not finite.
    package init?(_ first: [Double], over second: [Double]) {
        guard !first.isEmpty, !second.isEmpty, (first + second).allSatisfy(\.isFinite) else { return nil }
        var differences: [Double] = []
        differences.reserveCapacity(first.count * second.count)
        for a in first { for b in second { differences.append(a - b) } }
        u = differences.reduce(0) { $0 + ($1 > 0 ? 1 : $1 == 0 ? 0.5 : 0) }
        differences.sort()
        let middle = differences.count / 2
        estimate =
            differences.count % 2 == 1 ? differences[middle] : (differences[middle - 1] + differences[middle]) / 2
        let variance = Self.variance(first, second)
        let mean = Double(first.count) * Double(second.count) / 2
        p = variance > 0 ? min(1, Transcendental.normalTail((u - mean - 0.5) / variance.squareRoot())) : 1
    }

    private static func variance(_ first: [Double], _ second: [Double]) -> Double {
        let m = Double(first.count), n = Double(second.count), all = m + n
        var ties = 0.0
        let sorted = (first + second).sorted()
        var start = 0
        while start < sorted.count {
            var end = start
            while end < sorted.count, sorted[end] == sorted[start] { end += 1 }
            let size = Double(end - start)
            ties += size * size * size - size
            start = end
        }
        guard all > 1 else { return 0 }
        return m * n / 12 * (all + 1 - ties / (all * (all - 1)))
    }
}
