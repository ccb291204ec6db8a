import DataPlanes
import Foundation
import MigrationCore
import NIOCore
import NIOPosix
import Postgres
import TestSupport

/// A real HAProxy with the configuration that is made for a plan, in a folder of its own.
final class TestHAProxy: TestPlane {
    let plan: Plan
    let folder: HAProxyFolder
    let port: Int
    let logPort: Int
    private let trust: URL
    var url: String { "http://127.0.0.1:\(port)" }
    var plane: any DataPlane { HAProxyPlane(folder: folder, logPort: logPort) }

    /// Prepares the folder; nothing runs yet.
    init(_ plan: Plan, trust: URL = PlaneTrust.system) async throws {
        self.plan = plan
        self.trust = trust
        let path = FileManager.default.temporaryDirectory.appendingPathComponent(
            "haproxy-\(UUID().uuidString.prefix(8))"
        )
        try FileManager.default.createDirectory(at: path, withIntermediateDirectories: true)
        folder = HAProxyFolder(path.path)
        port = try freePort()
        logPort = try freePort()
        try write()
    }

    private func write() throws {
        let configuration = try HAProxyConfiguration(
            plan: plan,
            host: "127.0.0.1",
            port: port,
            folder: folder,
            logPort: logPort,
            trust: trust
        )
        for file in configuration.files { try file.write() }
    }

    private var output: String { folder.url.appendingPathComponent("haproxy.log").path }

    /// Whether HAProxy itself takes the configuration.
    func check() throws -> Int32 {
        try ChildProcess("/usr/sbin/haproxy", ["-c", "-f", folder.configuration.path], output: output).wait()
    }

    /// Runs a HAProxy while the body runs.
    func run<R: Sendable>(_ body: () async throws -> R) async throws -> R {
        try await run(["-db"], signal: SIGKILL) { _ in try await body() }
    }

    /// Runs a HAProxy that can be reloaded: a process that sees to the others, of which the older ones end by and by.
    func runReloadable<R: Sendable>(_ body: (_ reload: () async throws -> Void) async throws -> R) async throws -> R {
        // Told to end, it ends those too.
        try await run(["-W", "-db"], signal: SIGTERM) { process in
            try await body {
                let before = try await pid()
                process.signal(SIGUSR2)
                try await eventually("another HAProxy") { (try? await pid()).map { $0 != before } ?? false }
            }
        }
    }

    /// Whose socket it is.
    private func pid() async throws -> Substring? {
        try await RuntimeSocket(folder.socket).ask("show info").split(separator: "\n").first { $0.hasPrefix("Pid: ") }
    }

    private func run<R: Sendable>(
        _ options: [String],
        signal: Int32,
        _ body: (ChildProcess) async throws -> R
    ) async throws -> R {
        let process = try ChildProcess(
            "/usr/sbin/haproxy",
            options + ["-f", folder.configuration.path],
            output: output
        )
        let result: Result<R, any Error>
        do {
            try await eventually("HAProxy to answer") {
                if let code = process.poll() { throw TestFailure("HAProxy ended with \(code)") }
                return (try? await pid()) != nil
            }
            result = .success(try await body(process))
        } catch {
            let said = String(decoding: FileManager.default.contents(atPath: output) ?? Data(), as: UTF8.self)
            result = .failure(TestFailure("\(error)\n\(said.suffix(2_000))"))
        }
        process.signal(signal)
        _ = try await offThread { process.wait() }
        return try result.get()
    }

    func remove() { try? FileManager.default.removeItem(at: folder.url) }

    /// Tells the follower something as HAProxy tells its requests.
    func tell(_ line: String) async throws {
        let channel = try await DatagramBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .bind(host: "127.0.0.1", port: 0).get()
        let place = try SocketAddress(ipAddress: "127.0.0.1", port: logPort)
        try await channel.writeAndFlush(AddressedEnvelope(remoteAddress: place, data: ByteBuffer(string: line)))
        try await channel.close()
    }
}
