import Foundation
import MigrationCore
import MigrationLog
import Postgres
import TestSupport
import Testing

@Suite("The doctor, and projections that are written anew", .database)
struct DoctorTests {
    /// What is wrong, without what other tests in the same cluster bring about for a moment.
    ///
    /// - Parameter isAttended: whether a worker is there.
    private func look(_ test: TestLog, now: Timestamp? = nil, isAttended: Bool = true) async throws -> [Doctor.Finding]
    {
        if isAttended { _ = try await test.log.lease(MigrationLog.presenceLease + "w", to: "w", for: .seconds(60)) }
        return try await Doctor(test.log).look(now: now).filter { ![.horizon, .unsealed, .sealer].contains($0.kind) }
    }

    @Test("finds nothing wrong with a log that is well")
    func well() async throws {
        let test = try await TestLog()
        try await test.sample()
        #expect(try await look(test).isEmpty)
        let now = try await test.log.load("m").now
        #expect(try await look(test, now: now).isEmpty)
        let off = try await look(test, now: now + .hours(1))
        #expect(off.map(\.kind) == [.clock])
        #expect(off[0].message.contains("ahead of the database’s"))
    }

    @Test("names what no worker judges, also while it is halted, and not what nobody has to")
    func unattended() async throws {
        let test = try await TestLog()
        let plan = SamplePlan.plan("planned")
        _ = try await test.log.perform(.plan(plan: plan, hash: try CommitHash.hash(of: plan)), on: "planned", by: "ana")
        #expect(try await look(test, isAttended: false).isEmpty)
        try await test.sample()
        for next in [nil, Command.resume(reason: "go")] {
            if let next { _ = try await test.log.perform(next, on: "m", by: "ben") }
            let findings = try await look(test, isAttended: false)
            #expect(findings.map(\.kind) == [.worker])
            #expect(findings.first?.message.contains("rolls back m:") == true)
        }
        #expect(try await look(test).isEmpty)
    }

