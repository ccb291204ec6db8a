import Foundation
import Logging
import MigrationCore
import MigrationLog
import Postgres
import TestSupport
import Testing
import Worker

@Suite("The sealing by workers", .database)
struct SealerTests {
    private struct Look {
        var holder: String
        var epoch: Int64
        var sealed: Int64
        var commits: Int64
    }

    private func worker(_ log: MigrationLog, _ heard: HeardErrors) throws -> Worker {
        Worker(
            name: "w",
            log: log,
            listener: LogListener(try TestDatabase.conninfo, name: "w", channels: []),
            leaseLife: .milliseconds(900),
            pollEvery: .milliseconds(50),
            logger: Logger(label: "w") { _ in heard }
        )
    }

    /// The lease and the order at one moment.
    private func look(_ log: MigrationLog) async throws -> Look {
        let row = try await log.pool.run { connection in
            try connection.query(
                """
                select l.holder, l.epoch, (select n from migrate.sealer) as sealed, (select count(*) from migrate.commit) as commits
                from migrate.lease l where l.name = $1::text
                """,
                [.text(MigrationLog.sealerLease)]
            ).first
        }
        let found = try #require(row)
        return Look(
            holder: try found.text("holder"),
            epoch: try found.int("epoch"),
            sealed: try found.int("sealed"),
            commits: try found.int("commits")
        )
    }

    @Test("says who holds the order back, when that has been so for a minute")
    func heldBack() async throws {
        let conninfo = try TestDatabase.conninfo
        let log = MigrationLog(pool: PostgresPool(conninfo, name: "test", limit: 8))
        _ = try await SchemaInstaller(pool: log.pool).install()
        let holder = try await PostgresConnection(conninfo, name: "forgotten session")
        try await holder.run {
            try $0.query("begin")
            _ = try $0.query("select pg_current_xact_id()")
        }
        let command = TrustCommand.addKey(owner: "ana", key: SigningKey().publicKey, roles: [.operate], reason: "x")
        _ = try await log.perform(command, by: "kim", key: nil)
        try await log.pool.run {
            try $0.script(
                """
                set session_replication_role = replica; update migrate.commit set at = at - interval '61 seconds';
                set session_replication_role = default
                """
            )
        }
        let heard = HeardErrors()
        let worker = try worker(log, heard)
        let task = Task { try await worker.run() }
        let alarm = "a transaction holds the order back: see migrate doctor"
        try await eventually("the alarm") { heard.all.contains(alarm) }
        try await holder.run { _ = try $0.query("rollback") }
        await holder.close()
        try await eventually("the commit to have its number") { try await log.orderHead().size == 1 }
        task.cancel()
        _ = await task.result
        #expect(heard.all.filter { $0 == alarm }.count == 1)
    }

    @Test("one that is gone without a word is waited for as long as its lease, and then another seals where it stopped")
    func takeover() async throws {
        let conninfo = try TestDatabase.conninfo
        let log = MigrationLog(pool: PostgresPool(conninfo, name: "test", limit: 8))
        _ = try await SchemaInstaller(pool: log.pool).install()
        func add(_ owner: String) async throws {
            let command = TrustCommand.addKey(
                owner: owner,
                key: SigningKey().publicKey,
                roles: [.operate],
                reason: "x"
            )
            _ = try await log.perform(command, by: "kim", key: nil)
        }
        try await add("ana")
        let epoch = try #require(try await log.lease(MigrationLog.sealerLease, to: "gone", for: .hours(1)))
        try await eventually("its last") { try await log.sealNext() == 1 }
        try await add("ben")
        let worker = try worker(log, HeardErrors())
        let task = Task { try await worker.run() }
        // It lives, and has asked for the lease more than once by now.
        var renewals: Set<Int64> = []
        try await eventually("three renewals of its own lease") {
            let row = try await log.pool.run {
                try $0.query(
                    "select (extract(epoch from expires_at) * 1000000)::bigint as until from migrate.lease where name = 'worker/w'"
                ).first
            }
            if let row { renewals.insert(try row.int("until")) }
            return renewals.count > 3
        }
        let waiting = try await look(log)
        #expect((waiting.holder, waiting.epoch, waiting.sealed, waiting.commits) == ("gone", epoch, 1, 2))
        try await log.pool.run {
            _ = try $0.query(
                "update migrate.lease set expires_at = clock_timestamp() where name = $1::text",
                [.text(MigrationLog.sealerLease)]
            )
        }
        try await eventually("the rest to be sealed") { try await look(log).sealed == 2 }
        let taken = try await look(log)
        #expect((taken.holder, taken.epoch) == ("w", epoch + 1))
        // The other comes back, and seals as if it had never been away: each commit has one place all the same.
        for owner in ["cem", "dora", "eva"] {
            try await add(owner)
            _ = try await log.sealNext()
        }
        try await eventually("everything") { try await look(log).sealed == 5 }
        #expect(try await log.sealed(after: 0).map(\.row.version) == [1, 2, 3, 4, 5])
        #expect(try await OrderAudit(log).run().divergence == nil)
        task.cancel()
        _ = await task.result
        await log.pool.close()
    }
}
