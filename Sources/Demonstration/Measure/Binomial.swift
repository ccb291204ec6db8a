import Foundation

/// How far an observed share may lie from the expected one by chance.
enum Binomial {
    /// The two-sided 99.9 % point of the normal distribution.
    private static let z = 3.2905

    /// Wilson's score interval (Wilson, 1927) of a share.
    ///
    /// - Returns: its ends, 0…1.
    static func interval(_ part: Int, of total: Int) -> ClosedRange<Double> {
        guard total > 0 else { return 0...1 }
        let n = Double(total), p = Double(part) / n
        let centre = (p + z * z / (2 * n)) / (1 + z * z / n)
        let half = z / (1 + z * z / n) * (p * (1 - p) / n + z * z / (4 * n * n)).squareRoot()
        // At the ends the formula is exact, and its rounding is not.
        return (part == 0 ? 0 : max(0, centre - half))...(part == total ? 1 : min(1, centre + half))
    }
}
