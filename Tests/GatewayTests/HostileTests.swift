import Foundation
import Gateway
import MigrationCore
import NIOCore
import NIOPosix
import Postgres
import Randomness
import TestSupport
import Testing

@Suite("The gateway against hostile clients")
struct HostileTests {
    private let state = FileManager.default.temporaryDirectory.appendingPathComponent(
        "gateway-\(UUID().uuidString).json"
    )

    /// What is sent, and the statuses of the answers that come before the connection ends. The published ways to smuggle a request stand first.
    static let cases: [(name: String, text: String, statuses: [Int])] = [
        (
            "a length beside chunks",
            "content-length: 5\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\nGET /a HTTP/1.1\r\n", [400]
        ),
        ("two lengths", "content-length: 5\r\ncontent-length: 6\r\n\r\nhello!", [400]),
        ("two equal lengths", "content-length: 5\r\ncontent-length: 5\r\n\r\nhello", [400]),
        ("a list of lengths", "content-length: 5, 5\r\n\r\nhello", [400]),
        ("a length with a sign", "content-length: +5\r\n\r\nhello", [400]),
        ("a negative length", "content-length: -1\r\n\r\n", [400]),
        ("a hexadecimal length", "content-length: 0x5\r\n\r\nhello", [400]),
        ("an empty length", "content-length:\r\n\r\n", [400]),
        ("a length beyond all numbers", "content-length: 99999999999999999999\r\n\r\n", [400]),
        ("an unknown encoding", "transfer-encoding: xchunked\r\n\r\n0\r\n\r\n", [501]),
        ("a list of encodings", "transfer-encoding: chunked, identity\r\n\r\n0\r\n\r\n", [501]),
        ("gzip before chunked", "transfer-encoding: gzip, chunked\r\n\r\n0\r\n\r\n", [501]),
        ("two encodings", "transfer-encoding: chunked\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n", [400]),
        ("an encoding with a control character", "transfer-encoding: \u{0B}chunked\r\n\r\n0\r\n\r\n", [400]),
        ("a blank before a colon", "transfer-encoding : chunked\r\n\r\n0\r\n\r\n", [400]),
        ("a folded encoding", "transfer-encoding:\r\n chunked\r\n\r\n0\r\n\r\n", [400]),
        ("a folded field", "x: a\r\n b\r\n\r\n", [400]),
        ("line feeds alone", "x: a\ny: b\r\n\r\n", [400]),
        ("an empty line of a line feed alone", "x: a\r\n\n", [400]),
        ("a carriage return in a value", "x: a\rtransfer-encoding: chunked\r\n\r\n", [400]),
        ("a zero byte in a value", "x: a\u{0}b\r\n\r\n", [400]),
        ("a zero byte in a name", "x\u{0}: a\r\n\r\n", [400]),
        ("a line without a colon", "hello\r\n\r\n", [400]),
        ("a name that is none", ": a\r\n\r\n", [400]),
        ("two hosts", "host: h\r\n\r\n", [400]),
        ("an expectation that nobody meets", "expect: 200-ok\r\ncontent-length: 1\r\n\r\nx", [417]),
        ("a chunk size with a prefix", "transfer-encoding: chunked\r\n\r\n0x5\r\nhello\r\n0\r\n\r\n", [400]),
        ("a negative chunk size", "transfer-encoding: chunked\r\n\r\n-5\r\nhello\r\n0\r\n\r\n", [400]),
        (
            "a chunk size that wraps around",
            "transfer-encoding: chunked\r\n\r\n100000000000000005\r\nhello\r\n0\r\n\r\n", [400]
        ),
        ("a chunk size ended by a line feed", "transfer-encoding: chunked\r\n\r\n5\nhello\r\n0\r\n\r\n", [400]),
        ("a chunk longer than it says", "transfer-encoding: chunked\r\n\r\n3\r\nhello\r\n0\r\n\r\n", [400]),
        ("a chunk without a size", "transfer-encoding: chunked\r\n\r\n;x\r\n0\r\n\r\n", [400]),
        (
            "endless chunk extensions", "transfer-encoding: chunked\r\n\r\n5;\(String(repeating: "x", count: 2_000))",
            [400]
        ),
        ("a trailer that is no field", "transfer-encoding: chunked\r\n\r\n0\r\nhello\r\n\r\n", [400]),
        ("too many fields", String(repeating: "x: y\r\n", count: 300) + "\r\n", [431]),
        ("a head without end", "x: \(String(repeating: "y", count: 40_000))", [431]),
        ("a body over the limit", "content-length: 20000\r\n\r\n", [413]),
        (
            "chunks over the limit",
            "transfer-encoding: chunked\r\n\r\n4e20\r\n\(String(repeating: "x", count: 20_000))\r\n0\r\n\r\n", [413]
        ),
    ]

