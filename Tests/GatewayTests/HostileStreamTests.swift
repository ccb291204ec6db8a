import AsyncHTTPClient
import Foundation
import Gateway
import MigrationCore
import NIOCore
import NIOSSL
import Randomness
import TestSupport
import Testing

@Suite("The gateway against hostile clients of HTTP/2", .serialized)
struct HostileStreamTests {
    private typealias Frame = RawStreams.Frame
    /// A gateway before an upstream that answers everything.
    private func serve(
        change: @escaping @Sendable (inout GatewaySettings) -> Void = { _ in },
        _ body: (String, TestUpstream) async throws -> Void
    ) async throws {
        let upstream = try await TestUpstream(.answers("legacy"))
        let certificate = try await offThread { try TestCertificate() }
        let state = FileManager.default.temporaryDirectory.appendingPathComponent("gateway-\(UUID().uuidString).json")
        defer {
            certificate.remove()
            try? FileManager.default.removeItem(at: state)
        }
        try await TestGateway().serve(
            TestGateway.plan(legacy: upstream.port, candidate: upstream.port, timeout: .seconds(5)),
            state: state,
            first: TestGateway.table(1, .zero),
            change: { settings in
                change(&settings)
                settings.certificate = CertificateFiles(chain: certificate.chain, key: certificate.key)
                settings.headTimeout = .seconds(1)
            }
        ) { url in try await body(url, upstream) }
        await upstream.close()
    }

    /// Asks as everybody does; the gateway is as well as before.
    private func checkWell(_ url: String) async throws {
        let good = Frame.headers(RawStreams.request(), on: 1).bytes
        let (frames, _) = try await RawStreams.talk(url, RawStreams.preface + Frame.settings.bytes + good) { frames in
            frames.contains { $0.stream == 1 && $0.type == 0 && $0.flags & 1 == 1 }
        }
        // 200 is the eighth of HPACK's own table.
        #expect(frames.contains { $0.stream == 1 && $0.type == 1 && $0.payload.first == 0x88 })
    }

    /// Requests that HTTP/1.1 would read otherwise, that say two things, or that are none (RFC 9113 §8.1.1, §8.2, §8.3).
    private static let requests: [(name: String, frames: [Frame])] = {
        func head(_ fields: [(String, String)], ends: Bool = true) -> Frame { Frame.headers(fields, on: 1, ends: ends) }
        let post = RawStreams.request("POST")
        func posts(_ length: String, _ body: String) -> [Frame] {
            [head(post + [("content-length", length)], ends: false), .data(body, on: 1)]
        }
        func instead(_ name: String, _ value: String?) -> [(String, String)] {
            RawStreams.request().compactMap { $0.0 == name ? value.map { (name, $0) } : $0 }
        }
        return [
            (
                "chunks of HTTP/1.1",
                [head(post + [("transfer-encoding", "chunked")], ends: false), .data("0\r\n\r\n", on: 1)]
            ),
            ("a line break in a value", [head(RawStreams.request("GET", [("x", "a\r\ntransfer-encoding: chunked")]))]),
            ("a line feed in a value", [head(RawStreams.request("GET", [("x", "a\nb: c")]))]),
            ("a zero byte in a value", [head(RawStreams.request("GET", [("x", "a\u{0}b")]))]),
            ("a line break in a name", [head(RawStreams.request("GET", [("x: a\r\ny", "b")]))]),
            ("a colon in a name", [head(RawStreams.request("GET", [("x:y", "b")]))]),
            ("an empty name", [head(RawStreams.request("GET", [("", "b")]))]),
            ("a capital in a name", [head(RawStreams.request("GET", [("X", "b")]))]),
            ("a field of a connection", [head(RawStreams.request("GET", [("connection", "close")]))]),
            ("an upgrade", [head(RawStreams.request("GET", [("upgrade", "h2c")]))]),
            ("a line break in the path", [head(instead(":path", "/a HTTP/1.1\r\nhost: x\r\n\r\nGET /a"))]),
            ("a blank in the path", [head(instead(":path", "/a b"))]),
            ("a line break in the method", [head(instead(":method", "GET /a HTTP/1.1\r\nx: y"))]),
            ("a line break in the authority", [head(instead(":authority", "g\r\nx: y"))]),
            ("no path", [head(instead(":path", nil))]),
            ("an empty path", [head(instead(":path", ""))]),
            ("a path that is none", [head(instead(":path", "a"))]),
            ("no method", [head(instead(":method", nil))]),
            ("two methods", [head([(":method", "GET")] + RawStreams.request())]),
            ("two paths", [head(RawStreams.request() + [(":path", "/b")])]),
            ("a pseudo field after a field", [head([("x", "y")] + RawStreams.request())]),
            ("an unknown pseudo field", [head(RawStreams.request() + [(":x", "y")])]),
            ("a status", [head(RawStreams.request() + [(":status", "200")])]),
            ("a body that is longer than it says", posts("3", "hello")),
            ("a body that is shorter than it says", posts("9", "hello")),
            ("a length that is none", posts("+5", "hello")),
            ("a list of lengths", posts("5, 5", "hello")),
            (
                "two lengths",
                [head(post + [("content-length", "5"), ("content-length", "6")], ends: false), .data("hello", on: 1)]
            ),
            ("a length without a body", [head(post + [("content-length", "5")])]),
            (
                "trailers with a pseudo field",
                [head(post, ends: false), .data("hello", on: 1, ends: false), .headers([(":path", "/b")], on: 1)]
            ),
            (
                "trailers with a line break",
                [
                    head(post, ends: false), .data("hello", on: 1, ends: false),
                    .headers([("x", "a\r\n\r\nGET /a")], on: 1),
                ]
            ),
        ]
    }()

