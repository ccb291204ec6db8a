import AsyncHTTPClient
import Foundation
import NIOCore
import NIOHTTP1
package import Postgres

/// A real etcd of one member, in a folder of its own.
package final class TestEtcdServer: Sendable {
    private let process: ChildProcess
    private let folder: URL
    package let endpoint: String

    /// Starts it, and waits until it answers.
    package init() async throws {
        folder = FileManager.default.temporaryDirectory.appendingPathComponent("etcd-\(UUID().uuidString.prefix(8))")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        let peers = "http://127.0.0.1:\(try freePort())"
        let endpoint = "http://127.0.0.1:\(try freePort())"
        self.endpoint = endpoint
        let output = folder.appendingPathComponent("output").path
        process = try ChildProcess(
            "/usr/bin/etcd",
            [
                "--name", "t", "--data-dir", folder.appendingPathComponent("data").path, "--listen-client-urls",
                endpoint,
                "--advertise-client-urls", endpoint, "--listen-peer-urls", peers, "--initial-advertise-peer-urls",
                peers,
                "--initial-cluster", "t=\(peers)", "--logger", "zap", "--log-level", "warn",
            ],
            output: output
        )
        try await eventually("etcd to answer") {
            let health = try? await HTTPClient.shared.execute(
                HTTPClientRequest(url: "\(endpoint)/health"),
                timeout: .seconds(1)
            )
            return health?.status == .ok
        }
    }

    /// Ends it, and removes its folder.
    package func stop() async throws {
        process.signal(SIGKILL)
        _ = try await offThread { [process] in process.wait() }
        try? FileManager.default.removeItem(at: folder)
    }

    /// A resolver of `Tests/Peers` by a configuration; it answers on the port when this returns.
    package static func resolver(_ configuration: String, port: Int, name: String, output: String) async throws
        -> ChildProcess
    {
        let process = try ChildProcess(
            TestPeers.python(),
            [TestPeers.file("resolver.py"), configuration, "\(port)", name],
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
