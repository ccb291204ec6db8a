import DataPlanes
import Foundation
import MigrationCore
import Postgres
import TestSupport

/// A resolver, which is no program of ours, by the configuration that is made for a plan and a real etcd.
final class TestEtcd: TestPlane {
    let plan: Plan
    let folder: EtcdFolder
    let keys: EtcdKeys
    let endpoint: String
    private let password: String?
    private let port: Int
    private let logPort: Int
    var url: String { "http://127.0.0.1:\(port)" }
    var plane: any DataPlane {
        EtcdPlane(folder: folder, endpoint: endpoint, account: account, keys: keys, logPort: logPort)
    }
    var adapter: EtcdAdapter {
        EtcdAdapter(router: "r", plan: plan, endpoint: endpoint, account: account, keys: keys)
    }
    private var account: EtcdAccount? {
        password.map { password in EtcdAccount(user: "teller") { password } }
    }

    /// - Parameter password: of the user `teller`, who tells the route; nil where etcd does not ask.
    init(_ plan: Plan, endpoint: String, password: String? = nil) async throws {
        self.plan = plan
        self.password = password
        self.endpoint = endpoint
        let path = FileManager.default.temporaryDirectory.appendingPathComponent(
            "resolve-\(UUID().uuidString.prefix(8))"
        )
        try FileManager.default.createDirectory(at: path, withIntermediateDirectories: true)
        folder = EtcdFolder(path.path)
        keys = EtcdKeys(prefix: "/test", migration: plan.name, environment: "production")
        port = try freePort()
        logPort = try freePort()
        let configuration = try EtcdConfiguration(
            plan: plan,
            environment: "production",
            endpoint: endpoint,
            keys: keys,
            logPort: logPort
        )
        try configuration.text().write(to: folder.configuration)
    }

    func start(name: String = "one", port: Int? = nil) async throws -> ChildProcess {
        try await TestEtcdServer.resolver(
            folder.configuration.path,
            port: port ?? self.port,
            name: name,
            output: folder.url.appendingPathComponent("output-\(name)").path,
            environment: password == nil ? [] : ["ETCD_USER=resolver", "ETCD_PASSWORD=who"]
        )
    }

    /// Runs a resolver while the body runs.
    func run<R: Sendable>(_ body: () async throws -> R) async throws -> R {
        let process = try await start()
        let result: Result<R, any Error>
        do {
            result = .success(try await body())
        } catch {
            let said = FileManager.default.contents(atPath: folder.url.appendingPathComponent("output-one").path)
            result = .failure(TestFailure("\(error)\n\(String(decoding: said ?? Data(), as: UTF8.self).suffix(2_000))"))
        }
        process.signal(SIGKILL)
        _ = try await offThread { process.wait() }
        return try result.get()
    }

    func remove() { try? FileManager.default.removeItem(at: folder.url) }
}
