import NIOCore
import NIOHTTP1

/// What the gateway reads of a request's head before it passes it on; places are in the head's bytes.
struct RequestHead {
    enum Method: Hashable {
        case get, head, options, put, delete, post, other

        /// Whether a second time changes nothing (RFC 9110 §9.2.2).
        var isIdempotent: Bool {
            switch self {
            case .get, .head, .options, .put, .delete: true
            case .post, .other: false
            }
        }
    }

    var method: Method
    var methodText: Range<Int>
    /// The target in origin form, `/path?query`.
    var target: Range<Int>
    /// The target without its query.
    var path: Range<Int>
    /// Of HTTP/1.0: it takes no chunks and no interim answers.
    var isOld: Bool
    var body: BodyFraming
    /// Whether another request may follow on the connection.
    var isPersistent: Bool

    /// Reads a head, and refuses what two programs could read in two ways (RFC 9112 §3, §6, §11).
    ///
    /// - Parameters:
    ///   - bytes: the head with its empty line.
    ///   - fields: receives the fields.
    /// - Throws: ``MessageFault`` with the status for the client.
    init(_ bytes: UnsafeRawBufferPointer, _ fields: inout FieldTable) throws(MessageFault) {
        var at = 0
        while at < bytes.count, Octet.isToken(bytes[at]) { at += 1 }
        guard at > 0, at < bytes.count, bytes[at] == 0x20 else {
            throw .bad("the request does not begin with a method")
        }
        // All registered methods are of capital letters and hyphens; a rest of a body that is read as a method is not.
        guard at <= 20, (0..<at).allSatisfy({ (0x41...0x5A).contains(bytes[$0]) || bytes[$0] == UInt8(ascii: "-") })
        else {
            throw MessageFault(.notImplemented, "this method is not known")
        }
        methodText = 0..<at
        // After it a connection is a tunnel, also to a service that only says no: what it reads next on it is nobody's request.
        guard !Self.isWord("CONNECT", bytes, methodText) else {
            throw MessageFault(.notImplemented, "nothing is tunnelled here")
        }
        method = Self.method(bytes, methodText)
        let start = at + 1
        at = start
        while at < bytes.count, bytes[at] > 0x20, bytes[at] < 0x7F, bytes[at] != UInt8(ascii: "#") { at += 1 }
        guard at > start, at < bytes.count, bytes[at] == 0x20 else { throw .bad("the request's target is none") }
        let (origin, authority) = try Self.originForm(bytes, start..<at)
        target = origin
        let line = target
        path = line.lowerBound..<(line.first { bytes[$0] == UInt8(ascii: "?") } ?? line.upperBound)
        let version = at + 1
        guard version + 10 <= bytes.count, bytes[version + 8] == 0x0D, bytes[version + 9] == 0x0A,
            Octet.equal(bytes, version..<version + 5, "http/"), bytes[version] == UInt8(ascii: "H"),
            Octet.isDigit(bytes[version + 5]), bytes[version + 6] == UInt8(ascii: "."),
            Octet.isDigit(bytes[version + 7])
        else { throw .bad("the request line does not end in a version") }
        guard bytes[version + 5] == UInt8(ascii: "1") else {
            throw MessageFault(.httpVersionNotSupported, "this version of HTTP is not spoken here")
        }
        isOld = bytes[version + 7] == UInt8(ascii: "0")
        try fields.read(bytes, from: version + 10)
        let facts = try FramingFacts(bytes, fields)
        guard facts.hosts == 1 || isOld && facts.hosts == 0 else { throw .bad("the request has not one Host") }
        if let authority {
            guard fields.all.allSatisfy({ $0.role != .host || bytes[$0.value].elementsEqual(bytes[authority]) }) else {
                throw .bad("the request names two hosts")
            }
        }
        guard !facts.isChunked || !isOld else { throw .bad("a request of HTTP/1.0 has a transfer encoding") }
        body = facts.isChunked ? .chunked : .length(facts.length ?? 0)
        // After an offered upgrade a client may go on in another protocol. A kept connection of HTTP/1.0 would have to be granted in words that no other needs.
        isPersistent = !facts.closes && !isOld && !facts.offersUpgrade
    }

