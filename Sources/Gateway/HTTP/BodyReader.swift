import NIOCore

/// How long a message's body is (RFC 9112 §6.3).
enum BodyFraming: Hashable {
    case none
    case length(Int)
    case chunked
    /// An answer that ends with its connection.
    case untilClose
}

/// Takes a message's body from the bytes of its connection.
struct BodyReader {
    enum Piece {
        case bytes(ByteBuffer)
        /// The body is over.
        ///
        /// - trailers: whole field lines without the empty one; nil when there are none.
        case end(trailers: ByteBuffer?)
    }

    private enum Step: Hashable {
        case plain(Int)
        case untilClose
        case size
        case data(Int)
        case dataEnd
        case trailers
        case over
    }

    private static let longestSizeLine = 1_024
    private static let largestTrailers = 8 * 1_024
    private var step: Step
    private var scanner = HeadScanner(limit: Self.largestTrailers)

    init(_ framing: BodyFraming) {
        step =
            switch framing {
            case .none: .plain(0)
            case .length(let length): .plain(length)
            case .chunked: .size
            case .untilClose: .untilClose
            }
    }

    /// Whether the end of the connection is the end of the body.
    var endsWithConnection: Bool { step == .untilClose }

    /// - Returns: the next piece; nil when it needs bytes that have not come.
    /// - Throws: 400 for chunks that are not framed as RFC 9112 §7.1 has them.
    mutating func next(_ inbox: inout ByteBuffer) throws(MessageFault) -> Piece? {
        while true {
            switch step {
            case .over: return nil
            case .plain(0): return finish(nil)
            case .plain(let rest):
                guard let bytes = inbox.readSome(rest) else { return nil }
                step = .plain(rest - bytes.readableBytes)
                return .bytes(bytes)
            case .untilClose: return inbox.readSome(.max).map { .bytes($0) }
            case .size:
                guard let size = try Self.size(&inbox) else { return nil }
                step = size == 0 ? .trailers : .data(size)
            case .data(let rest):
                guard let bytes = inbox.readSome(rest) else { return nil }
                step = rest == bytes.readableBytes ? .dataEnd : .data(rest - bytes.readableBytes)
                return .bytes(bytes)
            case .dataEnd:
                guard inbox.readableBytes >= 2 else { return nil }
                guard inbox.readInteger(as: UInt16.self) == 0x0D0A else {
                    throw .bad("a chunk is longer than it says")
                }
                step = .size
            case .trailers:
                let end = try inbox.reading { bytes throws(MessageFault) in try scanner.end(in: bytes) }
                guard let end, let section = inbox.readSlice(length: end) else { return nil }
                return finish(try Trailers.forwarded(section))
            }
        }
    }

    private mutating func finish(_ trailers: ByteBuffer?) -> Piece {
        step = .over
        return .end(trailers: trailers)
    }

    /// The size that begins a chunk; its extensions are read over.
    private static func size(_ inbox: inout ByteBuffer) throws(MessageFault) -> Int? {
        let line = try inbox.reading { bytes throws(MessageFault) in try sizeLine(bytes) }
        guard let (size, length) = line else { return nil }
        inbox.moveReaderIndex(forwardBy: length)
        return size
    }

    private static func sizeLine(_ bytes: UnsafeRawBufferPointer) throws(MessageFault) -> (Int, Int)? {
        var at = 0
        var size = 0
        while at < bytes.count, let digit = Octet.hexValue(bytes[at]) {
            guard at < 15 else { throw .bad("a chunk's size has too many digits") }
            size = size << 4 | digit
            at += 1
        }
        guard at < bytes.count else { return nil }
        guard at > 0 else { throw .bad("a chunk has no size") }
        if bytes[at] == UInt8(ascii: ";") {
            while at < bytes.count, at < longestSizeLine, Octet.isFieldText(bytes[at]) { at += 1 }
            guard at < longestSizeLine else { throw .bad("a chunk's extensions are too long") }
        }
        guard at + 1 < bytes.count else {
            guard at == bytes.count || bytes[at] == 0x0D else { throw .bad("a chunk's size is not a number") }
            return nil
        }
        guard bytes[at] == 0x0D, bytes[at + 1] == 0x0A else { throw .bad("a chunk's size is not a number") }
        return (size, at + 2)
    }
}

/// The fields after a chunked body.
enum Trailers {
    /// - Parameter section: the lines with the empty one at their end.
    /// - Returns: the lines to pass on, without what frames or routes a message (RFC 9110 §6.5.1); nil when none is left.
    static func forwarded(_ section: ByteBuffer) throws(MessageFault) -> ByteBuffer? {
        guard section.readableBytes > 2 else { return nil }
        var lines = ByteBuffer()
        try section.reading { bytes throws(MessageFault) in
            var fields = FieldTable()
            try fields.read(bytes, from: 0)
            for field in fields.all where [.other, .status].contains(field.role) { lines.writeField(bytes, field) }
        }
        return lines.readableBytes == 0 ? nil : lines
    }
}
