import AsyncHTTPClient
import Callable
import Foundation
import Hummingbird
import JSON
import Logging
import NIOCore
import NIOHTTP1
import ServiceLifecycle
import Synchronization
import TestSupport
import Testing

/// A server of test functions on a free port.
struct TestServer {
    let port: Int
    let issuer: DevelopmentIssuer
    let records: Records
    private let folder: TestFolder

    final class Records: Sendable {
        private let kept = Mutex<[CallableServer.Record]>([])
        func add(_ record: CallableServer.Record) { kept.withLock { $0.append(record) } }
        var all: [CallableServer.Record] { kept.withLock { $0 } }
    }

    static let functions = [
        CallableFunction("echo", timeLimit: .seconds(60)) { call in
            CallableAnswer(
                ["user": .string(try call.user), "data": call.request.data],
                fields: ["Cache-Status": "c; hit"]
            )
        },
        // As the function of `Tests/Peers/callable_functions.py`.
        CallableFunction("open", timeLimit: .seconds(60)) { call in
            switch call.request.data["do"]?.string {
            case "refuse"?:
                let code = call.request.data["code"]?.string?.uppercased().replacing("-", with: "_") ?? ""
                throw CallableError(CallableError.Status(rawValue: code) ?? .unknown, "as asked", details: ["a": 1])
            case "break"?: throw TestFailure("the secret is broken")
            default: return CallableAnswer(["echo": call.request.data])
            }
        },
        CallableFunction("refuse", timeLimit: .seconds(60)) { _ in
            throw CallableError(.resourceExhausted, "slowly", details: ["retryAfterSeconds": 7])
        },
        CallableFunction("break", timeLimit: .seconds(60)) { _ in throw TestFailure("the secret /etc/key is broken") },
        CallableFunction("slow", timeLimit: .milliseconds(150)) { _ in
            try await Task.sleep(for: .seconds(30))
            return CallableAnswer(.null)
        },
        CallableFunction("steps", timeLimit: .seconds(60)) { call in
            for step in 1...3 {
                call.tell(["step": .int(step)])
                try await Task.sleep(for: .milliseconds(60))
            }
            return CallableAnswer(["done": true])
        },
        // Says what it knows of its head, and goes on only when a client says that it has it.
        CallableFunction("announced", timeLimit: .seconds(60)) { call in
            call.announce(["Cache-Status": "c; fwd=miss"])
            try await eventually("the head to be there") { heads.contains(call.request.data["head"]?.string ?? "") }
            call.announce(["Cache-Status": "c; too late"])
            return CallableAnswer(["done": true], fields: ["Cache-Status": "c; fwd=miss; stored"])
        },
    ]

    /// The names of the heads that a client has.
    static let heads = Heads()

    final class Heads: Sendable {
        private let kept = Mutex<Set<String>>([])
        func insert(_ name: String) { kept.withLock { _ = $0.insert(name) } }
        func contains(_ name: String) -> Bool { kept.withLock { $0.contains(name) } }
    }

