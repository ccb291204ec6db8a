import DataPlanes
import Foundation
import MigrationCore
import Postgres
import TestSupport

/// A real HAProxy with the configuration that is made for a plan, in a folder of its own.
final class TestHAProxy: TestPlane {
    let plan: Plan
    let folder: HAProxyFolder
    let port: Int
    let logPort: Int
    var url: String { "http://127.0.0.1:\(port)" }
    var plane: any DataPlane { HAProxyPlane(folder: folder, logPort: logPort) }

    /// Prepares the folder; nothing runs yet.
    init(_ plan: Plan) async throws {
        self.plan = plan
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
            logPort: logPort
        )
        try Data(configuration.map.utf8).write(to: folder.map)
        try Data(configuration.text.utf8).write(to: folder.configuration)
    }

    private var output: String { folder.url.appendingPathComponent("haproxy.log").path }

    /// Whether HAProxy itself takes the configuration.
    func check() throws -> Int32 {
        try ChildProcess("/usr/sbin/haproxy", ["-c", "-f", folder.configuration.path], output: output).wait()
    }

    /// Runs a HAProxy while the body runs.
    func run<R: Sendable>(_ body: () async throws -> R) async throws -> R {
        let process = try ChildProcess(
            "/usr/sbin/haproxy",
            ["-db", "-f", folder.configuration.path],
            output: output
        )
        let result: Result<R, any Error>
        do {
            let socket = RuntimeSocket(folder.socket)
            try await eventually("HAProxy to answer") {
                if let code = process.poll() { throw TestFailure("HAProxy ended with \(code)") }
                return (try? await socket.ask("show info")) != nil
            }
            result = .success(try await body())
        } catch {
            let said = String(decoding: FileManager.default.contents(atPath: output) ?? Data(), as: UTF8.self)
            result = .failure(TestFailure("\(error)\n\(said.suffix(2_000))"))
        }
        process.signal(SIGKILL)
        _ = try await offThread { process.wait() }
        return try result.get()
    }

    func remove() { try? FileManager.default.removeItem(at: folder.url) }
}