    private static func method(_ bytes: UnsafeRawBufferPointer, _ text: Range<Int>) -> Method {
        func has(_ word: StaticString) -> Bool { isWord(word, bytes, text) }
        if has("GET") { return .get }
        if has("POST") { return .post }
        if has("HEAD") { return .head }
        if has("OPTIONS") { return .options }
        if has("PUT") { return .put }
        if has("DELETE") { return .delete }
        return .other
    }

    private static func isWord(_ word: StaticString, _ bytes: UnsafeRawBufferPointer, _ text: Range<Int>) -> Bool {
        word.utf8CodeUnitCount == text.count && (0..<text.count).allSatisfy { bytes[$0] == word.utf8Start[$0] }
    }

    /// `http://host/path` is the same as `/path` (RFC 9112 §3.2.2); anything else stays.
    private static func originForm(
        _ bytes: UnsafeRawBufferPointer,
        _ target: Range<Int>
    ) throws(MessageFault) -> (origin: Range<Int>, authority: Range<Int>?) {
        for scheme: StaticString in ["http://", "https://"] {
            let length = scheme.utf8CodeUnitCount
            guard target.count > length,
                (0..<length).allSatisfy({ bytes[target.lowerBound + $0] | 0x20 == scheme.utf8Start[$0] | 0x20 })
            else { continue }
            let authority = target.lowerBound + length
            let end = (authority..<target.upperBound).first {
                [UInt8(ascii: "/"), UInt8(ascii: "?")].contains(bytes[$0])
            }
            guard let end, bytes[end] == UInt8(ascii: "/"), end > authority else {
                throw .bad("the request's target has no path")
            }
            return (end..<target.upperBound, authority..<end)
        }
        return (target, nil)
    }
}

/// What a head's fields say together of its framing and its connection.
struct FramingFacts {
    var length: Int?
    var isChunked = false
    var closes = false
    var keepsAlive = false
    var offersUpgrade = false
    var hosts = 0

    /// - Throws: 400 for lengths that contradict each other or are none, and for a length beside a transfer encoding; 501 for an encoding that is
    ///   not `chunked`; 417 for an expectation that is not `100-continue`.
    init(_ bytes: UnsafeRawBufferPointer, _ fields: FieldTable) throws(MessageFault) {
        for field in fields.all {
            switch field.role {
            case .contentLength:
                guard length == nil else { throw .bad("there are two content lengths") }
                length = try Self.number(bytes, field.value)
            case .transferEncoding:
                guard !isChunked else { throw .bad("there are two transfer encodings") }
                guard Octet.equal(bytes, field.value, "chunked") else {
                    throw MessageFault(.notImplemented, "only chunked is known as a transfer encoding")
                }
                isChunked = true
            case .connection:
                try Octet.members(bytes, field.value) { member in
                    if Octet.equal(bytes, member, "close") { closes = true }
                    if Octet.equal(bytes, member, "keep-alive") { keepsAlive = true }
                }
            case .host: hosts += 1
            case .upgrade: offersUpgrade = true
            case .expect:
                guard Octet.equal(bytes, field.value, "100-continue") else {
                    throw MessageFault(.expectationFailed, "this expectation cannot be met")
                }
            default: break
            }
        }
        guard length == nil || !isChunked else { throw .bad("there is a content length beside a transfer encoding") }
    }

    private static func number(_ bytes: UnsafeRawBufferPointer, _ place: Range<Int>) throws(MessageFault) -> Int {
        guard (1...18).contains(place.count), place.allSatisfy({ Octet.isDigit(bytes[$0]) }) else {
            throw .bad("the content length is not a number")
        }
        return place.reduce(0) { $0 * 10 + Int(bytes[$1] - 0x30) }
    }
}
