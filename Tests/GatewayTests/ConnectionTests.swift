import Foundation
import MigrationCore
import NIOCore
import TestSupport
import Testing

@Suite("The gateway's connections")
struct GatewayConnectionTests {
    private let state = FileManager.default.temporaryDirectory.appendingPathComponent(
        "gateway-\(UUID().uuidString).json"
    )

    private func serve(
        _ behaviour: TestUpstream.Behaviour,
        drain: Int64 = 100,
        whileDraining: (String, TestUpstream) async throws -> Void = { _, _ in },
        _ body: (String, TestUpstream) async throws -> Void
    ) async throws {
        let upstream = try await TestUpstream(behaviour)
        try await TestGateway().serve(
            TestGateway.plan(legacy: upstream.port, candidate: upstream.port, timeout: .seconds(20)),
            state: state,
            first: TestGateway.table(1, .zero),
            drain: .milliseconds(drain),
            whileDraining: { url in try await whileDraining(url, upstream) }
        ) { url in try await body(url, upstream) }
        await upstream.close()
    }

    @Test("an answer to HEAD keeps its length and has no body, and the connection goes on")
    func head() async throws {
        let behaviour = TestUpstream.Behaviour.says { request in
            "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\n" + (request.hasPrefix("HEAD") ? "" : "whole")
        }
        try await serve(behaviour) { url, _ in
            let text = try await RawClient.talk(
                url,
                "HEAD /a HTTP/1.1\r\nhost: g\r\n\r\nGET /a HTTP/1.1\r\nhost: g\r\nconnection: close\r\n\r\n"
            )
            let parts = text.components(separatedBy: "HTTP/1.1 200 OK")
            try #require(parts.count == 3)
            #expect(parts[1].contains("content-length: 5"))
            #expect(parts[1].hasSuffix("\r\n\r\n"))
            #expect(parts[2].hasSuffix("\r\n\r\nwhole"))
        }
    }

    @Test("an answer to HEAD that names no length is not framed as if it had a body, and the connection goes on")
    func headWithoutLength() async throws {
        let behaviour = TestUpstream.Behaviour.says { request in
            let head = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"
            return head + (request.hasPrefix("HEAD") ? "" : "5\r\nwhole\r\n0\r\n\r\n")
        }
        try await serve(behaviour) { url, _ in
            let text = try await RawClient.talk(
                url,
                "HEAD /a HTTP/1.1\r\nhost: g\r\n\r\nGET /a HTTP/1.1\r\nhost: g\r\nconnection: close\r\n\r\n"
            )
            let parts = text.components(separatedBy: "HTTP/1.1 200 OK")
            try #require(parts.count == 3)
            #expect(parts[1].hasSuffix("\r\n\r\n") && !parts[1].contains("\r\n0\r\n"))
            #expect(parts[2].hasSuffix("\r\n\r\n5\r\nwhole\r\n0\r\n\r\n"))
        }
    }

    @Test("an offered upgrade is not passed on: the request is answered, and nothing after it is read")
    func upgrade() async throws {
        let behaviour = TestUpstream.Behaviour.says { request in
            let word = request.lowercased().contains("upgrade") ? "leaked" : "clean!"
            return "HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\n\(word)"
        }
        try await serve(behaviour) { url, upstream in
            let text = try await RawClient.talk(
                url,
                """
                GET /a HTTP/1.1\r\nhost: g\r\nconnection: Upgrade, HTTP2-Settings\r\nupgrade: h2c\r\n\
                HTTP2-Settings: AAMAAABkAAQAAP__\r\n\r\nGET /a HTTP/1.1\r\nhost: g\r\n\r\n
                """
            )
            #expect(text.components(separatedBy: "HTTP/1.1 200 OK").count == 2)
            #expect(text.hasSuffix("clean!"))
            #expect(upstream.requests == 1)
        }
    }

    @Test("told to stop, it answers what is under way, and says that the connection ends")
    func drains() async throws {
        var asked: Task<String, any Error>?
        let refused: (String, TestUpstream) async throws -> Void = { url, upstream in
            try await eventually("new clients to be refused") { await !RawClient.canConnect(url) }
            upstream.release()
        }
        try await serve(.answersWhenReleased, drain: 20_000, whileDraining: refused) { url, upstream in
            asked = Task { try await RawClient.talk(url, "GET /a HTTP/1.1\r\nhost: g\r\n\r\n") }
            try await eventually("the request to be under way") { upstream.requests == 1 }
        }
        let text = try await #require(asked).value
        #expect(text.hasPrefix("HTTP/1.1 200 OK"))
        #expect(text.lowercased().contains("connection: close"))
        #expect(text.hasSuffix("late"))
    }
}
