import LanguageModel
import Testing

@Suite("Server-sent events")
struct ServerSentEventsTests {
    /// Texts with their events; the standard's own examples among them.
    static let fixtures: [(text: String, events: [ServerSentEvent])] = [
        ("data: YHOO\ndata: +2\ndata: 10\n\n", [event("YHOO\n+2\n10")]),
        (
            ": test stream\n\ndata: first event\nid: 1\n\ndata:second event\nid\n\ndata:  third event\n\n",
            [event("first event"), event("second event"), event(" third event")]
        ),
        ("data\n\ndata\ndata\n\n", [event(""), event("\n")]),
        ("data:test\n\ndata: test\n\n", [event("test"), event("test")]),
        (
            "event: add\ndata: 73857293\n\nevent: remove\ndata: 2153\n\n",
            [event("73857293", "add"), event("2153", "remove")]
        ),
        ("\u{FEFF}data: a\n\n", [event("a")]),
        ("data: a\r\n\r\ndata: b\r\rdata: c\n\n", [event("a"), event("b"), event("c")]),
        ("data: a\r\n\ndata: b\n\r\n", [event("a"), event("b")]), (":\n\n: ping\n\n", []),
        ("event: x\n\ndata: y\n\n", [event("y")]),
        ("data: {\"t\":\"ä€😀\"}\n\n", [event("{\"t\":\"ä€😀\"}")]),
        ("retry: 10\nfoo: bar\nDATA: x\ndata: y\n\n", [event("y")]), ("", []), ("\n\n\n", []),
        ("data: a: b\n\n", [event("a: b")]),
    ]

    static func event(_ data: String, _ name: String = "message") -> ServerSentEvent {
        ServerSentEvent(name: name, data: data)
    }

    @Test(
        "every fixture gives the same events, whole, byte by byte, and cut at every byte",
        arguments: fixtures.indices
    )
    func cuts(_ index: Int) throws {
        let (text, expected) = Self.fixtures[index]
        let bytes = Array(text.utf8)
        for cut in 0...bytes.count {
            var parser = ServerSentEvents()
            let events = try parser.take(bytes[..<cut]) + parser.take(bytes[cut...])
            try parser.finish()
            #expect(events == expected, "cut at \(cut)")
        }
        var parser = ServerSentEvents()
        #expect(try bytes.flatMap { byte in try parser.take([byte]) } == expected)
    }

    @Test("a stream that ends within an event, holds no text, or has no end is a typed error")
    func faults() throws {
        for text in ["data: a", "data: a\n", "data: a\ndata: b\n", "dat", "data: a\r", "event: a\n"] {
            var parser = ServerSentEvents()
            _ = try parser.take(Array(text.utf8))
            #expect(throws: ServerSentEventsFault.incomplete) { try parser.finish() }
        }
        var parser = ServerSentEvents()
        #expect(throws: ServerSentEventsFault.notUTF8) { try parser.take([0x64, 0xFF, 0x0A]) }
        var endless = ServerSentEvents()
        #expect(throws: ServerSentEventsFault.tooLong) { try endless.take(repeatElement(0x61, count: 2 << 20)) }
        var lines = ServerSentEvents()
        #expect(throws: ServerSentEventsFault.tooLong) {
            for _ in 0..<3_000 { _ = try lines.take(Array("data: \(String(repeating: "x", count: 1_000))\n".utf8)) }
        }
    }

    @Test("random bytes are events or a typed error, never a crash")
    func garbage() {
        var random = SystemRandomNumberGenerator()
        let alphabet = Array("data: event\n\r:{}\"".utf8) + [0xFF, 0x00]
        for _ in 0..<5_000 {
            var parser = ServerSentEvents()
            let bytes = (0..<(random.next() % 80)).map { _ in alphabet[Int(random.next() % UInt64(alphabet.count))] }
            do throws(ServerSentEventsFault) {
                for event in try parser.take(bytes) where event.name.isEmpty { Issue.record("an event without a name") }
                try parser.finish()
            } catch {
                #expect([.incomplete, .notUTF8].contains(error))
            }
        }
    }
}
