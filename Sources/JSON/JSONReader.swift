/// Why a text is not the JSON that was asked for, and where.
package struct JSONFault: Error, Hashable, Sendable, CustomStringConvertible {
    package let reason: String
    /// In bytes from the beginning.
    package let offset: Int

    package var description: String { "\(reason) at byte \(offset)" }
}

/// What a reader takes at most.
package struct JSONLimits: Hashable, Sendable {
    package var bytes: Int
    /// How deep lists and objects may stand in each other.
    package var depth: Int

    package init(bytes: Int = 16 << 20, depth: Int = 128) {
        self.bytes = bytes
        self.depth = depth
    }
}

extension JSONValue {
    /// Reads a JSON text (RFC 8259) of UTF-8 bytes, strictly: no duplicate names, no lone surrogates, nothing after the value.
    ///
    /// - Throws: ``JSONFault``, which says what is wrong and at which byte.
    package init(parsing bytes: some Collection<UInt8>, limits: JSONLimits = JSONLimits()) throws(JSONFault) {
        guard bytes.count <= limits.bytes else {
            throw JSONFault(reason: "the text is longer than \(limits.bytes) bytes", offset: limits.bytes)
        }
        var reader = JSONReader(bytes: Array(bytes), depth: limits.depth)
        self = try reader.document()
    }

    /// Reads a JSON text.
    package init(parsing text: String) throws(JSONFault) { try self.init(parsing: Array(text.utf8)) }
}

private struct JSONReader {
    let bytes: [UInt8]
    let depth: Int
    private var at = 0

    init(bytes: [UInt8], depth: Int) {
        self.bytes = bytes
        self.depth = depth
    }

    mutating func document() throws(JSONFault) -> JSONValue {
        skipSpace()
        let value = try value(depth)
        skipSpace()
        guard at == bytes.count else { throw fault("nothing may follow the value") }
        return value
    }

    private var next: UInt8? { at < bytes.count ? bytes[at] : nil }

    private func fault(_ reason: String) -> JSONFault { JSONFault(reason: reason, offset: at) }

    private mutating func skipSpace() {
        while let byte = next, byte == 0x20 || byte == 0x0A || byte == 0x0D || byte == 0x09 { at += 1 }
    }

