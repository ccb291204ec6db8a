import NIOCore
import NIOHTTP1

/// What the gateway has to know of a field beyond passing it on.
enum FieldRole {
    case other
    /// Belongs to one connection and goes no further (RFC 9110 §7.6.1).
    case hopByHop
    case connection, contentLength, transferEncoding, upgrade
    case host, expect, cacheStatus, contentType, traceparent, implementation, status, force
}

/// The fields of a head, as places in its bytes; used again from message to message, so that reading one allocates nothing.
struct FieldTable {
    struct Field {
        var name: Range<Int>
        var value: Range<Int>
        var role: FieldRole
    }

    /// More fields than this are refused.
    static let most = 200

    private(set) var all: [Field] = []

    /// Reads the field lines from `start` to the end of a head or of a trailer section, its empty line included.
    ///
    /// - Throws: 400 for a line that is no field, a folded one among them (RFC 9112 §5); 431 for too many.
    mutating func read(_ bytes: UnsafeRawBufferPointer, from start: Int) throws(MessageFault) {
        all.removeAll(keepingCapacity: true)
        var at = start
        while at + 1 < bytes.count, bytes[at] != 0x0D {
            let name = at
            while at < bytes.count, Octet.isToken(bytes[at]) { at += 1 }
            guard at > name, at < bytes.count, bytes[at] == UInt8(ascii: ":") else {
                if Octet.isBlank(bytes[name]) { throw .bad("a field is folded over two lines") }
                throw .bad("a line is no field")
            }
            let nameEnd = at
            at += 1
            while at < bytes.count, Octet.isBlank(bytes[at]) { at += 1 }
            let value = at
            while at < bytes.count, Octet.isFieldText(bytes[at]) { at += 1 }
            var valueEnd = at
            while valueEnd > value, Octet.isBlank(bytes[valueEnd - 1]) { valueEnd -= 1 }
            guard at + 1 < bytes.count, bytes[at] == 0x0D, bytes[at + 1] == 0x0A else {
                throw .bad("a field holds a control character")
            }
            at += 2
            guard all.count < Self.most else {
                throw MessageFault(.requestHeaderFieldsTooLarge, "there are more than \(Self.most) fields")
            }
            all.append(
                Field(name: name..<nameEnd, value: value..<valueEnd, role: Self.role(bytes, name..<nameEnd))
            )
        }
        guard at + 2 == bytes.count, bytes[at] == 0x0D, bytes[at + 1] == 0x0A else {
            throw .bad("the head does not end in an empty line")
        }
    }

    /// The status that a trailer section tells of a stream (`x-migrate-status`), which had none of its own when its head was sent; nil without one.
    ///
    /// - Parameter trailers: field lines without the empty one.
    static func status(trailers: ByteBuffer) -> Int? {
        var section = trailers
        section.writeStaticString("\r\n")
        return section.withUnsafeReadableBytes { bytes in
            var table = FieldTable()
            guard (try? table.read(bytes, from: 0)) != nil,
                let place = table.all.first(where: { $0.role == .status })?.value, place.count == 3,
                place.allSatisfy({ Octet.isDigit(bytes[$0]) })
            else { return nil }
            let status = place.reduce(0) { $0 * 10 + Int(bytes[$1] - 0x30) }
            return (200...599).contains(status) ? status : nil
        }
    }

