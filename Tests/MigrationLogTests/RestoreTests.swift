import Foundation
import MigrationCore
import MigrationLog
import Postgres
import Schema
import TestSupport
import Testing

/// PostgreSQL's own dump and restore, into a cluster of its own.
@Suite("A log that is restored from a dump", .database)
struct RestoreTests {
    private static func run(_ program: String, _ arguments: [String], _ folder: URL) throws -> Int32 {
        let output = folder.appendingPathComponent("output").path
        return try ChildProcess("/usr/bin/" + program, arguments, output: output).wait()
    }

    /// A new database of a cluster, with what the dump has.
    private static func restore(_ dump: URL, _ cluster: PrivateCluster, _ name: String, isStrict: Bool) throws -> Int32
    {
        _ = try cluster.tool("psql", ["-q", "-c", "create database \(name)"])
        return try run(
            "pg_restore",
            (isStrict ? ["-e"] : []) + ["-d", cluster.conninfo + " dbname=\(name)", dump.path],
            dump.deletingLastPathComponent()
        )
    }

    private func log(_ cluster: PrivateCluster, _ name: String) -> MigrationLog {
        MigrationLog(pool: PostgresPool(cluster.conninfo + " dbname=\(name)", name: "test", limit: 2))
    }

    @Test(
        "is whole in another cluster: the chain, the keys, the order and its checkpoints; what had no number yet gets one; and it goes on"
    )
    func restored() async throws {
        let trusted = try await TrustedLog()
        // A tail that nobody has sealed.
        try await trusted.perform(.resume(reason: "tail"), on: "m")
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent(
            "dump-\(UUID().uuidString.prefix(8))"
        )
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        let dump = folder.appendingPathComponent("log.dump")
        let conninfo = try TestDatabase.conninfo
        #expect(try await offThread { try Self.run("pg_dump", ["-Fc", "-f", dump.path, "-d", conninfo], folder) } == 0)
        let cluster = PrivateCluster(folder: folder.appendingPathComponent("c"))
        try await offThread { try cluster.start() }
        let result: Result<Void, any Error>
        do {
            result = .success(try await check(dump, cluster, trusted))
        } catch {
            result = .failure(error)
        }
        try await offThread { try cluster.stop() }
        try FileManager.default.removeItem(at: folder)
        try result.get()
    }

    @Test(
        "logins that could append when the cluster got the role to sign have it, and others not; who lost it since does not get it back"
    )
    func signers() async throws {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent(
            "roles-\(UUID().uuidString.prefix(8))"
        )
        let cluster = PrivateCluster(folder: folder.appendingPathComponent("c"))
        try await offThread { try cluster.start() }
        let result: Result<Void, any Error>
        do {
            for name in ["one", "two"] { _ = try cluster.tool("psql", ["-q", "-c", "create database \(name)"]) }
            func pool(_ name: String) -> PostgresPool {
                PostgresPool(cluster.conninfo + " dbname=\(name)", name: "test", limit: 1)
            }
            func maySign(_ pool: PostgresPool) async throws -> [String] {
                try await pool.run { connection in
                    try connection.query(
                        """
                        select rolname::text from pg_roles where rolcanlogin and not rolsuper and has_function_privilege(
                            oid, 'migrate.keep_checkpoint(bigint, bytea, text)', 'execute') order by rolname
                        """
                    ).rows.map { try $0.text("rolname") }
                }
            }
            let (one, two) = (pool("one"), pool("two"))
            _ = try await SchemaInstaller(pool: one, files: Array(Schema.files.prefix(11))).install()
            try await one.run {
                try $0.script(
                    """
                    create role worker login in role migrate_append; create role workers in role migrate_append;
                    create role member login in role workers; create role reader login in role migrate_read
                    """
                )
            }
            #expect(try await maySign(one) == ["member", "worker"])
            #expect(try await SchemaInstaller(pool: one).install().first == 12)
            #expect(try await maySign(one) == ["member", "worker"])
            try await one.run {
                try $0.script("revoke migrate_sign from worker; create role late login in role migrate_append")
            }
            _ = try await SchemaInstaller(pool: two).install()
            for pool in [one, two] { #expect(try await maySign(pool) == ["member"]) }
            await one.close()
            result = .success(await two.close())
        } catch {
            result = .failure(error)
        }
        try await offThread { try cluster.stop() }
        try FileManager.default.removeItem(at: folder)
        try result.get()
    }

    private func check(_ dump: URL, _ cluster: PrivateCluster, _ trusted: TrustedLog) async throws {
        // Without its roles it is not what it was, and the doctor says so.
        #expect(try await offThread { try Self.restore(dump, cluster, "strict", isStrict: true) } != 0)
        #expect(try await offThread { try Self.restore(dump, cluster, "bare", isStrict: false) } != 0)
        let bare = log(cluster, "bare")
        let finding = try #require(try await Doctor(bare).look(now: nil).first)
        #expect(finding.kind == .owner)
        #expect(finding.message.contains("belong to migrate and not to migrate_owner"))
        #expect(finding.mend?.contains("migrate db install") == true)
        await bare.pool.close()

        let other = PostgresPool(cluster.conninfo, name: "test", limit: 1)
        _ = try await SchemaInstaller(pool: other).install()
        await other.close()
        #expect(try await offThread { try Self.restore(dump, cluster, "whole", isStrict: true) } == 0)
        let log = log(cluster, "whole")
        #expect(try await SchemaInstaller(pool: log.pool).install().isEmpty)
        let doctor = Doctor(log)
        let found = try await doctor.look(now: nil)
        #expect(found.allSatisfy { [.restored, .unsealed, .sealer, .worker].contains($0.kind) }, "\(found)")
        for finding in found where finding.mend == nil { _ = try await doctor.mend(finding) }
        // Where the younger cluster's transactions have passed the old one's by now, it only waits for its turn.
        while try await log.sealNext() > 0 {}
        #expect(try await log.orderHead().size == 19)
        for name in ["m", "n"] {
            let report = try await Replay(name, of: log).run { _ in }
            #expect(report.divergence == nil, "\(name)")
        }
        let kept = try #require(trusted.kept), newer = try #require(try await log.sign(with: trusted.sealer))
        #expect(newer.size == 19)
        let proof = try await log.prover(size: newer.size).consistency(with: kept.size)
        #expect(
            MerkleTree.verify(
                consistencyOf: kept.size,
                root: kept.root,
                with: newer.size,
                root: newer.root,
                proof: proof
            )
        )
        let performed = try await log.perform(.halt(reason: "here"), on: "m", by: "ana", key: trusted.ana)
        guard case .halted(cause: .person, _)? = performed?.commit.events.first else {
            Issue.record("it does not go on: \(performed?.commit.events ?? [])")
            return
        }
        await log.pool.close()
    }
}
