package import MigrationCore

/// Durations and percentages as people write them.
package enum Quantity {
    /// What is wrong with a text, and how to mend it.
    package struct Wrong: Error, Hashable, Sendable {
        package var message: String
        package var mend: String?
    }

    private static let units: [(name: String, span: TimeSpan)] = [
        ("us", TimeSpan(rawValue: 1)), ("ms", .milliseconds(1)), ("s", .seconds(1)), ("m", .minutes(1)),
        ("h", .hours(1)), ("d", .days(1)),
    ]
    private static let longest = TimeSpan.days(3_660)

    /// A duration: whole numbers with units, the larger unit first, such as `90s`, `1h30m`, `14d`.
    package static func duration(_ text: String) throws(Wrong) -> TimeSpan {
        var rest = text[...]
        var sum = TimeSpan.zero
        var last = units.count
        guard !rest.isEmpty else {
            throw Wrong(message: "a duration is missing", mend: "write a number and a unit, such as 30s")
        }
        while !rest.isEmpty {
            let digits = rest.prefix { $0.isASCII && $0.isNumber }
            guard !digits.isEmpty, digits.count <= 9, let number = Int64(digits) else {
                throw Wrong(
                    message: "“\(shown(text))” is not a duration",
                    mend: "write a number and a unit, such as 30s, 5m, 2h or 14d"
                )
            }
            rest = rest.dropFirst(digits.count)
            let name = rest.prefix { $0.isLetter }
            guard !name.isEmpty else {
                throw Wrong(
                    message: "the duration “\(shown(text))” has no unit",
                    mend: "write \(digits)s, \(digits)m, \(digits)h or \(digits)d"
                )
            }
            guard let unit = units.firstIndex(where: { $0.name == name }) else {
                throw Wrong(
                    message: "“\(shown(String(name)))” is not a unit of time",
                    mend: "the units are ms, s, m, h and d"
                )
            }
            guard unit < last else {
                throw Wrong(
                    message: "“\(shown(text))” is not a duration",
                    mend: "write the larger unit first, and each once, such as 1h30m"
                )
            }
            guard number <= longest.rawValue / units[unit].span.rawValue else {
                throw Wrong(message: "“\(shown(text))” is longer than ten years")
            }
            last = unit
            sum = sum + units[unit].span * number
            rest = rest.dropFirst(name.count)
        }
        guard sum <= longest else { throw Wrong(message: "“\(text)” is longer than ten years") }
        return sum
    }

    /// A share in parts per million: `2%`, `99.9%`.
    package static func partsPerMillion(_ text: String) throws(Wrong) -> Int {
        guard text.hasSuffix("%") else {
            throw Wrong(
                message: "“\(shown(text))” is not a percentage",
                mend: "write it with its sign, such as 2% or 99.9%"
            )
        }
        let digits = text.dropLast().drop { $0 == " " }
        let parts = digits.split(separator: ".", maxSplits: 1, omittingEmptySubsequences: false)
        let isNumber = parts.allSatisfy { !$0.isEmpty && $0.allSatisfy { $0.isASCII && $0.isNumber } }
        guard isNumber, let first = parts.first, first.count <= 6, let whole = Int(first) else {
            throw Wrong(
                message: "“\(shown(text))” is not a percentage",
                mend: "write a number and %, such as 2% or 99.9%"
            )
        }
        let fraction = parts.count > 1 ? parts[1] : ""
        guard fraction.count <= 4 else {
            throw Wrong(message: "“\(shown(text))” has more than four places after the point")
        }
        let value = whole * 10_000 + (Int(fraction + String(repeating: "0", count: 4 - fraction.count)) ?? 0)
        guard value <= 1_000_000 else {
            throw Wrong(message: "\(text) is more than everything", mend: "a share lies between 0% and 100%")
        }
        return value
    }

    /// A number with a point, as a whole number of its last place.
    ///
    /// - Parameters:
    ///   - text: such as `14.4`.
    ///   - places: how many digits there may be after the point; the result counts units of the last one.
    package static func decimal(_ text: String, places: Int) throws(Wrong) -> Int {
        let parts = text.split(separator: ".", maxSplits: 1, omittingEmptySubsequences: false)
        let isNumber = parts.allSatisfy { !$0.isEmpty && $0.allSatisfy { $0.isASCII && $0.isNumber } }
        guard isNumber, let first = parts.first, first.count <= 6, let whole = Int(first) else {
            throw Wrong(message: "“\(shown(text))” is not a number", mend: "write it as 3 or 14.4")
        }
        let fraction = parts.count > 1 ? parts[1] : ""
        guard fraction.count <= places else {
            throw Wrong(message: "“\(shown(text))” has more than \(places) places after the point")
        }
        let scale = (0..<places).reduce(1) { product, _ in product * 10 }
        return whole * scale + (Int(fraction + String(repeating: "0", count: places - fraction.count)) ?? 0)
    }

    /// Requests a second, in thousandths: `3.5/s`.
    package static func rate(_ text: String) throws(Wrong) -> Int {
        guard text.hasSuffix("/s") else {
            throw Wrong(message: "“\(shown(text))” is not a rate", mend: "write it by the second, such as 3.5/s")
        }
        return try decimal(String(text.dropLast(2)), places: 3)
    }

    /// A weight: a percentage with at most two places.
    package static func weight(_ text: String) throws(Wrong) -> Weight {
        let value = try partsPerMillion(text)
        guard value % 100 == 0, let weight = Weight(rawValue: value / 100) else {
            throw Wrong(message: "the weight “\(text)” is finer than 0.01 %")
        }
        return weight
    }

    private static func shown(_ text: String) -> String { text.count > 40 ? text.prefix(40) + "…" : text }
}
