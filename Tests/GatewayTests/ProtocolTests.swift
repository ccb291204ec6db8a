import AsyncHTTPClient
import Foundation
import Gateway
import MigrationCore
import NIOCore
import NIOHTTP1
import Routing
import TestSupport
import Testing

@Suite("What the gateway passes on")
struct ProtocolTests {
    private let folder = FileManager.default.temporaryDirectory.appendingPathComponent("gateway-\(UUID().uuidString)")

    private func serve(
        _ gateway: TestGateway = TestGateway(),
        change: @escaping @Sendable (inout GatewaySettings) -> Void = { _ in },
        _ body: (String, EchoUpstream) async throws -> Void
    ) async throws {
        let upstream = try await EchoUpstream()
        try await gateway.serve(
            TestGateway.plan(legacy: upstream.port, candidate: upstream.port, timeout: .seconds(20)),
            state: folder.appendingPathComponent("state.json"),
            first: TestGateway.table(1, .zero),
            largestBody: 50_000_000,
            change: change
        ) { url in try await body(url, upstream) }
        await upstream.close()
    }

    @Test("requests that are sent ahead are answered one after the other")
    func pipelining() async throws {
        try await serve { url, upstream in
            let texts = (0..<50).map { turn in
                "POST /a HTTP/1.1\r\nhost: g\r\ncontent-length: 4\r\n\(turn == 49 ? "connection: close\r\n" : "")\r\n\(turn + 1000)"
            }
            let answer = try await RawClient.talk(url, texts.joined())
            let bodies = answer.components(separatedBy: "HTTP/1.1 200 OK").dropFirst().map { $0.suffix(11) }
            #expect(bodies == (1000..<1050).map { "\r\n4\r\n\($0)\r\n0\r\n\r\n"[...] })
            #expect(upstream.heads == 50)
        }
    }

    @Test("chunks and trailers go both ways, but none of the trailers that frame a message")
    func chunks() async throws {
        try await serve { url, _ in
            let answer = try await RawClient.talk(
                url,
                "POST /a HTTP/1.1\r\nhost: g\r\nconnection: close\r\ntrailer: x-sum\r\ntransfer-encoding: chunked\r\n\r\n"
                    + "5;x=y\r\nhello\r\n6\r\n world\r\n0\r\nx-sum: 11\r\ncontent-length: 3\r\n\r\n"
            )
            let parts = answer.components(separatedBy: "\r\n\r\n")
            #expect(parts[0].contains("got-transfer-encoding: chunked"))
            #expect(!parts[0].contains("got-trailer"))
            #expect(parts[1].replacing("\r\n", with: " ") == "5 hello 6  world 0 x-sum: 11")
        }
    }

    @Test("a client that waits to be told to send its body is told so by the service")
    func expectation() async throws {
        try await serve { url, _ in
            let text =
                "POST /a HTTP/1.1\r\nhost: g\r\nconnection: close\r\nexpect: 100-continue\r\ncontent-length: 5\r\n\r\nhello"
            let answer = try await RawClient.talk(url, text)
            #expect(answer.hasPrefix("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n"))
            #expect(answer.hasSuffix("\r\n5\r\nhello\r\n0\r\n\r\n"))
        }
    }

    @Test("an answer to HTTP/1.0 has no chunks and ends with its connection")
    func old() async throws {
        try await serve { url, _ in
            let answer = try await RawClient.talk(url, "POST /a HTTP/1.0\r\ncontent-length: 5\r\n\r\nhello")
            #expect(!answer.contains("\r\ntransfer-encoding"))
            #expect(answer.hasSuffix("\r\n\r\nhello"))
        }
    }

    @Test("the first event of a stream arrives before the second is sent")
    func streams() async throws {
        try await serve { url, upstream in
            let response = try await HTTPClient.shared.execute(
                HTTPClientRequest(url: url + "/a?stream"),
                timeout: .seconds(20)
            )
            var pieces = response.body.makeAsyncIterator()
            #expect(try await pieces.next().map { String(buffer: $0) } == "data: 1\n\n")
            upstream.release()
            #expect(try await pieces.next().map { String(buffer: $0) } == "data: 2\n\n")
            #expect(try await pieces.next() == nil)
        }
    }

