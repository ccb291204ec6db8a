import NIOCore

/// The trace that a request belongs to (W3C Trace Context §3.2): passed on where it is valid, begun where there is none.
struct TraceParent {
    var trace: (high: UInt64, low: UInt64)
    var parent: UInt64

    init(using random: inout some RandomNumberGenerator) {
        trace = (random.next(), random.next() | 1)
        parent = random.next() | 1
    }

    /// The trace's ID in hexadecimal digits.
    var id: String {
        var out = ByteBuffer()
        for word in [trace.high, trace.low] { Self.write(word, to: &out) }
        return String(buffer: out)
    }

    /// The same of a field's value that is valid.
    static func id(_ bytes: UnsafeRawBufferPointer, _ place: Range<Int>) -> String {
        String(decoding: bytes[place].dropFirst(3).prefix(32), as: UTF8.self)
    }

    func write(to out: inout ByteBuffer) {
        out.writeStaticString("traceparent: 00-")
        for word in [trace.high, trace.low] { Self.write(word, to: &out) }
        out.writeStaticString("-")
        Self.write(parent, to: &out)
        out.writeStaticString("-00\r\n")
    }

    /// Whether a field's value is a trace parent: of version 00, in small letters, not all zeros.
    static func isValid(_ bytes: UnsafeRawBufferPointer, _ place: Range<Int>) -> Bool {
        guard place.count == 55 else { return false }
        var zeros = (trace: true, parent: true)
        for index in 0..<55 {
            let byte = bytes[place.lowerBound + index]
            switch index {
            case 2, 35, 52: guard byte == UInt8(ascii: "-") else { return false }
            case 0, 1: guard byte == UInt8(ascii: "0") else { return false }
            default:
                guard Octet.hexValue(byte) != nil, !(0x41...0x46).contains(byte) else { return false }
                if byte != UInt8(ascii: "0") {
                    if index < 35 { zeros.trace = false } else if index < 52 { zeros.parent = false }
                }
            }
        }
        return !zeros.trace && !zeros.parent
    }

    private static func write(_ word: UInt64, to out: inout ByteBuffer) {
        for shift in stride(from: 60, through: 0, by: -4) {
            let digit = UInt8(truncatingIfNeeded: word >> UInt64(shift)) & 0xF
            out.writeInteger(digit < 10 ? digit + 0x30 : digit + 0x57)
        }
    }
}