    @Test(
        "refuses a request that HTTP/1.1 would read otherwise, and a service sees no whole one",
        arguments: 0..<requests.count
    )
    func refuses(_ index: Int) async throws {
        let (name, frames) = Self.requests[index]
        try await serve { url, upstream in
            let bytes = RawStreams.preface + Frame.settings.bytes + frames.flatMap(\.bytes)
            let (heard, isClosed) = try await RawStreams.talk(url, bytes) { frames in
                // The stream's end, whatever it says, or that of all.
                frames.contains { $0.type == 7 || $0.stream == 1 && ($0.type == 3 || $0.flags & 1 == 1) }
            }
            let isRefused = isClosed || heard.contains { $0.type == 3 || $0.type == 7 }
            // 400 is the twelfth of HPACK's own table.
            let isBad = heard.contains { $0.type == 1 && $0.payload.first == 0x8C }
            #expect(isRefused || isBad, "\(name): \(heard)")
            try await upstream.catchUp()
            #expect(upstream.requests == 0, "\(name)")
            try await checkWell(url)
        }
    }

    /// What would keep a server busy, or fill its memory (CVE-2023-44487, CVE-2024-27316, CVE-2019-9512 to 9518), and what breaks the protocol.
    private static let floods: [(name: String, frames: @Sendable () -> [UInt8])] = [
        (
            "streams that are reset at once",
            {
                (0..<20_000).flatMap { turn in
                    let stream = UInt32(turn * 2 + 1)
                    return Frame.headers(RawStreams.request(), on: stream).bytes + Frame.reset(stream).bytes
                }
            }
        ),
        (
            "a head without end",
            {
                Frame.headers(RawStreams.request(), on: 1, isWhole: false).bytes
                    + (0..<50_000).flatMap { Frame.continuation([("x\($0)", "y")], on: 1, isWhole: false).bytes }
            }
        ),
        (
            "a head without end, of empty frames",
            {
                Frame.headers(RawStreams.request(), on: 1, isWhole: false).bytes
                    + (0..<100_000).flatMap { _ in Frame(9, on: 1).bytes }
            }
        ),
        (
            "a head that is too large",
            {
                Frame.headers(RawStreams.request(), on: 1, isWhole: false).bytes
                    + (0..<64).flatMap { turn in
                        Frame.continuation([("x", String(repeating: "y", count: 8_000))], on: 1, isWhole: turn == 63)
                            .bytes
                    }
            }
        ),
        (
            "a table entry that is named again and again",
            {
                // A literal that is indexed, and then its place in the table, over and over.
                let entry: [UInt8] = [0x40, 1, 0x78, 0x7F, 0x81, 0x1E] + [UInt8](repeating: 0x79, count: 4_000)
                let block = entry + [UInt8](repeating: 0xBE, count: 12_000)
                return Frame.headers(RawStreams.request(), on: 1, isWhole: false).bytes
                    + Frame(9, flags: 4, on: 1, block).bytes
            }
        ),
        ("a frame that is larger than allowed", { Frame(0, on: 1, [UInt8](repeating: 0, count: 100_000)).bytes }),
        ("a body without a head", { Frame.data("x", on: 1).bytes }),
        ("a stream of the server's", { Frame.headers(RawStreams.request(), on: 2).bytes }),
        (
            "a stream below the last",
            {
                Frame.headers(RawStreams.request(), on: 5).bytes + Frame.headers(RawStreams.request(), on: 3).bytes
            }
        ),
        ("a table that is larger than allowed", { Frame(1, flags: 5, on: 1, [0x3F, 0xFF, 0xFF, 0x7F]).bytes }),
        ("a place that no table has", { Frame(1, flags: 5, on: 1, [0xFF, 0xFF, 0x7F]).bytes }),
        ("a window of nothing more", { Frame(8, on: 0, Frame.word(0)).bytes }),
        ("a window beyond all numbers", { Frame(8, on: 0, Frame.word(0x7FFF_FFFF)).bytes }),
        ("settings of half a setting", { Frame(4, [0, 1, 0]).bytes }),
        ("a ping of three bytes", { Frame(6, [1, 2, 3]).bytes }),
        ("no preface", { [] }),
    ]