    @Test(
        "a stream whose trailer has a status is one answer: counted as that, with its time up to the end; another is counted by its head"
    )
    func streamStatus() async throws {
        let upstream = try await EchoUpstream()
        let gateway = TestGateway()
        try await gateway.serve(
            TestGateway.plan(legacy: upstream.port, candidate: upstream.port, timeout: .seconds(20)),
            state: folder.appendingPathComponent("state.json"),
            first: TestGateway.table(1, .zero)
        ) { url in
            try await gateway.untilMeasuring()
            async let answers = withThrowingTaskGroup(of: String.self) { group in
                for trailer in [
                    "x-migrate-status: 503", "X-Migrate-Status: 504", "x-migrate-status: 429", "x-migrate-status: no",
                ] {
                    group.addTask {
                        try await RawClient.talk(
                            url,
                            "POST /a?stream HTTP/1.1\r\nhost: g\r\nconnection: close\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\(trailer)\r\n\r\n"
                        )
                    }
                }
                return try await group.reduce(into: []) { $0.append($1) }
            }
            try await eventually("all to be under way") { gateway.traffic?.underWay == 4 }
            let begun = ContinuousClock.now
            try await eventually("some time to pass") { ContinuousClock.now - begun > .milliseconds(300) }
            upstream.release()
            for answer in try await answers { #expect(answer.lowercased().contains("\r\n0\r\nx-migrate-status: ")) }
            func counts() -> Counts { gateway.signals.map(\.services[0].legacy).reduce(Counts(), +) }
            try await eventually("all to be counted") { counts().requests == 4 }
            let found = counts()
            #expect(found.errors == 1 && found.timeouts == 1)
            // Of an answer that was none, the cache has said nothing.
            #expect(found.cacheHits == 1)
            #expect(found.latency.buckets.reduce(0) { $0 + ($1.micros > 250_000 ? $1.count : 0) } == 3)
        }
        await upstream.close()
    }

    @Test("a stream may outlast the time limit while it speaks, and is cut when it has been silent for so long")
    func silentStream() async throws {
        let upstream = try await EchoUpstream()
        try await TestGateway().serve(
            TestGateway.plan(legacy: upstream.port, candidate: upstream.port, timeout: .milliseconds(300)),
            state: folder.appendingPathComponent("state.json"),
            first: TestGateway.table(1, .zero)
        ) { url in
            let answer = try await RawClient.talk(url, "GET /a?stream HTTP/1.1\r\nhost: g\r\n\r\n")
            #expect(answer.contains("data: 1") && !answer.contains("data: 2") && !answer.contains("\r\n0\r\n"))
        }
        await upstream.close()
    }

    @Test("twenty megabytes go there and back, byte for byte")
    func large() async throws {
        try await serve { url, _ in
            let bytes = (0..<20_000_000).map { UInt8(truncatingIfNeeded: $0 &* 31 ^ $0 >> 8) }
            var request = HTTPClientRequest(url: url + "/a")
            request.method = .POST
            request.body = .bytes(ByteBuffer(bytes: bytes))
            let response = try await HTTPClient.shared.execute(request, timeout: .seconds(60))
            let back = try await response.body.collect(upTo: 30_000_000)
            #expect(Array(back.readableBytesView) == bytes)
        }
    }

    @Test("a trace goes on, and one that is none is begun anew")
    func traces() async throws {
        try await serve { url, _ in
            let valid = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
            for (sent, isPassedOn) in [
                (valid, true), ("00-\(String(repeating: "0", count: 32))-00f067aa0ba902b7-01", false), ("x", false),
                (nil, false),
            ] {
                var request = HTTPClientRequest(url: url + "/a")
                if let sent { request.headers.add(name: "traceparent", value: sent) }
                let response = try await HTTPClient.shared.execute(request, timeout: .seconds(5))
                _ = try await response.body.collect(upTo: 1_000)
                let got = response.headers["got-traceparent"]
                #expect(got.count == 1)
                #expect((got.first == sent) == isPassedOn)
                #expect(got.first?.wholeMatch(of: /00-[0-9a-f]{32}-[0-9a-f]{16}-0[01]/) != nil)
            }
        }
    }

    @Test("its metrics are OpenMetrics, and its access log has a line of JSON for each request, without whose it was")
    func observability() async throws {
        let log = folder.appendingPathComponent("access.jsonl")
        let admin = try freePort()
        let change: @Sendable (inout GatewaySettings) -> Void = { settings in
            settings.accessLog = log
            settings.adminPort = admin
        }
        try await serve(change: change) { url, _ in
            for user in 0..<5 {
                var request = HTTPClientRequest(url: url + "/a?secret=\(user)")
                request.headers.add(name: "x-user-id", value: "user-\(user)")
                _ = try await HTTPClient.shared.execute(request, timeout: .seconds(5)).body.collect(upTo: 1_000)
            }
            let metrics = try await HTTPClient.shared.execute(
                HTTPClientRequest(url: "http://127.0.0.1:\(admin)/metrics"),
                timeout: .seconds(5)
            )
            #expect(metrics.headers.first(name: "content-type")?.hasPrefix("application/openmetrics-text") ?? false)
            let text = String(buffer: try await metrics.body.collect(upTo: 100_000))
            let labels = #"{environment="production",implementation="legacy",migration="m",router="g",service="a"}"#
            #expect(text.contains("migrate_requests_total\(labels) 5\n"))
            #expect(text.contains("migrate_cache_hits_total\(labels) 5\n"))
            #expect(
                text.contains(
                    #"migrate_weight_ratio{environment="production",migration="m",router="g",service="a"} 0.0"#
                )
            )
            #expect(text.hasSuffix("# EOF\n"))
            try await eventually("five lines") {
                (try? String(contentsOf: log, encoding: .utf8))?.split(separator: "\n").count == 5
            }
            let lines = try String(contentsOf: log, encoding: .utf8)
            #expect(!lines.contains("secret") && !lines.contains("user-"))
            for line in lines.split(separator: "\n") {
                let object = try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any]
                #expect(object?["status"] as? Int == 200)
                #expect(object?["to"] as? String == "legacy")
                #expect((object?["trace"] as? String)?.count == 32)
            }
            // What no service has seen has a line too.
            _ = try await HTTPClient.shared.execute(HTTPClientRequest(url: url + "/nowhere"), timeout: .seconds(5)).body
                .collect(upTo: 1_000)
            try await eventually("the refusal") {
                let last = (try? String(contentsOf: log, encoding: .utf8))?.split(separator: "\n").last ?? ""
                return last.contains(#""status":404,"outcome":"refused""#)
            }
            // Moved away, it is begun anew.
            try FileManager.default.moveItem(at: log, to: log.appendingPathExtension("1"))
            _ = try await HTTPClient.shared.execute(HTTPClientRequest(url: url + "/a"), timeout: .seconds(5)).body
                .collect(upTo: 1_000)
            try await eventually("the new file") { FileManager.default.fileExists(atPath: log.path) }
        }
    }
}
