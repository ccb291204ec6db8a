import AsyncHTTPClient
import Foundation
import Gateway
import MigrationCore
import NIOCore
import NIOHTTP1
import Routing
import Signals
import Synchronization
import TestSupport
import Testing

@Suite("The gateway when a service fails")
struct ResilienceTests {
    private let state = FileManager.default.temporaryDirectory.appendingPathComponent(
        "gateway-\(UUID().uuidString).json"
    )

    private func status(_ url: String, method: HTTPMethod = .GET, body: String? = nil) async throws -> (Int, String) {
        var request = HTTPClientRequest(url: url)
        request.method = method
        if let body { request.body = .bytes(ByteBuffer(string: body)) }
        let response = try await HTTPClient.shared.execute(request, timeout: .seconds(5))
        let text = String(buffer: try await response.body.collect(upTo: 100_000))
        return (Int(response.status.code), text)
    }

    @Test("leaves an address alone that has failed so many times in a row, and tries it again after a pause")
    func breaker() async throws {
        let port = try freePort()
        // Long enough that nothing is tried again, then short enough to be waited for.
        for pause in [TimeSpan.minutes(10), .milliseconds(100)] {
            let admin = try freePort()
            try await TestGateway().serve(
                TestGateway.plan(legacy: port, candidate: port),
                state: state,
                first: TestGateway.table(1, .zero),
                change: { settings in
                    settings.breakerFailures = 3
                    settings.breakerPause = pause
                    settings.threads = 1
                    settings.adminPort = admin
                }
            ) { url in
                for _ in 0..<3 { #expect(try await status(url + "/a").0 == 502) }
                let metrics = try await status("http://127.0.0.1:\(admin)/metrics").1
                let failures = metrics.split(separator: "\n").first {
                    $0.hasPrefix("migrate_gateway_connect_failures_total{address=\"http://127.0.0.1:\(port)\"")
                }
                #expect(failures?.hasSuffix(" 3") == true, "\(failures ?? "")")
                if pause > .seconds(1) {
                    let (code, text) = try await status(url + "/a")
                    #expect(code == 503 && text.contains("left alone"))
                    let kept =
                        "GET /a HTTP/1.1\r\nhost: g\r\n\r\nGET /a HTTP/1.1\r\nhost: g\r\nconnection: close\r\n\r\n"
                    #expect(HostileTests.statuses(try await RawClient.talk(url, kept)) == [503, 503])
                } else {
                    let upstream = try await TestUpstream(.answers("back"), port: port)
                    try await eventually("the way back") { try await status(url + "/a").0 == 200 }
                    for _ in 0..<5 { #expect(try await status(url + "/a").0 == 200) }
                    await upstream.close()
                }
            }
        }
    }

    @Test("a request that still waits for its connection to the candidate when 0 is acknowledged goes to legacy")
    func pending() async throws {
        let legacy = try await TestUpstream(.answers("legacy")), crowd = try CrowdedPort()
        let gateway = TestGateway()
        try await gateway.serve(
            TestGateway.plan(legacy: legacy.port, candidate: crowd.port, timeout: .seconds(5)),
            state: state,
            first: TestGateway.table(1, .all),
            change: { $0.connectTimeout = .seconds(5) }
        ) { url in
            async let answer = status(url + "/a")
            // The one that asks whether the candidate is up waits too.
            try await eventually("the request to wait for its connection") { crowd.waiting > 1 }
            gateway.route(TestGateway.table(2, .zero))
            try await eventually("revision 2") { gateway.acknowledged.contains(2) }
            let candidate = try await crowd.open(.answers("candidate"))
            let (code, text) = try await answer
            #expect(code == 200 && text.hasPrefix("legacy"), "\(text)")
            #expect(candidate.requests == 0)
            await candidate.close()
        }
        await legacy.close()
    }

    @Test(
        "a connection that nobody takes is waited for so long and no longer, and is an error, no time-out of the service's"
    )
    func connectLimit() async throws {
        let legacy = try await TestUpstream(.answers("legacy")), crowd = try CrowdedPort()
        let gateway = TestGateway()
        try await gateway.serve(
            TestGateway.plan(legacy: legacy.port, candidate: crowd.port, timeout: .seconds(20)),
            state: state,
            first: TestGateway.table(1, .all),
            change: { $0.connectTimeout = .milliseconds(300) }
        ) { url in
            try await gateway.untilMeasuring()
            let before = ContinuousClock.now
            let (code, text) = try await status(url + "/a")
            let waited = ContinuousClock.now - before
            #expect(code == 502 && text.contains("refused the connection"), "\(code) \(text)")
            // Far below the service's own limit.
            #expect(waited >= .milliseconds(300) && waited < .seconds(10), "\(waited)")
            func counts() -> Counts { gateway.signals.map(\.services[0].candidate).reduce(Counts(), +) }
            try await eventually("it to be counted") { counts().requests == 1 }
            #expect(counts().errors == 1 && counts().timeouts == 0)
        }
        crowd.close()
        await legacy.close()
    }

    @Test("keeps an idle connection for so long and no longer, and uses it meanwhile")
    func idle() async throws {
        let upstream = try await TestUpstream(.answers("legacy"))
        let admin = try freePort()
        try await TestGateway().serve(
            TestGateway.plan(legacy: upstream.port, candidate: upstream.port),
            state: state,
            first: TestGateway.table(1, .zero),
            change: { settings in
                settings.threads = 1
                settings.adminPort = admin
                settings.upstreamIdleTimeout = .milliseconds(700)
            }
        ) { url in
            func connections() async throws -> String? {
                let metrics = try await status("http://127.0.0.1:\(admin)/metrics").1
                let line = metrics.split(separator: "\n").first {
                    $0.hasPrefix("migrate_gateway_upstream_connections{address=\"http://127.0.0.1:\(upstream.port)\"")
                }
                return line?.split(separator: " ").last.map(String.init)
            }
            let before = ContinuousClock.now
            for _ in 0..<5 { #expect(try await status(url + "/a").0 == 200) }
            let seen = try await connections()
            #expect(seen == "1" || ContinuousClock.now - before > .milliseconds(700))
            try await eventually("the connection to be closed") { try await connections() == "0" }
            #expect(ContinuousClock.now - before >= .milliseconds(700))
            #expect(try await status(url + "/a").0 == 200)
        }
        await upstream.close()
    }

    @Test("makes no more connections to an address than it may, says so, and uses those that stand again")
    func limited() async throws {
        let upstream = try await TestUpstream(.answersWhenReleased)
        try await TestGateway().serve(
            TestGateway.plan(legacy: upstream.port, candidate: upstream.port, timeout: .seconds(5)),
            state: state,
            first: TestGateway.table(1, .zero),
            change: { settings in
                settings.threads = 1
                settings.mostUpstreamConnections = 2
            }
        ) { url in
            async let first = status(url + "/a")
            async let second = status(url + "/a")
            try await eventually("two requests to be under way") { upstream.requests == 2 }
            let (code, text) = try await status(url + "/a")
            #expect(code == 503 && text.contains("no connection left"), "\(text)")
            upstream.release()
            #expect(try await first.0 == 200)
            #expect(try await second.0 == 200)
            for _ in 0..<5 { #expect(try await status(url + "/a").0 == 200) }
            #expect(upstream.requests == 7)
        }
        await upstream.close()
    }

    @Test("a client that sends faster than the service reads is kept waiting, and what it has sent is kept by nobody")
    func unread() async throws {
        // Each probe of its health, which nobody answers, keeps a place too.
        let unread = try CrowdedPort(places: 4_096)
        // What the kernel holds at most, of both connections on both sides, and a megabyte for a few pieces between them.
        let held = try 2 * (kernelLimit("tcp_rmem") + kernelLimit("tcp_wmem")) + 1_000_000, whole = 2 * held
        try await TestGateway().serve(
            TestGateway.plan(legacy: unread.port, candidate: unread.port, timeout: .minutes(2)),
            state: state,
            first: TestGateway.table(1, .zero),
            largestBody: 2 * whole,
            change: {
                $0.bodyTimeout = .minutes(2)
                $0.connectTimeout = .minutes(1)
            }
        ) { url in
            let port = try #require(URL(string: url)?.port)
            let (sent, answer) = try await offThread {
                let socket = try RawSocket(port)
                socket.send("POST /a HTTP/1.1\r\nhost: g\r\ncontent-length: \(whole)\r\n\r\n")
                return (socket.send(String(repeating: "x", count: whole)), socket.receive())
            }
            #expect(answer.isEmpty, "\(String(decoding: answer, as: UTF8.self))")
            #expect(sent > 100_000 && sent < held, "\(sent) of \(held)")
        }
        unread.close()
    }

    @Test(
        "a service that answers faster than its client reads is kept waiting, and the client gets all of it once it reads"
    )
    func unreadAnswer() async throws {
        let held = try 2 * (kernelLimit("tcp_rmem") + kernelLimit("tcp_wmem")) + 1_000_000, whole = 2 * held
        let service = try await TestUpstream(.floods(whole))
        try await TestGateway().serve(
            TestGateway.plan(legacy: service.port, candidate: service.port, timeout: .minutes(2)),
            state: state,
            first: TestGateway.table(1, .zero)
        ) { url in
            let socket = try RawSocket(try #require(URL(string: url)?.port))
            socket.send("GET /a HTTP/1.1\r\nhost: g\r\n\r\n")
            var last = -1
            try await eventually("the service to be kept waiting") {
                let before = service.flooded
                try await Task.sleep(for: .seconds(1))
                last = service.flooded
                return last > 100_000 && last == before
            }
            #expect(last < held, "\(last) of \(held)")
            let received = try await offThread {
                var head: [UInt8] = []
                while head.firstRange(of: Array("\r\n\r\n".utf8)) == nil, case let more = socket.receive(),
                    !more.isEmpty
                {
                    head += more
                }
                guard let end = head.firstRange(of: Array("\r\n\r\n".utf8))?.upperBound else { return 0 }
                var count = head.count - end
                while count < whole, case let more = socket.receive().count, more > 0 { count += more }
                return count
            }
            #expect(received == whole)
            try await eventually("the service to know it") { service.flooded == whole }
        }
        await service.close()
    }

    @Test(
        "a client that sends one request after the other and reads no answer is kept waiting, and is answered once it reads"
    )
    func sendsAhead() async throws {
        let service = try await TestUpstream(.answers("old"))
        let held = try 2 * (kernelLimit("tcp_rmem") + kernelLimit("tcp_wmem")) + 1_000_000
        try await TestGateway().serve(
            TestGateway.plan(legacy: service.port, candidate: service.port),
            state: state,
            first: TestGateway.table(1, .zero)
        ) { url in
            let port = try #require(URL(string: url)?.port)
            let request = "GET /nowhere HTTP/1.1\r\nhost: g\r\n\r\n", count = 2 * held / request.utf8.count
            let (sent, answers) = try await offThread {
                let socket = try RawSocket(port)
                let sent = socket.send(String(repeating: request, count: count))
                var answers = 0, rest: [UInt8] = []
                let line = Array("HTTP/1.1 404".utf8)
                while answers < sent / request.utf8.count, case let more = socket.receive(), !more.isEmpty {
                    rest += more
                    while let found = rest.firstRange(of: line) {
                        answers += 1
                        rest.removeSubrange(..<found.upperBound)
                    }
                    rest = Array(rest.suffix(line.count - 1))
                }
                return (sent, answers)
            }
            #expect(sent > 100_000 && sent < held, "\(sent) of \(held)")
            #expect(answers == sent / request.utf8.count)
        }
        await service.close()
    }

    @Test("what has passed through a buffer that is never quite empty does not stay in it")
    func refill() {
        var buffer = ByteBuffer(string: "x")
        let piece = String(repeating: "y", count: 1_000)
        for _ in 0..<10_000 {
            var more = ByteBuffer(string: piece)
            buffer.refill(&more)
            #expect(buffer.readSlice(length: buffer.readableBytes - 1) != nil)
        }
        #expect(buffer.readableBytes == 1)
        #expect(buffer.capacity < 1_000_000, "\(buffer.capacity)")
    }

    @Test("a request whose client goes away before there is an answer is in no window, and is counted by itself")
    func givenUp() async throws {
        let service = try await TestUpstream(.answersWhenReleased)
        let gateway = TestGateway()
        try await gateway.serve(
            TestGateway.plan(legacy: service.port, candidate: service.port, timeout: .seconds(20)),
            state: state,
            first: TestGateway.table(1, .zero)
        ) { url in
            let socket = try RawSocket(try #require(URL(string: url)?.port))
            socket.send("GET /a HTTP/1.1\r\nhost: g\r\n\r\n")
            try await eventually("the request to be under way") { service.requests == 1 }
            socket.end()
            try await eventually("it to be counted") {
                gateway.traffic?.meter.totals(service: 0, .legacy).givenUp == 1
            }
            #expect(gateway.traffic?.meter.totals(service: 0, .legacy).requests == 0)
        }
        await service.close()
    }

    @Test("a stop goes on answering clients that ask all the time, until each has been told to go elsewhere")
    func goodbye() async throws {
        let service = try await TestUpstream(.answers("old"))
        let gateway = TestGateway()
        let clients = Mutex<[Task<(answers: Int, last: String), any Error>]>([])
        try await gateway.serve(
            TestGateway.plan(legacy: service.port, candidate: service.port),
            state: state,
            first: TestGateway.table(1, .zero),
            drain: .seconds(20),
            whileDraining: { _ in
                for client in clients.withLock({ $0 }) {
                    let (answers, last) = try await client.value
                    #expect(answers > 0)
                    #expect(last.hasPrefix("HTTP/1.1 200") && last.contains("connection: close"), "\(last)")
                }
            }
        ) { url in
            let port = try #require(URL(string: url)?.port)
            for _ in 0..<8 {
                let client = Task { () -> (answers: Int, last: String) in
                    try await offThread {
                        let socket = try RawSocket(port)
                        var answers = 0
                        while true {
                            socket.send("GET /a HTTP/1.1\r\nhost: g\r\n\r\n")
                            let answer = try socket.answer()
                            answers += 1
                            if answer.contains("connection: close") { return (answers, answer) }
                            // The client's pace.
                            Thread.sleep(forTimeInterval: 0.02)
                        }
                    }
                }
                clients.withLock { $0.append(client) }
            }
            try await eventually("all to ask") { service.requests >= 8 }
        }
        await service.close()
    }

    @Test("a service that falls silent when its slow client has taken all that there was is the one that failed")
    func silent() async throws {
        let size = 8_000_000
        let most = "HTTP/1.1 200 OK\r\ncontent-length: \(size + 1)\r\n\r\n" + String(repeating: "x", count: size)
        let candidate = try await TestUpstream(
            .says { $0.contains(" /health ") ? "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n" : most }
        )
        let gateway = TestGateway()
        try await gateway.serve(
            TestGateway.plan(legacy: candidate.port, candidate: candidate.port, timeout: .seconds(3)),
            state: state,
            first: TestGateway.table(1, .all)
        ) { url in
            try await gateway.untilMeasuring()
            let port = try #require(URL(string: url)?.port)
            let read = try await offThread {
                let client = try RawSocket(port)
                client.send("GET /a HTTP/1.1\r\nhost: g\r\n\r\n")
                // So that the answer has to wait; what is expected holds also where it had not.
                usleep(100_000)
                var read = 0
                while case let more = client.receive(), !more.isEmpty { read += more.count }
                return read
            }
            #expect(read > size)
            try await eventually("the silence to be counted") {
                gateway.signals.map(\.services[0].candidate.timeouts).reduce(0, +) == 1
            }
        }
        await candidate.close()
    }

    @Test("a service whose health stalls in the middle of its answer is not there, and others go on being asked")
    func stalls() async throws {
        let legacy = try await TestUpstream(.answers("old"))
        let candidate = try await TestUpstream(.says { _ in "HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\n" })
        let gateway = TestGateway()
        try await gateway.serve(
            TestGateway.plan(legacy: legacy.port, candidate: candidate.port),
            state: state,
            first: TestGateway.table(1, .zero)
        ) { _ in
            try await eventually("several probes of both") {
                let services = gateway.signals.map(\.services[0])
                return services.map(\.candidate.probesDown).reduce(0, +) >= 2
                    && services.map(\.legacy.probesUp).reduce(0, +) >= 2
            }
            #expect(gateway.signals.allSatisfy { $0.services[0].candidate.probesUp == 0 })
        }
        await legacy.close()
        await candidate.close()
    }

    @Test(
        "lets legacy answer what the candidate failed where the plan says so, when the request is idempotent; the candidate's failure counts",
        arguments: [true, false]
    )
    func fallback(_ fallsBack: Bool) async throws {
        let legacy = try await TestUpstream(.answers("old"))
        for behaviour in [
            TestUpstream.Behaviour.closes, .garbage, .says { _ in "HTTP/1.1 500 No\r\ncontent-length: 0\r\n\r\n" },
        ] {
            let candidate = try await TestUpstream(behaviour)
            let gateway = TestGateway()
            // Nothing here is late: what is, is not sent to legacy.
            var plan = TestGateway.plan(legacy: legacy.port, candidate: candidate.port, timeout: .seconds(20))
            plan.services[0].fallsBack = fallsBack
            try await gateway.serve(
                plan,
                state: state,
                first: TestGateway.table(1, .all),
                change: { $0.breakerFailures = 0 }
            ) { url in
                try await gateway.untilMeasuring()
                let plain = try await status(url + "/a")
                #expect((plain.0 == 200) == fallsBack)
                #expect(plain.1.hasPrefix("old") == fallsBack)
                let put = try await status(url + "/a", method: .PUT, body: "hello")
                #expect((put.0 == 200) == fallsBack)
                #expect(try await status(url + "/a", method: .POST, body: "hello").0 >= 500)
                let big = String(repeating: "x", count: 9_000)
                #expect((try await status(url + "/a", method: .PUT, body: big).0 == 200) == fallsBack)
                try await eventually("the failures to be counted") {
                    gateway.signals.map(\.services[0].candidate.errors).reduce(0, +) == 4
                }
                #expect(gateway.signals.allSatisfy { $0.services[0].legacy.requests == 0 })
            }
            await candidate.close()
        }
        await legacy.close()
    }

    @Test(
        "a service that dies in the middle of its answer breaks the client's connection, and the next request is served"
    )
    func diesMidBody() async throws {
        let upstream = try await EchoUpstream()
        try await TestGateway().serve(
            TestGateway.plan(legacy: upstream.port, candidate: upstream.port),
            state: state,
            first: TestGateway.table(1, .zero)
        ) { url in
            for _ in 0..<20 {
                let answer = try await RawClient.talk(url, "GET /a?break HTTP/1.1\r\nhost: g\r\n\r\n")
                #expect(answer.hasSuffix("4\r\nhalf\r\n"))
                #expect(try await status(url + "/a").0 == 200)
            }
        }
        await upstream.close()
    }

    /// The third number of one of the kernel's settings for connections: how many bytes one of them may hold.
    private func kernelLimit(_ name: String) throws -> Int {
        let text = try String(contentsOfFile: "/proc/sys/net/ipv4/\(name)", encoding: .utf8)
        return try #require(text.split(whereSeparator: \.isWhitespace).last.flatMap { Int($0) })
    }
}
