import AsyncHTTPClient
import Foundation
import JSON
import NIOCore
import NIOHTTP1
package import Postgres
import Synchronization

/// A real etcd of one member, in a folder of its own.
package final class TestEtcdServer: Sendable {
    private let process = Mutex<ChildProcess?>(nil)
    private let folder: URL
    private let arguments: [String]
    package let endpoint: String

    /// Starts it, and waits until it answers.
    package init() async throws {
        folder = FileManager.default.temporaryDirectory.appendingPathComponent("etcd-\(UUID().uuidString.prefix(8))")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        let peers = "http://127.0.0.1:\(try freePort())"
        let endpoint = "http://127.0.0.1:\(try freePort())"
        self.endpoint = endpoint
        arguments = [
            "--name", "t", "--data-dir", folder.appendingPathComponent("data").path, "--listen-client-urls", endpoint,
            "--advertise-client-urls", endpoint, "--listen-peer-urls", peers, "--initial-advertise-peer-urls", peers,
            "--initial-cluster", "t=\(peers)", "--logger", "zap", "--log-level", "warn",
        ]
        try await start()
    }

    /// Starts it, with what it knew before if it was there, and waits until it answers.
    package func start() async throws {
        let output = folder.appendingPathComponent("output").path
        let process = try ChildProcess("/usr/bin/etcd", arguments, output: output)
        self.process.withLock { $0 = process }
        try await eventually("etcd to answer") {
            let health = try? await HTTPClient.shared.execute(
                HTTPClientRequest(url: "\(endpoint)/health"),
                timeout: .seconds(1)
            )
            return health?.status == .ok
        }
    }

    /// Has it ask who is there: from now on it knows `root`, and users who may read and write what begins with a prefix.
    package func ask(for users: [String: String], prefix: String) async throws {
        var end = Array(prefix.utf8)
        if let last = end.popLast() { end.append(last + 1) }
        try await post("role/add", ["name": "root"])
        try await post("role/add", ["name": "routes"])
        try await post(
            "role/grant",
            [
                "name": "routes",
                "perm": [
                    "permType": "READWRITE", "key": .string(Data(prefix.utf8).base64EncodedString()),
                    "range_end": .string(Data(end).base64EncodedString()),
                ],
            ]
        )
        try await post("user/add", ["name": "root", "password": "r"])
        try await post("user/grant", ["user": "root", "role": "root"])
        for (name, password) in users {
            try await post("user/add", ["name": .string(name), "password": .string(password)])
            try await post("user/grant", ["user": .string(name), "role": "routes"])
        }
        try await post("enable", [:])
    }

    /// Gives its users their passwords again, which makes every token that it has given none.
    package func change(_ users: [String: String]) async throws {
        let root = try await post("authenticate", ["name": "root", "password": "r"])
        for (name, password) in users {
            try await post(
                "user/changepw",
                ["name": .string(name), "password": .string(password)],
                token: root["token"]?.string
            )
        }
    }

    @discardableResult
    private func post(_ path: String, _ body: JSONValue, token: String? = nil) async throws -> JSONValue {
        var request = HTTPClientRequest(url: "\(endpoint)/v3/auth/\(path)")
        request.method = .POST
        if let token { request.headers.add(name: "authorization", value: token) }
        request.body = .bytes(ByteBuffer(bytes: body.bytes))
        let response = try await HTTPClient.shared.execute(request, timeout: .seconds(5))
        let text = try await response.body.collect(upTo: 10_000)
        guard response.status == .ok else { throw TestFailure("etcd answers \(path) with \(String(buffer: text))") }
        return try JSONValue(parsing: text.readableBytesView)
    }

    /// Ends it hard.
    package func kill() async throws {
        guard let process = process.withLock({ $0 }) else { return }
        process.signal(SIGKILL)
        _ = try await offThread { process.wait() }
    }

    /// Ends it, and removes its folder.
    package func stop() async throws {
        try await kill()
        try? FileManager.default.removeItem(at: folder)
    }

    /// A resolver of `Tests/Peers` by a configuration; it answers on the port when this returns.
    ///
    /// - Parameter environment: more variables for it: `NAME=VALUE`.
    package static func resolver(
        _ configuration: String,
        port: Int,
        name: String,
        output: String,
        environment: [String] = []
    ) async throws -> ChildProcess {
        let process = try ChildProcess(
            "/usr/bin/env",
            environment + [TestPeers.python(), TestPeers.file("resolver.py"), configuration, "\(port)", name],
            output: output
        )
        try await eventually("the resolver to answer") {
            if let code = process.poll() { throw TestFailure("the resolver ended with \(code)") }
            return
                (try? await HTTPClient.shared.execute(
                    HTTPClientRequest(url: "http://127.0.0.1:\(port)/nowhere"),
                    timeout: .seconds(1)
                ))?.status == .notFound
        }
        return process
    }
}