    static func run(
        _ change: (inout CallableServer.Settings) -> Void = { _ in },
        _ body: @escaping @Sendable (TestServer) async throws -> Void
    ) async throws {
        let folder = try TestFolder()
        let issuer = try DevelopmentIssuer(folder: folder.url, project: "demo")
        let records = Records()
        var settings = CallableServer.Settings()
        settings.largestBody = 10_000
        settings.ping = .milliseconds(50)
        change(&settings)
        let server = CallableServer(
            functions,
            authenticator: Authenticator(project: "demo", keys: KeySource(issuer.certificates.absoluteString)),
            settings: settings
        ) { records.add($0) }
        let router = Router()
        server.addRoutes(to: router)
        router.get("health") { _, _ in "ok" }
        let port = try freePort()
        let application = Application(
            router: router,
            configuration: .init(address: .hostname("127.0.0.1", port: port)),
            logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
        )
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await application.run() }
            group.addTask {
                try await eventually("the server") {
                    (try? await HTTPClient.shared.execute(
                        HTTPClientRequest(url: "http://127.0.0.1:\(port)/health"),
                        timeout: .seconds(1)
                    )) != nil
                }
                try await body(TestServer(port: port, issuer: issuer, records: records, folder: folder))
                throw CancellationError()
            }
            do { try await group.next() } catch is CancellationError {}
            group.cancelAll()
        }
    }

    func send(
        _ function: String,
        _ body: String = "{\"data\":{}}",
        method: HTTPMethod = .POST,
        fields: [String: String] = [:],
        user: String? = "ana"
    ) async throws -> (status: Int, headers: HTTPHeaders, body: String) {
        var request = HTTPClientRequest(url: "http://127.0.0.1:\(port)/\(function)")
        request.method = method
        var all = ["content-type": "application/json"]
        if let user { all["authorization"] = "Bearer \(try issuer.token(user: user))" }
        for (name, value) in all.merging(fields, uniquingKeysWith: { $1 }) where !value.isEmpty {
            request.headers.add(name: name, value: value)
        }
        if method == .POST { request.body = .bytes(ByteBuffer(string: body)) }
        let response = try await HTTPClient.shared.execute(request, timeout: .seconds(20))
        let text = try await response.body.collect(upTo: 1 << 20)
        return (Int(response.status.code), response.headers, String(buffer: text))
    }
}