    @Test("ends a connection that floods it or breaks the protocol, and serves the others", arguments: 0..<floods.count)
    func ends(_ index: Int) async throws {
        let (name, frames) = Self.floods[index]
        try await serve { url, upstream in
            let beginning =
                name == "no preface"
                ? Array("GET /a HTTP/1.1\r\nhost: g\r\n\r\n".utf8) : RawStreams.preface + Frame.settings.bytes
            let (heard, isClosed) = try await RawStreams.talk(url, beginning + frames()) { frames in
                frames.contains { $0.type == 7 && $0.payload.dropFirst(4) != [0, 0, 0, 0] }
            }
            #expect(isClosed || heard.contains { $0.type == 7 }, "\(name): \(heard.suffix(5))")
            try await upstream.catchUp()
            // Of those that are reset some may have been sent before the limit is reached.
            #expect(upstream.requests <= 1_000, "\(name)")
            try await checkWell(url)
        }
    }

    @Test("a client that opens no window for its answer is not waited for longer than one that says nothing")
    func noWindow() async throws {
        try await serve(change: { $0.idleTimeout = .seconds(1) }) { url, upstream in
            // SETTINGS_INITIAL_WINDOW_SIZE 0.
            let closed = Frame(4, [0, 4, 0, 0, 0, 0])
            let bytes = RawStreams.preface + closed.bytes + Frame.headers(RawStreams.request(), on: 1).bytes
            let (heard, _) = try await RawStreams.talk(url, bytes) { frames in
                frames.contains { $0.type == 3 && $0.stream == 1 }
            }
            #expect(upstream.requests == 1)
            #expect(heard.contains { $0.type == 3 && $0.stream == 1 }, "\(heard)")
            #expect(!heard.contains { $0.type == 0 && !$0.payload.isEmpty })
        }
    }

    @Test("frames at random, of every kind, end in nothing worse than the end of their connection")
    func random() async throws {
        try await serve { url, _ in
            var random = SplitMix(seed: 20_261_129)
            for _ in 0..<150 {
                var bytes = RawStreams.preface + Frame.settings.bytes
                for _ in 0..<40 {
                    let stream = UInt32.random(in: 0...9, using: &random)
                    let frame: Frame
                    switch Int.random(in: 0..<4, using: &random) {
                    case 0: frame = Frame.headers(RawStreams.request(), on: stream, ends: Bool.random(using: &random))
                    case 1: frame = Frame.data("hello", on: stream, ends: Bool.random(using: &random))
                    default:
                        let count = Int.random(in: 0...40, using: &random)
                        frame = Frame(
                            UInt8.random(in: 0...11, using: &random),
                            flags: UInt8.random(in: 0...255, using: &random),
                            on: stream,
                            (0..<count).map { _ in UInt8.random(in: 0...255, using: &random) }
                        )
                    }
                    bytes += frame.bytes
                }
                // A last frame that no connection survives, so that each comes to its end.
                bytes += Frame(6, [1]).bytes
                _ = try await RawStreams.talk(url, bytes) { frames in frames.contains { $0.type == 7 } }
            }
            try await checkWell(url)
        }
    }
}
