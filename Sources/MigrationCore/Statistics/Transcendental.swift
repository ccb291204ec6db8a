/// Logarithm, exponential and error function from additions, multiplications and divisions alone.
///
/// The C library's differ in the last bit from machine to machine (it picks instructions by processor), and what is decided here must
/// come out the same when an auditor decides it again on another one. The relative error is below 4·10⁻¹⁶ for ``ln(_:)`` and
/// ``exp(_:)``, and below 10⁻¹² for ``normalTail(_:)``.
package enum Transcendental {
    /// ln 2 in two parts: the first has so few digits that whole multiples of it are exact.
    private static let ln2High = 0x1.62e42fefp-1
    private static let ln2Low = 0x1.473de6af278edp-34

    /// The natural logarithm of a positive finite number; −∞ for 0, NaN for what has none.
    package static func ln(_ x: Double) -> Double {
        guard x > 0 else { return x == 0 ? -.infinity : .nan }
        guard x.isFinite else { return x }
        var mantissa = x.significand
        var exponent = Double(x.exponent)
        if mantissa > 1.414_213_562_373_095_1 {
            mantissa /= 2
            exponent += 1
        }
        // ln m = 2 artanh((m − 1) / (m + 1)), whose series has only odd powers.
        let s = (mantissa - 1) / (mantissa + 1)
        let square = s * s
        var sum = 0.0
        for power in stride(from: 25, through: 3, by: -2) { sum = (sum + 1 / Double(power)) * square }
        return exponent * ln2High + (exponent * ln2Low + 2 * s * sum + 2 * s)
    }

    /// The exponential; 0 below −745, +∞ above 709.
    package static func exp(_ x: Double) -> Double {
        guard x == x else { return .nan }
        guard x > -745 else { return 0 }
        guard x < 709 else { return .infinity }
        let multiple = (x / (ln2High + ln2Low)).rounded()
        let rest = (x - multiple * ln2High) - multiple * ln2Low
        // Taylor's series, from its small end; |rest| ≤ ln 2 / 2.
        var sum = 1.0
        for power in stride(from: 18.0, through: 1, by: -1) { sum = 1 + sum * rest / power }
        return Double(sign: .plus, exponent: Int(multiple / 2), significand: sum)
            * Double(sign: .plus, exponent: Int(multiple) - Int(multiple / 2), significand: 1)
    }

    /// ln of the sum of the exponentials of some numbers, without overflow; −∞ for none.
    package static func logSumExp(_ terms: [Double]) -> Double {
        guard let largest = terms.max(), largest > -.infinity else { return -.infinity }
        return largest + ln(terms.reduce(0) { $0 + exp($1 - largest) })
    }

    /// The probability that a standard normal variable is larger than z.
    package static func normalTail(_ z: Double) -> Double {
        guard z == z else { return .nan }
        if z < 0 { return 1 - normalTail(-z) }
        let density = exp(-z * z / 2) / 2.506_628_274_631_000_7
        if z < 3 {
            // Φ(z) − ½ = φ(z) · (z + z³/3 + z⁵/(3·5) + …), Abramowitz and Stegun 26.2.11.
            var term = z, sum = z, odd = 3.0
            while term > sum * 1e-17 {
                term *= z * z / odd
                sum += term
                odd += 2
            }
            return 0.5 - density * sum
        }
        // Laplace's continued fraction, Abramowitz and Stegun 26.2.14, from its far end.
        var fraction = z
        for level in stride(from: 120.0, through: 1, by: -1) { fraction = z + level / fraction }
        return density / fraction
    }
}