@Suite("The callable server")
struct ServerTests {
    @Test("answers, errors, and what nobody foresaw")
    func answers() async throws {
        try await TestServer.run { server in
            let echo = try await server.send("echo", "{\"data\":{\"a\":1}}")
            #expect(echo.status == 200)
            #expect(echo.body == "{\"result\":{\"data\":{\"a\":1},\"user\":\"ana\"}}")
            #expect(echo.headers.first(name: "cache-status") == "c; hit")
            #expect(echo.headers.first(name: "cache-control") == "no-store")
            #expect(echo.headers.first(name: "content-type") == "application/json; charset=utf-8")
            let nobody = try await server.send("echo", user: nil)
            #expect(nobody.status == 401 && nobody.body.contains("\"UNAUTHENTICATED\""))
            let refuse = try await server.send("refuse")
            #expect(refuse.status == 429 && refuse.headers.first(name: "retry-after") == "7")
            #expect(
                refuse.body
                    == "{\"error\":{\"details\":{\"retryAfterSeconds\":7},\"message\":\"slowly\",\"status\":\"RESOURCE_EXHAUSTED\"}}"
            )
            let broken = try await server.send("break")
            #expect(
                broken.status == 500 && broken.body == "{\"error\":{\"message\":\"INTERNAL\",\"status\":\"INTERNAL\"}}"
            )
            let slow = try await server.send("slow")
            #expect(slow.status == 504 && slow.body.contains("\"DEADLINE_EXCEEDED\""))
            #expect(try await server.send("none").status == 404)
            #expect(try await server.send("echo", method: .GET).status == 400)
            #expect(
                server.records.all.map(\.status) == [
                    "OK", "UNAUTHENTICATED", "RESOURCE_EXHAUSTED", "INTERNAL", "DEADLINE_EXCEEDED",
                ]
            )
            #expect(server.records.all[3].note?.contains("/etc/key") ?? false)
        }
    }

    @Test("a token that does not hold is told as that and nothing more, whatever the function")
    func tokens() async throws {
        try await TestServer.run { server in
            let expired = try server.issuer.token(user: "ana", life: -3_600)
            for token in ["Bearer \(expired)", "Bearer x.y.z", "Basic abc"] {
                let answer = try await server.send("refuse", fields: ["authorization": token])
                #expect(answer.status == 401)
                #expect(
                    answer.body == "{\"error\":{\"message\":\"the token is not valid\",\"status\":\"UNAUTHENTICATED\"}}"
                )
            }
            #expect(server.records.all.first?.note?.contains("expired") ?? false)
        }
    }

    @Test("bodies that are too large, or not what they must be")
    func bodies() async throws {
        try await TestServer.run { server in
            for body in ["{\"data\":\"\(String(repeating: "a", count: 20_000))\"}", "", "[]", "{\"data\":1,\"x\":2}"] {
                let answer = try await server.send("echo", body)
                #expect(answer.status == 400 && answer.body.contains("INVALID_ARGUMENT"))
            }
            #expect(try await server.send("echo", fields: ["content-type": "text/plain"]).status == 400)
        }
    }

    @Test("a stream tells messages and then the result or the error, with signs of life between")
    func streams() async throws {
        try await TestServer.run { server in
            let stream = try await server.send("steps", fields: ["accept": "text/event-stream"])
            #expect(stream.status == 200)
            #expect(stream.headers.first(name: "content-type") == "text/event-stream; charset=utf-8")
            let events = stream.body.split(separator: "\n\n").map(String.init)
            #expect(
                events.filter { $0 != ": ping" } == [
                    "data: {\"message\":{\"step\":1}}", "data: {\"message\":{\"step\":2}}",
                    "data: {\"message\":{\"step\":3}}", "data: {\"result\":{\"done\":true}}",
                ]
            )
            #expect(events.contains(": ping"))
            let slow = try await server.send("slow", fields: ["accept": "text/event-stream"])
            #expect(slow.status == 200 && slow.body.hasPrefix(": ping\n\n") && slow.body.contains("DEADLINE_EXCEEDED"))
            // Without asking for a stream the messages are not told.
            #expect(try await server.send("steps").body == "{\"result\":{\"done\":true}}")
        }
    }

    @Test("an error is an event of a stream, whose head is of 200, and its status a trailer")
    func failedStreams() async throws {
        try await TestServer.run({ $0.ping = .seconds(30) }) { server in
            let stream = ["accept": "text/event-stream"]
            let answers = try await [
                (429, "RESOURCE_EXHAUSTED", server.send("refuse", fields: stream)),
                (500, "INTERNAL", server.send("break", fields: stream)),
                (504, "DEADLINE_EXCEEDED", server.send("slow", fields: stream)),
                (400, "INVALID_ARGUMENT", server.send("steps", "[]", fields: stream)),
                (401, "UNAUTHENTICATED", server.send("echo", fields: stream, user: nil)),
            ]
            for (status, name, answer) in answers {
                #expect(answer.status == 200)
                #expect(answer.headers.first(name: "content-type") == "text/event-stream; charset=utf-8")
                #expect(answer.body.hasPrefix("data: {\"error\":{") && answer.body.hasSuffix("}}\n\n"))
                #expect(answer.body.contains("\"status\":\"\(name)\""))
                let function = name == "RESOURCE_EXHAUSTED" ? "refuse" : name == "INTERNAL" ? "break" : nil
                guard let function else { continue }
                let raw = try RawSocket.exchange(
                    server.port,
                    patience: 60,
                    "POST /\(function) HTTP/1.1\r\nhost: x\r\naccept: text/event-stream\r\nconnection: close\r\ncontent-type: application/json\r\ncontent-length: 11\r\n\r\n{\"data\":{}}"
                )
                #expect(raw.hasSuffix("0\r\nx-migrate-status: \(status)\r\n\r\n"), "\(raw)")
            }
        }
    }

    @Test(
        "a stream's head has the answer's fields, or what was announced of them, and does not wait for the answer then"
    )
    func streamHeads() async throws {
        try await TestServer.run({ $0.ping = .seconds(30) }) { server in
            let whole = try await server.send("echo", fields: ["accept": "text/event-stream"])
            #expect(whole.headers.first(name: "cache-status") == "c; hit")
            #expect(whole.body == "data: {\"result\":{\"data\":{},\"user\":\"ana\"}}\n\n")
            var request = HTTPClientRequest(url: "http://127.0.0.1:\(server.port)/announced")
            request.method = .POST
            request.headers.add(name: "content-type", value: "application/json")
            request.headers.add(name: "accept", value: "text/event-stream")
            let name = UUID().uuidString
            request.body = .bytes(ByteBuffer(string: "{\"data\":{\"head\":\"\(name)\"}}"))
            let response = try await HTTPClient.shared.execute(request, timeout: .seconds(10))
            #expect(response.headers["cache-status"] == ["c; fwd=miss"])
            TestServer.heads.insert(name)
            let body = String(buffer: try await response.body.collect(upTo: 1 << 20))
            #expect(body == "data: {\"result\":{\"done\":true}}\n\n")
            #expect(server.records.all.last?.fields == ["Cache-Status": "c; fwd=miss; stored"])
        }
    }

    @Test("browsers ask first; only the pages that may call are told so")
    func browsers() async throws {
        try await TestServer.run({ $0.origins = ["https://app.example"] }) { server in
            let asked = [
                "origin": "https://app.example", "access-control-request-method": "POST",
                "access-control-request-headers": "authorization,content-type",
            ]
            let preflight = try await server.send("echo", method: .OPTIONS, fields: asked, user: nil)
            #expect(preflight.status == 204)
            #expect(preflight.headers.first(name: "access-control-allow-origin") == "https://app.example")
            #expect(preflight.headers.first(name: "access-control-allow-methods") == "POST")
            #expect(preflight.headers.first(name: "access-control-allow-headers") == "authorization,content-type")
            let stranger = try await server.send(
                "echo",
                method: .OPTIONS,
                fields: ["origin": "https://evil.example"],
                user: nil
            )
            #expect(stranger.headers.first(name: "access-control-allow-origin") == nil)
            let answer = try await server.send("echo", fields: ["origin": "https://app.example"])
            #expect(answer.headers.first(name: "access-control-allow-origin") == "https://app.example")
            #expect(answer.headers.first(name: "vary") == "Origin")
        }
        try await TestServer.run { server in
            let any = try await server.send("refuse", fields: ["origin": "https://x.example"])
            #expect(any.headers.first(name: "access-control-allow-origin") == "https://x.example")
        }
    }

    @Test("clients that leave give their places back, before a stream begins and within it")
    func leaving() async throws {
        try await TestServer.run({ $0.mostCalls = 4 }) { server in
            for round in 0..<24 {
                let socket = try RawSocket(server.port)
                let body = "{\"data\":{}}"
                socket.send(
                    "POST /steps HTTP/1.1\r\nhost: x\r\naccept: text/event-stream\r\ncontent-type: application/json\r\ncontent-length: \(body.utf8.count)\r\n\r\n\(body)"
                )
                // Half of them wait for a first event.
                if round % 2 == 0 { _ = socket.receive(most: 1) }
                socket.willReset()
            }
            try await eventually("the places to be free") {
                let statuses = try await withThrowingTaskGroup(of: Int.self) { group in
                    for _ in 0..<4 { group.addTask { try await server.send("steps").status } }
                    return try await group.reduce(into: []) { $0.append($1) }
                }
                return statuses.allSatisfy { $0 == 200 }
            }
        }
    }

    @Test("more calls than there may be are unavailable, and those under way are not disturbed")
    func overload() async throws {
        try await TestServer.run({ $0.mostCalls = 2 }) { server in
            let statuses = try await withThrowingTaskGroup(of: Int.self) { group in
                for _ in 0..<8 { group.addTask { try await server.send("steps").status } }
                return try await group.reduce(into: []) { $0.append($1) }
            }
            #expect(statuses.count { $0 == 200 } >= 2)
            #expect(statuses.contains(503))
            #expect(try await server.send("echo").status == 200)
        }
    }
}
