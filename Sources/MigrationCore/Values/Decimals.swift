/// Whole numbers shown as decimal fractions, without a floating-point number on the way.
package enum Decimals {
    /// The shortest decimal text of `value / scale`.
    ///
    /// - Parameters:
    ///   - value: the numerator.
    ///   - scale: a power of ten.
    package static func text(_ value: Int, scale: Int) -> String {
        let whole = value / scale
        var rest = (value % scale).magnitude
        var digits = String(scale).utf8.count - 1
        guard rest != 0 else { return String(whole) }
        while rest % 10 == 0 {
            rest /= 10
            digits -= 1
        }
        let fraction = String(rest)
        let sign = value < 0 && whole == 0 ? "-" : ""
        return sign + String(whole) + "." + String(repeating: "0", count: digits - fraction.utf8.count) + fraction
    }
}