    private mutating func value(_ depth: Int) throws(JSONFault) -> JSONValue {
        switch next {
        case UInt8(ascii: "{")?: return try object(depth)
        case UInt8(ascii: "[")?: return try array(depth)
        case UInt8(ascii: "\"")?: return .string(try string())
        case UInt8(ascii: "t")?: return try word("true", .bool(true))
        case UInt8(ascii: "f")?: return try word("false", .bool(false))
        case UInt8(ascii: "n")?: return try word("null", .null)
        case nil: throw fault("the text ends where a value should be")
        case let byte?:
            guard byte == UInt8(ascii: "-") || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) else {
                throw fault("no value begins so")
            }
            return try number()
        }
    }

    private mutating func word(_ word: String, _ value: JSONValue) throws(JSONFault) -> JSONValue {
        guard bytes[at...].starts(with: word.utf8) else { throw fault("no value begins so") }
        at += word.utf8.count
        return value
    }

    private mutating func object(_ depth: Int) throws(JSONFault) -> JSONValue {
        guard depth > 0 else { throw fault("lists and objects stand too deep in each other") }
        at += 1
        var fields: [String: JSONValue] = [:]
        skipSpace()
        if next == UInt8(ascii: "}") {
            at += 1
            return .object(fields)
        }
        while true {
            skipSpace()
            guard next == UInt8(ascii: "\"") else { throw fault("a name in quotes should be here") }
            let start = at
            let name = try string()
            skipSpace()
            guard next == UInt8(ascii: ":") else { throw fault("a colon should be here") }
            at += 1
            skipSpace()
            guard fields.updateValue(try value(depth - 1), forKey: name) == nil else {
                throw JSONFault(reason: "the name “\(name.prefix(40))” stands twice in an object", offset: start)
            }
            skipSpace()
            switch next {
            case UInt8(ascii: ",")?: at += 1
            case UInt8(ascii: "}")?:
                at += 1
                return .object(fields)
            default: throw fault("a comma or the object's end should be here")
            }
        }
    }

    private mutating func array(_ depth: Int) throws(JSONFault) -> JSONValue {
        guard depth > 0 else { throw fault("lists and objects stand too deep in each other") }
        at += 1
        var items: [JSONValue] = []
        skipSpace()
        if next == UInt8(ascii: "]") {
            at += 1
            return .array(items)
        }
        while true {
            skipSpace()
            items.append(try value(depth - 1))
            skipSpace()
            switch next {
            case UInt8(ascii: ",")?: at += 1
            case UInt8(ascii: "]")?:
                at += 1
                return .array(items)
            default: throw fault("a comma or the list's end should be here")
            }
        }
    }

    private mutating func number() throws(JSONFault) -> JSONValue {
        let start = at
        if next == UInt8(ascii: "-") { at += 1 }
        let whole = digits()
        guard whole > 0, whole == 1 || bytes[at - whole] != UInt8(ascii: "0") else { throw fault("no number looks so") }
        var isInteger = true
        if next == UInt8(ascii: ".") {
            at += 1
            isInteger = false
            guard digits() > 0 else { throw fault("a digit should follow the point") }
        }
        if next == UInt8(ascii: "e") || next == UInt8(ascii: "E") {
            at += 1
            isInteger = false
            if next == UInt8(ascii: "+") || next == UInt8(ascii: "-") { at += 1 }
            guard digits() > 0 else { throw fault("a digit should be in the exponent") }
        }
        let text = String(decoding: bytes[start..<at], as: UTF8.self)
        if isInteger, let value = Int(text), text != "-0" { return .int(value) }
        if let value = Double(text), value.isFinite, "\(value)" == text { return .number(value) }
        return .decimal(text)
    }

    private mutating func digits() -> Int {
        let start = at
        while let byte = next, (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) { at += 1 }
        return at - start
    }

    private mutating func string() throws(JSONFault) -> String {
        at += 1
        let start = at
        // Most texts have nothing that must be undone.
        while let byte = next, byte != UInt8(ascii: "\""), byte != UInt8(ascii: "\\"), byte >= 0x20 { at += 1 }
        if next == UInt8(ascii: "\"") {
            at += 1
            return try text(bytes[start..<(at - 1)], start)
        }
        var unescaped = Array(bytes[start..<at])
        while let byte = next {
            switch byte {
            case UInt8(ascii: "\""):
                at += 1
                return try text(unescaped[...], start)
            case UInt8(ascii: "\\"): try escape(into: &unescaped)
            case ..<0x20: throw fault("a control character must be escaped")
            default:
                unescaped.append(byte)
                at += 1
            }
        }
        throw fault("the text ends within quotes")
    }

    private func text(_ bytes: ArraySlice<UInt8>, _ start: Int) throws(JSONFault) -> String {
        guard let text = String(validating: bytes, as: UTF8.self) else {
            throw JSONFault(reason: "a text is not UTF-8", offset: start)
        }
        return text
    }

    private mutating func escape(into text: inout [UInt8]) throws(JSONFault) {
        at += 1
        guard let byte = next else { throw fault("the text ends within quotes") }
        at += 1
        switch byte {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): text.append(byte)
        case UInt8(ascii: "b"): text.append(0x08)
        case UInt8(ascii: "f"): text.append(0x0C)
        case UInt8(ascii: "n"): text.append(0x0A)
        case UInt8(ascii: "r"): text.append(0x0D)
        case UInt8(ascii: "t"): text.append(0x09)
        case UInt8(ascii: "u"):
            var code = UInt32(try unit())
            if (0xD800..<0xDC00).contains(code) {
                guard next == UInt8(ascii: "\\"), at + 1 < bytes.count, bytes[at + 1] == UInt8(ascii: "u") else {
                    throw fault("half of a surrogate pair")
                }
                at += 2
                let low = UInt32(try unit())
                guard (0xDC00..<0xE000).contains(low) else { throw fault("half of a surrogate pair") }
                code = 0x10000 + (code - 0xD800) << 10 + (low - 0xDC00)
            }
            guard let scalar = Unicode.Scalar(code) else { throw fault("half of a surrogate pair") }
            text += String(Character(scalar)).utf8
        default: throw fault("no escape looks so")
        }
    }

    private mutating func unit() throws(JSONFault) -> UInt16 {
        guard at + 4 <= bytes.count, bytes[at] != UInt8(ascii: "+"), bytes[at] != UInt8(ascii: "-"),
            let unit = UInt16(String(decoding: bytes[at..<(at + 4)], as: UTF8.self), radix: 16)
        else { throw fault("four hexadecimal digits should be here") }
        at += 4
        return unit
    }
}