    @Test(
        "refuses what two programs could read in two ways, and nothing of it reaches a service as a second request",
        arguments: 0..<cases.count
    )
    func refuses(_ index: Int) async throws {
        let (name, text, statuses) = Self.cases[index]
        try await serve { url, upstream in
            let answer = try await RawClient.talk(url, "POST /a HTTP/1.1\r\nhost: g\r\n" + text)
            #expect(Self.statuses(answer) == statuses, "\(name): \(answer)")
            #expect(upstream.requests == 0, "\(name)")
        }
    }

    static let lines: [(line: String, status: Int)] = [
        ("GET /a HTTP/2.0", 505), ("GET /a HTTP/9.9", 505), ("GET /a http/1.1", 400), ("GET /a HTTP/1.1 ", 400),
        ("GET  /a HTTP/1.1", 400), ("GET /a\tHTTP/1.1", 400), ("GET /a", 400), (" GET /a HTTP/1.1", 400),
        ("G\u{0}T /a HTTP/1.1", 400), ("GET /a\u{0} HTTP/1.1", 400), ("GET /\u{7F} HTTP/1.1", 400),
        ("GET /a#b HTTP/1.1", 400), ("GET /é HTTP/1.1", 400), ("GET /a HTTP/1.12", 400), ("hello", 400),
        ("get /a HTTP/1.1", 501), ("GET http://other/a HTTP/1.1", 400), ("GET http://g?x/a HTTP/1.1", 400),
        ("GET http://g/a HTTP/1.1", 200), ("CONNECT g:80 HTTP/1.1", 501), ("CONNECT /a HTTP/1.1", 501),
        ("GET * HTTP/1.1", 404),
        ("GET /A HTTP/1.1", 404),
        ("GET /a/../a HTTP/1.1", 404),
    ]

    @Test("refuses a request line that is none", arguments: 0..<lines.count)
    func requestLines(_ index: Int) async throws {
        let (line, status) = Self.lines[index]
        try await serve { url, upstream in
            let answer = try await RawClient.talk(url, "\(line)\r\nhost: g\r\nconnection: close\r\n\r\n")
            #expect(Self.statuses(answer) == [status], "\(line)")
            #expect(upstream.requests == (status == 200 ? 1 : 0))
        }
    }

    @Test("a request of HTTP/1.1 names a host; one of HTTP/1.0 need not, and has no chunks")
    func versions() async throws {
        try await serve { url, _ in
            let chunks = "POST /a HTTP/1.0\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n"
            let kept = "GET /a HTTP/1.0\r\nconnection: keep-alive\r\n\r\n"
            for (text, status) in [
                ("GET /a HTTP/1.1\r\n\r\n", 400), ("GET /a HTTP/1.0\r\n\r\n", 200), (kept, 200), (chunks, 400),
            ] {
                let answer = try await RawClient.talk(url, text)
                #expect(Self.statuses(answer) == [status], "\(text)")
            }
        }
    }

    @Test("a client that is slow with its head or its body is told so, and is no failure of the service")
    func slow() async throws {
        let gateway = TestGateway()
        let change: @Sendable (inout GatewaySettings) -> Void = { settings in
            settings.headTimeout = .seconds(2)
            settings.bodyTimeout = .seconds(2)
            settings.idleTimeout = .seconds(2)
        }
        try await serve(gateway, change: change) { url, _ in
            try await gateway.untilMeasuring()
            let half = "POST /a HTTP/1.1\r\nhost: g\r\ncontent-length: 10\r\n\r\nhalf"
            for (text, statuses) in [("GET /a HTTP/1.1\r\nho", [408]), (half, [408]), ("", [])] {
                let answer = try await RawClient.talk(url, text)
                #expect(Self.statuses(answer) == statuses, "\(text)")
            }
            let before = gateway.signals.count
            try await eventually("two more windows") { gateway.signals.count > before + 1 }
            #expect(gateway.signals.allSatisfy { $0.services[0].legacy.requests == 0 })
        }
    }

