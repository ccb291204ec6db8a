/// Canonical JSON from the left to the right.
struct CanonicalReader {
    private let bytes: UnsafeBufferPointer<UInt8>
    private var place = 0

    init(_ bytes: UnsafeBufferPointer<UInt8>) { self.bytes = bytes }

    var isAtEnd: Bool { place == bytes.count }

    /// Takes exactly these bytes, or nothing.
    mutating func take(_ text: StaticString) -> Bool {
        guard matches(text, at: place) else { return false }
        place += text.utf8CodeUnitCount
        return true
    }

    mutating func take(after byte: UInt8, _ text: StaticString) -> Bool {
        guard place < bytes.count, bytes[place] == byte, matches(text, at: place + 1) else { return false }
        place += 1 + text.utf8CodeUnitCount
        return true
    }

    private func matches(_ text: StaticString, at start: Int) -> Bool {
        let count = text.utf8CodeUnitCount
        guard bytes.count - start >= count else { return false }
        let expected = text.utf8Start
        for index in 0..<count where bytes[start + index] != expected[index] { return false }
        return true
    }

    /// A whole number as JSON writes it: no plus, no zero before it, nothing that does not fit.
    mutating func int() -> Int? {
        var index = place
        var isNegative = false
        if index < bytes.count, bytes[index] == UInt8(ascii: "-") {
            isNegative = true
            index += 1
        }
        let first = index
        var value = 0
        while index < bytes.count, case let digit = bytes[index] &- UInt8(ascii: "0"), digit < 10 {
            let (product, isTooLarge) = value.multipliedReportingOverflow(by: 10)
            let (sum, isTooLargeToo) = product.subtractingReportingOverflow(Int(digit))
            if isTooLarge || isTooLargeToo { return nil }
            value = sum
            index += 1
        }
        let digits = index - first
        guard digits > 0, digits == 1 || bytes[first] != UInt8(ascii: "0"), !(isNegative && value == 0) else {
            return nil
        }
        // A fraction or an exponent is Foundation's.
        if index < bytes.count, [UInt8(ascii: "."), UInt8(ascii: "e"), UInt8(ascii: "E")].contains(bytes[index]) {
            return nil
        }
        guard isNegative || value != .min else { return nil }
        place = index
        return isNegative ? value : -value
    }

    /// A text of printable ASCII without an escape.
    mutating func text() -> String? {
        guard place < bytes.count, bytes[place] == UInt8(ascii: "\"") else { return nil }
        var index = place + 1
        while index < bytes.count, bytes[index] != UInt8(ascii: "\"") {
            guard PlainText.isPlain(bytes[index]) else { return nil }
            index += 1
        }
        guard index < bytes.count else { return nil }
        let text = String(decoding: bytes[place + 1..<index], as: UTF8.self)
        place = index + 1
        return text
    }

    mutating func list<T>(_ element: (inout CanonicalReader) -> T?) -> [T]? {
        guard take("[") else { return nil }
        var elements: [T] = []
        if take("]") { return elements }
        repeat {
            guard let next = element(&self) else { return nil }
            elements.append(next)
        } while take(",")
        return take("]") ? elements : nil
    }
}

/// Whether an object's field comes first, or after a comma.
struct Fields {
    private var isFirst = true

    mutating func take(_ key: StaticString, _ reader: inout CanonicalReader) -> Bool {
        guard isFirst ? reader.take(key) : reader.take(after: UInt8(ascii: ","), key) else { return false }
        isFirst = false
        return true
    }
}

/// The text that stands in JSON as it is.
enum PlainText {
    static func isPlain(_ byte: UInt8) -> Bool {
        (0x20..<0x7F).contains(byte) && byte != UInt8(ascii: "\"") && byte != UInt8(ascii: "\\")
    }
}
