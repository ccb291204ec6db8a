import DataPlanes
import Foundation
import MigrationCore
import Postgres
import TestSupport

/// A real nginx with the configuration that is made for a plan, in a folder of its own.
final class TestNginx: TestPlane {
    let plan: Plan
    let folder: NginxFolder
    let port: Int
    let logPort: Int
    private let trust: URL
    var url: String { "http://127.0.0.1:\(port)" }
    var plane: any DataPlane { NginxPlane(folder: folder, logPort: logPort) }

    /// Prepares the folder; nothing runs yet.
    init(_ plan: Plan, trust: URL = PlaneTrust.system) async throws {
        self.plan = plan
        let path = FileManager.default.temporaryDirectory.appendingPathComponent("nginx-\(UUID().uuidString.prefix(8))")
        try FileManager.default.createDirectory(at: path, withIntermediateDirectories: true)
        folder = NginxFolder(path.path)
        port = try freePort()
        logPort = try freePort()
        self.trust = trust
        try write()
    }

    /// Writes its configuration, by which it begins at legacy.
    func write() throws {
        let configuration = try NginxConfiguration(
            plan: plan,
            host: "127.0.0.1",
            port: port,
            folder: folder,
            logPort: logPort,
            trust: trust
        )
        try Data(configuration.routes.utf8).write(to: folder.routes)
        try Data(configuration.text.utf8).write(to: folder.configuration)
    }

    private func start(_ arguments: [String]) throws -> ChildProcess {
        let path = folder.url.path
        return try ChildProcess(
            "/usr/sbin/nginx",
            ["-e", "\(path)/error.log", "-c", folder.configuration.path] + arguments,
            output: "\(path)/nginx.log"
        )
    }

    /// Whether nginx itself takes the configuration.
    func check() throws -> Int32 { try start(["-t"]).wait() }

    /// Runs an nginx while the body runs.
    func run<R: Sendable>(_ body: () async throws -> R) async throws -> R {
        let process = try start(["-g", "daemon off;"])
        let result: Result<R, any Error>
        do {
            let adapter = NginxAdapter(router: "n", plan: plan, folder: folder)
            try await eventually("nginx to answer") {
                if let code = process.poll() { throw TestFailure("nginx ended with \(code)") }
                return (try? await adapter.read()) != nil
            }
            result = .success(try await body())
        } catch {
            let said = ["nginx.log", "error.log"].map { name in
                String(
                    decoding: FileManager.default.contents(atPath: "\(folder.url.path)/\(name)") ?? Data(),
                    as: UTF8.self
                )
            }.joined()
            result = .failure(TestFailure("\(error)\n\(said.suffix(2_000))"))
        }
        // At once: its workers end with it.
        process.signal(SIGTERM)
        _ = try await offThread { process.wait() }
        return try result.get()
    }

    func remove() { try? FileManager.default.removeItem(at: folder.url) }
}
