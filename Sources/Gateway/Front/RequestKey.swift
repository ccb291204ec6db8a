import MigrationCore

/// Where to look for whose a request is, ready to be compared with bytes.
enum StickyPlace: Hashable, Sendable {
    /// In small letters.
    case header([UInt8])
    case cookie([UInt8])
    case clientIP

    init(_ key: StickyKey) {
        switch key {
        case .header(let name): self = .header(Array(name.lowercased().utf8))
        case .cookie(let name): self = .cookie(Array(name.utf8))
        case .clientIP: self = .clientIP
        }
    }
}

/// Finds whose a request is.
enum RequestKey {
    /// Hands the first of the plan's places that the request has to `body`; nil when it has none. Allocates nothing.
    static func with<Result>(
        _ places: [StickyPlace],
        _ fields: FieldTable,
        _ bytes: UnsafeRawBufferPointer,
        client: ClientAddress,
        _ body: (UnsafeRawBufferPointer?) -> Result
    ) -> Result {
        for place in places {
            switch place {
            case .header(let name):
                for field in fields.all where !field.value.isEmpty && Octet.equal(bytes, field.name, name) {
                    return body(UnsafeRawBufferPointer(rebasing: bytes[field.value]))
                }
            case .cookie(let name):
                for field in fields.all where Octet.equal(bytes, field.name, "cookie") {
                    if let value = cookie(name, bytes, field.value) {
                        return body(UnsafeRawBufferPointer(rebasing: bytes[value]))
                    }
                }
            case .clientIP: if !client.text.isEmpty { return client.text.withUnsafeBytes { body($0) } }
            }
        }
        return body(nil)
    }

    /// The place of a cookie's value (RFC 6265 §4.2.1); nil when it is not there or empty.
    private static func cookie(_ name: [UInt8], _ bytes: UnsafeRawBufferPointer, _ line: Range<Int>) -> Range<Int>? {
        var at = line.lowerBound
        while at < line.upperBound {
            while at < line.upperBound, bytes[at] == 0x20 { at += 1 }
            var end = at
            while end < line.upperBound, bytes[end] != UInt8(ascii: ";") { end += 1 }
            let value = at + name.count + 1
            if value < end, bytes[value - 1] == UInt8(ascii: "="),
                name.indices.allSatisfy({ bytes[at + $0] == name[$0] })
            {
                return value..<end
            }
            at = end + 1
        }
        return nil
    }
}