    @Test("a client that nobody serves is not heard for longer because it goes on with it")
    func refusedAndSteady() async throws {
        let change: @Sendable (inout GatewaySettings) -> Void = { $0.bodyTimeout = .seconds(1) }
        try await serve(TestGateway(), change: change) { url, _ in
            let port = try #require(URL(string: url)?.port)
            let (answer, sent) = try await offThread {
                let socket = try RawSocket(port)
                socket.send("POST /nowhere HTTP/1.1\r\nhost: g\r\ncontent-length: 100000\r\n\r\n")
                let answer = try socket.answer()
                // A byte in a while, as long as anybody takes it.
                var sent = 0
                while sent < 150, socket.send("x") == 1 {
                    sent += 1
                    Thread.sleep(forTimeInterval: 0.1)
                }
                return (answer, sent)
            }
            #expect(answer.hasPrefix("HTTP/1.1 404"), "\(answer)")
            #expect(sent < 150)
        }
    }

    @Test(
        "a client that takes its time with its body, and is never silent, is waited for longer than a service may take"
    )
    func steady() async throws {
        let change: @Sendable (inout GatewaySettings) -> Void = { $0.bodyTimeout = .seconds(20) }
        try await serve(TestGateway(), change: change) { url, _ in
            let port = try #require(URL(string: url)?.port)
            let answer = try await offThread {
                let socket = try RawSocket(port)
                socket.send("POST /a HTTP/1.1\r\nhost: g\r\ncontent-length: 16\r\n\r\n")
                // The client's pace: more than twice the time that the service has for its answer.
                for _ in 0..<16 {
                    Thread.sleep(forTimeInterval: 0.1)
                    socket.send("x")
                }
                return try socket.answer()
            }
            #expect(answer.hasPrefix("HTTP/1.1 200"), "\(answer)")
        }
    }

    @Test("bears thousands of idle clients, and turns more than the limit away")
    func idle() async throws {
        // Each has two ends in this process.
        let files = OpenFiles.raiseLimit()
        try #require(
            files >= 11_000,
            "this user may have \(files) files open at once, and 5,000 clients need 11,000: raise ulimit -Hn"
        )
        let gateway = TestGateway()
        try await serve(gateway, change: { $0.mostClients = 5_000 }) { url, _ in
            let port = try #require(url.split(separator: ":").last.flatMap { Int($0) })
            let bootstrap = ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            var clients: [any Channel] = []
            for _ in 0..<4_999 { clients.append(try await bootstrap.connect(host: "127.0.0.1", port: port).get()) }
            try await eventually("all to be accepted") {
                Self.statuses(
                    (try? await RawClient.talk(url, "GET /a HTTP/1.1\r\nhost: g\r\nconnection: close\r\n\r\n")) ?? ""
                ) == [200]
            }
            // Who comes at the same moment may overtake: with ten more the house is full whoever got in.
            for _ in 0..<10 { clients.append(try await bootstrap.connect(host: "127.0.0.1", port: port).get()) }
            try await eventually("one to be turned away") { (try? await RawClient.talk(url, "")) == "" }
            for client in clients { try? await client.close() }
            try await eventually("room again") {
                Self.statuses(
                    (try? await RawClient.talk(url, "GET /a HTTP/1.1\r\nhost: g\r\nconnection: close\r\n\r\n")) ?? ""
                ) == [200]
            }
        }
    }

    /// 20,000 of them; `MIGRATE_TEST_FUZZ=1000000` is the long form.
    @Test(
        "of mutated requests, another program's parser behind the gateway finds no more than the gateway says it sent, and no garbage"
    )
    func fuzz() async throws {
        let count = ProcessInfo.processInfo.environment["MIGRATE_TEST_FUZZ"].flatMap { Int($0) } ?? 20_000
        let upstream = try await EchoUpstream()
        let gateway = TestGateway()
        try await gateway.serve(
            TestGateway.plan(legacy: upstream.port, candidate: upstream.port, timeout: .seconds(20)),
            state: state,
            first: TestGateway.table(1, .zero),
            change: {
                $0.bodyTimeout = .milliseconds(500); $0.headTimeout = .milliseconds(500); $0.breakerFailures = 0
            }
        ) { url in
            let port = try #require(url.split(separator: ":").last.flatMap { Int($0) })
            await withTaskGroup(of: Void.self) { group in
                for client in 0..<8 {
                    group.addTask { await Mutant.send(count / 8, seed: UInt64(client + 1), to: port) }
                }
            }
            try await eventually("the gateway to be at rest") { gateway.traffic?.underWay == 0 }
            let answer = try await RawClient.talk(url, "GET /a HTTP/1.1\r\nhost: g\r\nconnection: close\r\n\r\n")
            #expect(Self.statuses(answer) == [200])
            let sent = try #require(gateway.traffic?.legacyRequests)
            #expect(sent > Int64(count / 20), "too few mutants were requests: \(sent)")
            #expect(upstream.garbage == 0)
            // A client that left early may have cut off a head that was counted when it was sent.
            #expect(Int64(upstream.heads) <= sent)
            #expect(upstream.heads > count / 20)
        }
        await upstream.close()
    }

    private func serve(
        _ gateway: TestGateway = TestGateway(),
        change: @escaping @Sendable (inout GatewaySettings) -> Void = { _ in },
        _ body: (String, TestUpstream) async throws -> Void
    ) async throws {
        let upstream = try await TestUpstream(.answers("old"))
        try await gateway.serve(
            TestGateway.plan(legacy: upstream.port, candidate: upstream.port),
            state: state,
            first: TestGateway.table(1, .zero),
            change: change
        ) { url in try await body(url, upstream) }
        await upstream.close()
    }

    static func statuses(_ text: String) -> [Int] {
        text.components(separatedBy: "HTTP/1.1 ").dropFirst().compactMap { Int($0.prefix(3)) }
    }
}