    @Test("names a head that is gone, and removes nothing that belongs to its commits")
    func lostHead() async throws {
        let test = try await TestLog()
        try await test.sample()
        try await test.tamper("delete from migrate.stream where stream = 'm'")
        for _ in 0..<2 {
            let findings = try await look(test)
            #expect(findings.map(\.kind) == [.head])
            #expect(findings.first?.message == "the head of m is gone, and its last commit is 6")
            for finding in findings { #expect(try await Doctor(test.log).mend(finding) == nil) }
        }
    }

    @Test("names a migration that nobody can read, where its head is as it was")
    func unreadable() async throws {
        let test = try await TestLog()
        try await test.sample()
        try await test.tamper("update migrate.commit set actor = 'eve' where version = 3")
        let findings = try await look(test)
        #expect(findings.map(\.kind) == [.unreadable])
        #expect(findings.first?.message.contains("m cannot be read") == true)
        #expect(findings.first?.message.contains("version 3") == true, "\(findings)")
    }

    @Test("names who keeps appends to a migration waiting, also where it may not see since when")
    func locked() async throws {
        let test = try await TestLog()
        try await test.sample()
        let holder = try await PostgresConnection(try TestDatabase.conninfo, name: "left idle")
        try await holder.run { _ = try $0.query("select pg_advisory_lock(hashtextextended('m', 0))") }
        // It is held for a moment only, as far as anybody knows.
        #expect(try await look(test).isEmpty)
        let narrow = try TestDatabase.conninfo + " options='-c role=migrate_append'"
        let worker = MigrationLog(pool: PostgresPool(narrow, name: "worker", limit: 1))
        let findings = try await Doctor(worker).look(now: nil).filter { $0.kind == .locked }
        #expect(findings.first?.message.contains("(left idle) keeps appends to m waiting") == true, "\(findings)")
        #expect(findings.first?.mend?.contains("pg_terminate_backend") == true)
        #expect(findings.count == 1)
        await worker.pool.close()
        await holder.close()
    }

    @Test("writes a snapshot anew that stands beside no commit, at which every replay would stop")
    func snapshot() async throws {
        let test = try await TestLog()
        try await test.sample()
        try await test.sql("insert into migrate.snapshot values ('m', 9223372036854775807, '', '{}')")
        #expect(try await test.replay().divergence != nil)
        let findings = try await look(test)
        #expect(findings.map(\.kind) == [.snapshot])
        #expect(try await Doctor(test.log).mend(try #require(findings.first)) == "wrote the snapshot of m anew")
        #expect(try await look(test).isEmpty)
        #expect(try await test.replay().divergence == nil)
        // And one that is another state's, with the projections of that.
        try await test.sql(
            "update migrate.snapshot set body = replace(convert_from(body, 'UTF8'), 'halted', 'holted')::bytea"
        )
        try await test.tamper("update migrate.migration set phase = 'running'")
        for finding in try await look(test) { #expect(try await Doctor(test.log).mend(finding) != nil) }
        #expect(try await test.replay().divergence == nil)
    }

    @Test("writes the projections of each migration anew that has wrong ones, and says which")
    func several() async throws {
        let test = try await TestLog()
        try await test.sample()
        try await test.sample("n")
        try await test.tamper("update migrate.traffic set revision = revision + 1")
        let findings = try await look(test)
        #expect(findings.map(\.kind) == [.projection, .projection])
        var mended: [String] = []
        for finding in findings { mended.append(try #require(try await Doctor(test.log).mend(finding))) }
        #expect(mended.sorted() == ["wrote the projections of m anew", "wrote the projections of n anew"])
        #expect(try await look(test).isEmpty)
    }

    @Test("names an unsealed tail, who holds the order back, and that nobody seals; and seals what it can")
    func unsealed() async throws {
        let test = try await TestLog()
        let holder = try await PostgresConnection(try TestDatabase.conninfo, name: "forgotten session")
        try await holder.run {
            try $0.query("begin")
            _ = try $0.query("select pg_current_xact_id()")
        }
        // After it, and so held back by it.
        try await test.sample()
        // As if all of it had begun a minute ago.
        try await test.tamper("update migrate.commit set at = at - interval '1 minute'")
        let doctor = Doctor(test.log)
        let findings = try await doctor.look(now: nil)
        #expect(findings.contains { $0.kind == .unsealed && $0.message.hasPrefix("6 commits have no number yet") })
        #expect(findings.contains { $0.kind == .sealer })
        let oldest = try await test.log.horizon().holders
        #expect(oldest.contains { $0.application == "forgotten session" && $0.age != nil })
        // Who may not see how old it is says so, and names it all the same.
        let narrow = try TestDatabase.conninfo + " options='-c role=migrate_append'"
        let worker = MigrationLog(pool: PostgresPool(narrow, name: "worker", limit: 1))
        #expect(try await worker.horizon().holders.contains { $0.application == "forgotten session" && $0.age == nil })
        let seen = try await Doctor(worker).look(now: nil).filter { $0.kind == .horizon }
        #expect(
            seen.contains { $0.message.contains("(forgotten session)") && $0.message.contains("pg_read_all_stats") }
        )
        #expect(seen.allSatisfy { $0.mend?.contains("pg_terminate_backend") == true })
        await worker.pool.close()
        let unsealed = try #require(findings.first { $0.kind == .unsealed })
        #expect(try await doctor.mend(unsealed) == nil)
        try await holder.run { _ = try $0.query("rollback") }
        await holder.close()
        try await eventually("the doctor to seal") {
            _ = try await doctor.mend(unsealed)
            return try await test.log.orderHead().size == 6
        }
        #expect(try await !doctor.look(now: nil).contains { $0.kind == .unsealed })
    }

    @Test("mends the order after a logical restore, dead leases, old measurements, and projections that are behind")
    func mends() async throws {
        let test = try await TestLog()
        try await test.sample()
        try await test.tamper(
            """
            update migrate.commit set xid = (xid::text::bigint + 1000000000)::text::xid8;
            insert into migrate.lease values ('worker/old', 'old', 1, now() - interval '2 days');
            insert into migrate.signal values ('m', 1, 'r', 'staging', '', now() - interval '2 days');
            update migrate.migration set phase = 'rolledBack';
            update migrate.traffic set asked = 17 where service = 'a' and environment = 'staging';
            insert into migrate.migration select (jsonb_populate_record(m, '{"stream": "ghost"}')).* from migrate.migration m
            """
        )
        let doctor = Doctor(test.log)
        let findings = try await look(test)
        #expect(Set(findings.map(\.kind)) == [.restored, .leases, .signals, .projection, .stray])
        // The measurements first: they are of a migration that is over by its projections alone, which are wrong.
        for finding in findings.sorted(by: { $0.kind == .signals && $1.kind != .signals }) {
            #expect(try await doctor.mend(finding) != nil, "\(finding)")
        }
        #expect(try await look(test).isEmpty)
        #expect(try await test.replay().divergence == nil)
        let signal = try #require(findings.first { $0.kind == .signals })
        #expect(try await doctor.mend(signal) == nil)
        let signals = try await test.log.pool.run { try $0.query("select from migrate.signal").rows.count }
        #expect(signals == 0)
    }

    @Test("names commits that the order has passed by after a logical restore, although others have numbers by now")
    func passed() async throws {
        let test = try await TestLog()
        try await test.sample()
        // What a restore has brought, whose transactions are of long ago; then one of today.
        try await test.tamper("update migrate.commit set xid = '3'")
        try await test.sample("n")
        try await test.tamper("update migrate.sealer set xid = '4'")
        try await eventually("those of today to have numbers") {
            _ = try await test.log.sealNext()
            return try await test.log.orderHead().size == 6
        }
        let doctor = Doctor(test.log)
        let restored = try #require(try await doctor.look(now: nil).first { $0.kind == .restored })
        #expect(restored.message.hasPrefix("6 commits"))
        #expect(try await doctor.mend(restored) != nil)
        #expect(try await test.log.orderHead().size == 12)
        #expect(try await !doctor.look(now: nil).contains { $0.kind == .restored })
    }

    @Test("a head that is not the last commit is for a person")
    func head() async throws {
        let test = try await TestLog()
        try await test.sample()
        try await test.tamper("delete from migrate.commit where version = 6")
        let finding = try #require(try await look(test).first { $0.kind == .head })
        #expect(finding.message.contains("version 6, and its last commit is 5"))
        #expect(try await Doctor(test.log).mend(finding) == nil)
    }

    @Test("projections are written anew to the last row's version, and no reader sees a half meanwhile")
    func rebuild() async throws {
        let test = try await TestLog()
        try await test.sample()
        try await test.sql("delete from migrate.criterion where kind = 'trigger'")
        try await test.sql("update migrate.traffic set asked = 17, version = 1")
        let rebuild = Rebuild("m", of: test.log)
        let differences = try await rebuild.differences()
        #expect(differences.count == 6)
        #expect(differences[0].row.hasPrefix("criterion/"))
        #expect(differences[0].recorded == nil)
        let whole = 1 + 4 + 4
        let reader = Task {
            var counts: Set<Int64> = []
            while !Task.isCancelled {
                let count = try await test.pool.run { connection in
                    try connection.query(
                        """
                        select (select count(*) from migrate.migration) + (select count(*) from migrate.traffic)
                            + (select count(*) from migrate.criterion) as found
                        """
                    ).first?.int("found") ?? 0
                }
                counts.insert(count)
            }
            return counts
        }
        for turn in 0..<30 {
            let rows = try await rebuild.run()
            #expect(rows == whole)
            _ = try await test.log.perform(.halt(reason: "\(turn)"), on: "m", by: "ana")
        }
        reader.cancel()
        let counts = try await reader.value
        // What was there before, and the whole; nothing between.
        #expect(counts.isSubset(of: [Int64(whole - 2), Int64(whole)]), "\(counts)")
        #expect(try await rebuild.differences().isEmpty)
        #expect(try await test.replay().divergence == nil)
    }
}
