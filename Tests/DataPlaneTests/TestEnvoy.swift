import DataPlanes
import Foundation
import MigrationCore
import Postgres
import TestSupport

/// A real Envoy with the configuration that is made for a plan, in a folder of its own.
final class TestEnvoy: TestPlane {
    let plan: Plan
    let folder: EnvoyFolder
    let port: Int
    var url: String { "http://127.0.0.1:\(port)" }
    var plane: any DataPlane { EnvoyPlane(folder: folder) }

    /// Prepares the folder; nothing runs yet.
    init(_ plan: Plan) async throws {
        self.plan = plan
        let path = FileManager.default.temporaryDirectory.appendingPathComponent("envoy-\(UUID().uuidString.prefix(8))")
        try FileManager.default.createDirectory(at: path, withIntermediateDirectories: true)
        folder = EnvoyFolder(path.path)
        port = try freePort()
        let configuration = try EnvoyConfiguration(plan: plan, host: "127.0.0.1", port: port, folder: folder)
        try configuration.routes().write(to: folder.routes)
        try configuration.text().write(to: folder.configuration)
    }

    private var output: String { folder.url.appendingPathComponent("envoy.log").path }

    /// Without hot restarts, with which it would end with the thread that started it (PR_SET_PDEATHSIG).
    private func start(_ arguments: [String]) throws -> ChildProcess {
        try ChildProcess(
            TestPeers.envoy(),
            ["-c", folder.configuration.path, "--concurrency", "2", "--log-level", "warning"] + arguments,
            output: output
        )
    }

    /// Whether Envoy itself takes the configuration.
    func check() throws -> Int32 { try start(["--mode", "validate"]).wait() }

    /// Runs an Envoy while the body runs.
    func run<R: Sendable>(_ body: () async throws -> R) async throws -> R {
        let process = try start(["--disable-hot-restart"])
        let result: Result<R, any Error>
        do {
            let adapter = EnvoyAdapter(router: "e", plan: plan, folder: folder)
            try await eventually("Envoy to answer") { (try? await adapter.read()) != nil }
            result = .success(try await body())
        } catch {
            let said = String(decoding: FileManager.default.contents(atPath: output) ?? Data(), as: UTF8.self)
            result = .failure(TestFailure("\(error)\n\(said.suffix(2_000))"))
        }
        process.signal(SIGKILL)
        _ = try await offThread { process.wait() }
        try? FileManager.default.removeItem(at: folder.admin)
        return try result.get()
    }

    func remove() { try? FileManager.default.removeItem(at: folder.url) }
}
