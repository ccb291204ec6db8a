/// One event of a stream.
package struct ServerSentEvent: Hashable, Sendable {
    /// The event's type; `message` where the stream does not say.
    package var name: String
    package var data: String

    package init(name: String, data: String) {
        self.name = name
        self.data = data
    }
}

/// Why a stream of events cannot be read on.
package enum ServerSentEventsFault: Error, Hashable, Sendable {
    /// A line, or an event, is longer than anything that is taken.
    case tooLong
    case notUTF8
    /// The stream ended within an event.
    case incomplete
}

/// Reads a stream of server-sent events: a state machine that is fed with bytes, however they are cut.
///
///     text ──CR──► after CR ──LF──► text        a line ends with CR, LF or both
///
/// Source: HTML, “Server-sent events”, 9.2.5 and 9.2.6 (`https://html.spec.whatwg.org/multipage/server-sent-events.html`).
package struct ServerSentEvents: Sendable {
    private static let longest = 1 << 20

    private var line: [UInt8] = []
    private var isAfterCR = false
    private var isFirstLine = true
    private var name = ""
    private var data: [String] = []
    private var size = 0

    package init() {}

    /// Takes bytes, and gives the events that they end.
    ///
    /// - Throws: ``ServerSentEventsFault``; nothing more can be read then.
    package mutating func take(_ bytes: some Sequence<UInt8>) throws(ServerSentEventsFault) -> [ServerSentEvent] {
        var events: [ServerSentEvent] = []
        for byte in bytes {
            let wasAfterCR = isAfterCR
            isAfterCR = byte == 0x0D
            switch byte {
            case 0x0A where wasAfterCR: continue
            case 0x0A, 0x0D: if let event = try endLine() { events.append(event) }
            default:
                guard line.count < Self.longest else { throw .tooLong }
                line.append(byte)
            }
        }
        return events
    }

    /// The stream is over.
    ///
    /// - Throws: ``ServerSentEventsFault/incomplete`` where an event has begun; the standard would drop it in silence.
    package func finish() throws(ServerSentEventsFault) {
        guard line.isEmpty, data.isEmpty, name.isEmpty else { throw .incomplete }
    }

    private mutating func endLine() throws(ServerSentEventsFault) -> ServerSentEvent? {
        defer { line.removeAll(keepingCapacity: true) }
        var bytes = line[...]
        if isFirstLine {
            isFirstLine = false
            if bytes.starts(with: [0xEF, 0xBB, 0xBF]) { bytes = bytes.dropFirst(3) }
        }
        guard !bytes.isEmpty else { return endEvent() }
        guard let text = String(validating: bytes, as: UTF8.self) else { throw .notUTF8 }
        let colon = text.firstIndex(of: ":")
        let field = colon.map { text[..<$0] } ?? text[...]
        var value = colon.map { text[text.index(after: $0)...] } ?? ""
        if value.hasPrefix(" ") { value = value.dropFirst() }
        switch field {
        case "data":
            size += value.utf8.count
            guard size <= Self.longest else { throw .tooLong }
            data.append(String(value))
        case "event": name = String(value)
        // Comments, and what tells where to go on after a break: a model's answer is not gone on with.
        default: break
        }
        return nil
    }

    private mutating func endEvent() -> ServerSentEvent? {
        defer {
            name = ""
            data = []
            size = 0
        }
        guard !data.isEmpty else { return nil }
        return ServerSentEvent(name: name.isEmpty ? "message" : name, data: data.joined(separator: "\n"))
    }
}
