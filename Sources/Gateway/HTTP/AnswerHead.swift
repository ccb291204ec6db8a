import NIOCore
import NIOHTTP1

/// What the gateway reads of an answer's head before it passes it on; places are in the head's bytes.
struct AnswerHead {
    var status: Int
    /// From the status to the end of its line.
    var statusText: Range<Int>
    var body: BodyFraming
    /// Whether the connection can carry another request.
    var isPersistent: Bool
    var isChunked: Bool
    var length: Int?
    /// The place of `Cache-Status`; nil without one.
    var cacheStatus: Range<Int>?
    /// An answer that goes on for as long as it likes.
    var isEventStream = false

    /// Whether another head follows for the same request.
    var isInterim: Bool { status < 200 }

    /// - Parameters:
    ///   - bytes: the head with its empty line.
    ///   - isHead: whether it answers HEAD, and so has no body.
    ///   - fields: receives the fields.
    init(_ bytes: UnsafeRawBufferPointer, isHead: Bool, _ fields: inout FieldTable) throws(MessageFault) {
        guard bytes.count >= 14, Octet.equal(bytes, 0..<7, "http/1."), bytes[0] == UInt8(ascii: "H"),
            Octet.isDigit(bytes[7]), bytes[8] == 0x20, (9..<12).allSatisfy({ Octet.isDigit(bytes[$0]) })
        else { throw .bad("the answer does not begin with a status") }
        status = (9..<12).reduce(0) { $0 * 10 + Int(bytes[$1] - 0x30) }
        var at = 12
        while at < bytes.count, Octet.isFieldText(bytes[at]) { at += 1 }
        statusText = 9..<at
        guard (100...599).contains(status), status != 101, at == 12 || bytes[12] == 0x20, at + 1 < bytes.count,
            bytes[at] == 0x0D, bytes[at + 1] == 0x0A
        else { throw .bad("the answer's status is none") }
        try fields.read(bytes, from: at + 2)
        let facts = try FramingFacts(bytes, fields)
        isChunked = facts.isChunked
        length = facts.length
        let isOld = bytes[7] == UInt8(ascii: "0")
        if isHead || status < 200 || status == 204 || status == 304 {
            body = .none
        } else if isChunked {
            body = .chunked
        } else if let length {
            body = .length(length)
        } else {
            body = .untilClose
        }
        isPersistent = !facts.closes && (!isOld || facts.keepsAlive) && body != .untilClose
        for field in fields.all {
            switch field.role {
            case .cacheStatus where cacheStatus == nil: cacheStatus = field.value
            case .contentType:
                let length = "text/event-stream".utf8.count
                let value = field.value.prefix(length)
                isEventStream = Octet.equal(bytes, value.startIndex..<value.endIndex, "text/event-stream")
            default: break
            }
        }
    }
}