    private static func role(_ bytes: UnsafeRawBufferPointer, _ name: Range<Int>) -> FieldRole {
        func has(_ word: StaticString) -> Bool { Octet.equal(bytes, name, word) }
        switch name.count {
        case 2: return has("te") ? .hopByHop : .other
        case 4: return has("host") ? .host : .other
        case 6: return has("expect") ? .expect : .other
        case 7: return has("upgrade") ? .upgrade : has("trailer") ? .hopByHop : .other
        case 10: return has("connection") ? .connection : has("keep-alive") ? .hopByHop : .other
        case 11: return has("traceparent") ? .traceparent : .other
        case 12: return has("cache-status") ? .cacheStatus : has("content-type") ? .contentType : .other
        case 14: return has("content-length") ? .contentLength : .other
        case 15: return has("x-migrate-force") ? .force : .other
        case 16:
            return has("proxy-connection") || has("x-migrate-shadow")
                ? .hopByHop : has("x-migrate-status") ? .status : .other
        case 17: return has("transfer-encoding") ? .transferEncoding : .other
        case 18: return has("proxy-authenticate") ? .hopByHop : .other
        case 19: return has("proxy-authorization") ? .hopByHop : .other
        case 24: return has("x-migrate-implementation") ? .implementation : .other
        default: return .other
        }
    }
}

/// Classes of bytes in heads (RFC 9110 §5.5, §5.6.2).
enum Octet {
    /// One bit each for the characters 0…63 and 64…127 that a token may have.
    private static let tokens: (UInt64, UInt64) = {
        var bits: (UInt64, UInt64) = (0, 0)
        for byte in "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ".utf8 {
            if byte < 64 { bits.0 |= 1 << UInt64(byte) } else { bits.1 |= 1 << UInt64(byte - 64) }
        }
        return bits
    }()

    static func isToken(_ byte: UInt8) -> Bool {
        byte < 128 && (byte < 64 ? tokens.0 >> UInt64(byte) : tokens.1 >> UInt64(byte & 63)) & 1 == 1
    }

    static func isBlank(_ byte: UInt8) -> Bool { byte == 0x20 || byte == 0x09 }
    static func isFieldText(_ byte: UInt8) -> Bool { byte >= 0x20 && byte != 0x7F || byte == 0x09 }
    static func isDigit(_ byte: UInt8) -> Bool { byte >= 0x30 && byte <= 0x39 }

    /// The value of a hexadecimal digit.
    static func hexValue(_ byte: UInt8) -> Int? {
        switch byte {
        case 0x30...0x39: Int(byte) - 0x30
        case 0x41...0x46: Int(byte) - 0x41 + 10
        case 0x61...0x66: Int(byte) - 0x61 + 10
        default: nil
        }
    }

    /// Whether a place in the bytes holds a word; letters count alike in both cases.
    ///
    /// - Parameter word: of small letters, digits and hyphens.
    static func equal(_ bytes: UnsafeRawBufferPointer, _ place: Range<Int>, _ word: StaticString) -> Bool {
        guard place.count == word.utf8CodeUnitCount else { return false }
        for index in 0..<place.count where bytes[place.lowerBound + index] | 0x20 != word.utf8Start[index] {
            return false
        }
        return true
    }

    /// The same for a word that is only known when the program runs.
    static func equal(_ bytes: UnsafeRawBufferPointer, _ place: Range<Int>, _ word: [UInt8]) -> Bool {
        guard place.count == word.count else { return false }
        for index in 0..<place.count {
            let byte = bytes[place.lowerBound + index]
            guard byte == word[index] || (0x41...0x5A).contains(byte) && byte | 0x20 == word[index] else {
                return false
            }
        }
        return true
    }

    /// The members of a list such as `a, b`, without their blanks; empty ones are left out.
    static func members(
        _ bytes: UnsafeRawBufferPointer,
        _ place: Range<Int>,
        _ body: (Range<Int>) throws(MessageFault) -> Void
    ) throws(MessageFault) {
        var start = place.lowerBound
        while start < place.upperBound {
            var end = start
            while end < place.upperBound, bytes[end] != UInt8(ascii: ",") { end += 1 }
            var member = start..<end
            while let first = member.first, isBlank(bytes[first]) { member = first + 1..<member.upperBound }
            while let last = member.last, isBlank(bytes[last]) { member = member.lowerBound..<last }
            if !member.isEmpty { try body(member) }
            start = end + 1
        }
    }
}