/// Requests with mistakes in them, the same for the same seed.
private enum Mutant {
    private static let seeds = [
        "GET /a HTTP/1.1\r\nhost: g\r\nx-user-id: u1\r\n\r\n",
        "POST /a HTTP/1.1\r\nhost: g\r\ncontent-length: 5\r\n\r\nhello",
        "POST /a HTTP/1.1\r\nhost: g\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
        "POST /a?x=1 HTTP/1.1\r\nhost: g\r\nTransfer-Encoding: chunked\r\n\r\n3;x=y\r\nabc\r\n0\r\nx-trailer: t\r\n\r\n",
        "HEAD /a HTTP/1.1\r\nhost: g\r\nconnection: keep-alive, x-hop\r\nx-hop: 1\r\n\r\n",
        "PUT http://g/a HTTP/1.1\r\nhost: g\r\nexpect: 100-continue\r\ncontent-length: 2\r\n\r\nok",
    ]
    private static let pieces = [
        "\r\n", "\n", "\r", "\0", " ", "\t", ":", ";", ",", "0", "5", "chunked", "content-length: 3\r\n",
        "transfer-encoding: chunked\r\n", "GET /a HTTP/1.1\r\nhost: g\r\n\r\n", "HTTP/1.0", "\u{FF}", "0\r\n\r\n",
    ]

    static func send(_ count: Int, seed: UInt64, to port: Int) async {
        var random = SplitMix(seed: seed)
        var sent = 0
        while sent < count {
            // A few to a connection, so that what one leaves over meets the next.
            let batch = Int.random(in: 1...4, using: &random)
            var bytes: [UInt8] = []
            for _ in 0..<batch { bytes += mutant(&random) }
            await talk(bytes, port)
            sent += batch
        }
    }

    private static func mutant(_ random: inout SplitMix) -> [UInt8] {
        var bytes = Array(seeds[Int.random(in: 0..<seeds.count, using: &random)].utf8)
        for _ in 0..<Int.random(in: 0...2, using: &random) {
            let at = Int.random(in: 0..<bytes.count, using: &random)
            switch Int.random(in: 0..<4, using: &random) {
            case 0: bytes[at] = UInt8.random(in: 0...255, using: &random)
            case 1: bytes.remove(at: at)
            case 2: bytes.insert(contentsOf: pieces[Int.random(in: 0..<pieces.count, using: &random)].utf8, at: at)
            default: bytes.insert(bytes[at], at: at)
            }
        }
        return bytes
    }

    /// Sends, and reads until the other side ends it or has said nothing for a moment.
    private static func talk(_ bytes: [UInt8], _ port: Int) async {
        try? await offThread {
            let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
            guard descriptor >= 0 else { return }
            defer { close(descriptor) }
            var address = sockaddr_in()
            address.sin_family = sa_family_t(AF_INET)
            address.sin_port = UInt16(port).bigEndian
            address.sin_addr.s_addr = inet_addr("127.0.0.1")
            let connected = withUnsafePointer(to: &address) { pointer in
                pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                    connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
                }
            }
            guard connected == 0 else { return }
            var patience = timeval(tv_sec: 0, tv_usec: 20_000)
            setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &patience, socklen_t(MemoryLayout<timeval>.size))
            guard
                bytes.withUnsafeBytes({ Foundation.send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL)) })
                    > 0
            else { return }
            var buffer = [UInt8](repeating: 0, count: 4_096)
            while buffer.withUnsafeMutableBytes({ recv(descriptor, $0.baseAddress, $0.count, 0) }) > 0 {}
        }
    }
}
