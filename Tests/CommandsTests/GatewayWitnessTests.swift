import Foundation
import MigrationCore
import MigrationLog
import Postgres
import TestSupport
import Testing

@Suite("A gateway as a witness of the log", .database, .serialized)
struct GatewayWitnessTests {
    private static let plan = """
        migration: shop
        services: { a: { legacy: "http://127.0.0.1:1", candidate: "http://127.0.0.1:2" } }
        sticky_by: [client_ip]
        window: 1s
        stages: [{ name: p, environment: p, steps: [50%, 100%], bake: 10m }]
        criteria: [error_rate < 5%]
        rollback: [error_rate > 5% for 10s]
        watch: 1h
        expires: 1d

        """

    private func run(_ arguments: String...) throws -> Program.Result {
        try Program.run(arguments, database: TestDatabase.conninfo)
    }

    /// Runs a gateway with its state in a folder until something is so.
    private func gateway(_ folder: String, until what: String, _ isSo: (_ said: String) -> Bool) async throws {
        var environment = ProcessInfo.processInfo.environment
        environment["MIGRATE_DATABASE_URL"] = try TestDatabase.conninfo
        let output = folder + "/output-\(UUID().uuidString)"
        let process = try ChildProcess(
            Program.path("migrate"),
            [
                "gateway", "--migration", "shop", "--environment", "p", "--listen", "127.0.0.1:\(try freePort())",
                "--state", folder + "/g.json",
            ],
            environment: environment,
            output: output
        )
        let result: Result<Void, any Error>
        do {
            try await eventually(within: 30, what) {
                isSo(String(decoding: FileManager.default.contents(atPath: output) ?? Data(), as: UTF8.self))
            }
            result = .success(())
        } catch {
            result = .failure(error)
        }
        process.signal(SIGTERM)
        _ = try await offThread { process.wait() }
        try result.get()
    }

    @Test("keeps the newest checkpoint beside its routes, and says so when the log no longer has it")
    func witness() async throws {
        let plan = try Program.file(Self.plan, "shop.yaml")
        let folder = URL(fileURLWithPath: plan).deletingLastPathComponent().path
        #expect(try run("db", "install").code == 0)
        #expect(try run("create", plan).code == 0)
        let log = MigrationLog(pool: PostgresPool(try TestDatabase.conninfo, name: "test", limit: 2))
        let keeper = SigningKey(), sealer = SigningKey()
        for (owner, key, role) in [("kim", keeper, Role.keys), ("sealer", sealer, .checkpoint)] {
            let command = TrustCommand.addKey(owner: owner, key: key.publicKey, roles: [role], reason: "first")
            _ = try await log.perform(command, by: "kim", key: owner == "kim" ? nil : keeper)
        }
        try await eventually("all to have its number") {
            _ = try await log.sealNext()
            return try await log.orderHead().size == 3
        }
        let signed = try #require(try await log.sign(with: sealer))
        let file = folder + "/g.json.checkpoint"
        try await gateway(folder, until: "the checkpoint to be kept") { _ in
            FileManager.default.contents(atPath: file) == Data(signed.note.utf8)
        }
        try await log.pool.run { connection in
            _ = try connection.query("set session_replication_role = replica")
            _ = try connection.query("delete from migrate.checkpoint")
            _ = try connection.query("reset session_replication_role")
        }
        try await gateway(folder, until: "the gateway to say so") { said in
            said.contains("the log is not the one of which this gateway has a checkpoint")
                && said.contains("the log has no checkpoint any more")
        }
        #expect(FileManager.default.contents(atPath: file) == Data(signed.note.utf8))
        await log.pool.close()
    }
}
