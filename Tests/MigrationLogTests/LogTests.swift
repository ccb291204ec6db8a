import Foundation
import MigrationCore
import MigrationLog
import Postgres
import TestSupport
import Testing

/// A log in the test's own database.
struct TestLog: Sendable {
    let pool: PostgresPool
    let log: MigrationLog

    init() async throws {
        pool = PostgresPool(try TestDatabase.conninfo, name: "test log", limit: 8)
        log = MigrationLog(pool: pool)
        _ = try await SchemaInstaller(pool: pool).install()
    }

    /// A planned and started migration with a few refused overrides.
    func sample(_ name: String = "m") async throws {
        let plan = SamplePlan.plan(name)
        _ = try await log.perform(.plan(plan: plan, hash: try CommitHash.hash(of: plan)), on: name, by: "ana")
        _ = try await log.perform(.registerRouter(router: "r1", environment: "staging"), on: name, by: "worker:w")
        _ = try await log.perform(.start(reason: nil), on: name, by: "ana")
        _ = try await log.perform(.acknowledge(router: "r1", revision: 3), on: name, by: "worker:w")
        _ = try await log.perform(.start(reason: "again"), on: name, by: "ben")
        _ = try await log.perform(.halt(reason: "wait"), on: name, by: "ben")
    }

    func sql(_ sql: String, _ parameters: [PostgresValue] = []) async throws {
        try await pool.run { _ = try $0.query(sql, parameters) }
    }

    /// Seals until the order has so many commits; other tests' transactions, in the same cluster, hold it back for a moment.
    func seal(_ size: Int64) async throws {
        try await eventually("\(size) commits to be sealed") {
            let left = try await size - log.orderHead().size
            return try await log.sealNext(limit: left) == left
        }
    }

    func replay(_ name: String = "m") async throws -> Replay.Report {
        try await Replay(name, of: log).run { _ in }
    }

    /// A superuser's way round the triggers.
    func tamper(_ statements: String) async throws {
        try await pool.run {
            try $0.script(
                "set session_replication_role = replica; \(statements); set session_replication_role = default"
            )
        }
    }
}

@Suite("The log", .database)
struct LogTests {
    @Test("a stream is versions 1…n, and its replay is whole")
    func whole() async throws {
        let test = try await TestLog()
        try await test.sample()
        let report = try await test.replay()
        #expect(report.divergence == nil)
        #expect(report.commits == 6)
        #expect(report.state.migration?.phase.name == "halted")
        #expect(try await test.log.load("m").state == report.state)
    }

    @Test("one command ID gives one commit, however often it is sent, and is no other command")
    func commandID() async throws {
        let test = try await TestLog()
        try await test.sample()
        let id = UUID()
        let first = try #require(try await test.log.perform(.resume(reason: "go"), on: "m", by: "ana", id: id))
        let second = try #require(try await test.log.perform(.resume(reason: "go"), on: "m", by: "ana", id: id))
        #expect(second.commit == first.commit)
        #expect(second.isRepeated)
        let error = await #expect(throws: LogError.self) {
            try await test.log.perform(.halt(reason: "other"), on: "m", by: "ana", id: id)
        }
        #expect(error?.code == .commandReused)
        #expect(try await test.replay().commits == 7)
    }

    @Test("an append that waits for somebody gives up in time, and so does one that waits for its connection")
    func limited() async throws {
        let test = try await TestLog()
        try await test.sample()
        let holder = try await PostgresConnection(try TestDatabase.conninfo, name: "left idle")
        try await holder.run {
            // Nobody who waits without a limit waits for ever.
            _ = try $0.query("set idle_session_timeout = '20s'")
            _ = try $0.query("select pg_advisory_lock(hashtextextended('m', 0))")
        }
        let pool = PostgresPool(try TestDatabase.conninfo, name: "test", limit: 1)
        let log = MigrationLog(pool: pool, patience: .seconds(1))
        let begun = ContinuousClock.now
        let errors = await withTaskGroup(of: LogError?.self) { group in
            for number in 0..<3 {
                group.addTask {
                    await #expect(throws: LogError.self) {
                        try await log.perform(.resume(reason: "\(number)"), on: "m", by: "ana")
                    }
                }
            }
            return await group.reduce(into: []) { $0.append($1) }
        }
        #expect(errors.map { $0?.code } == [.contended, .contended, .contended])
        #expect(errors.allSatisfy { $0?.mend == "see who is in the way: migrate doctor" })
        #expect(ContinuousClock.now - begun < .seconds(10))
        await holder.close()
        #expect(try await test.replay().commits == 6)
        await pool.close()
    }

    @Test("a command ID that is sent again much later changes nothing, not even a projection")
    func commandIDLater() async throws {
        let test = try await TestLog()
        try await test.sample()
        _ = try await test.log.perform(.resume(reason: "go"), on: "m", by: "ana")
        let id = UUID()
        let command = Command.setWeight(
            weight: SamplePlan.weight(1_500),
            service: nil,
            environment: nil,
            reason: "look"
        )
        let first = try #require(try await test.log.perform(command, on: "m", by: "ana", id: id))
        _ = try await test.log.perform(.rollBack(reason: "calls"), on: "m", by: "ben")
        for _ in 0..<2 {
            let again = try #require(try await test.log.perform(command, on: "m", by: "ana", id: id))
            #expect(again.isRepeated)
            #expect(again.commit == first.commit)
        }
        let route = try #require(try await test.log.route("m", environment: "staging"))
        #expect(route.weights == ["a": .zero, "b": .zero])
        #expect(route.revision == first.commit.version + 1)
        #expect(try await test.replay().divergence == nil)
    }

    @Test("many writers at once leave one dense stream, each override once")
    func contention() async throws {
        let test = try await TestLog()
        try await test.sample()
        try await withThrowingTaskGroup(of: Void.self) { group in
            for writer in 0..<8 {
                group.addTask {
                    for turn in 0..<10 {
                        _ = try await test.log.perform(
                            .halt(reason: "\(writer)/\(turn)"),
                            on: "m",
                            by: "writer-\(writer)"
                        )
                    }
                }
            }
            try await group.waitForAll()
        }
        let report = try await test.replay()
        #expect(report.divergence == nil)
        #expect(report.commits == 86)
    }

    @Test("a killed backend neither loses nor doubles a command")
    func killedBackends() async throws {
        let test = try await TestLog()
        try await test.sample()
        let killer = Task {
            while !Task.isCancelled {
                try? await test.sql(
                    "select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()"
                )
                try? await Task.sleep(for: .milliseconds(25))
            }
        }
        for turn in 0..<60 {
            // Where each of its tries met a killer, it is sent again under its own ID.
            let id = UUID()
            var isDone = false
            for _ in 0..<50 where !isDone {
                do {
                    _ = try await test.log.perform(.halt(reason: "\(turn)"), on: "m", by: "ana", id: id)
                    isDone = true
                } catch let error as LogError where [.database, .unknownOutcome].contains(error.code) {}
            }
            #expect(isDone)
        }
        killer.cancel()
        await killer.value
        // Connections that the killer met last are found broken one by one.
        var report: Replay.Report?
        try await eventually("a replay on connections that live") {
            report = try? await test.replay()
            return report != nil
        }
        #expect(report?.divergence == nil)
        #expect(report?.commits == 66)
    }

    @Test(
        "the append refuses what is stale, undated, unnamed, no commit, or not the first write",
        arguments: [
            ("select migrate.append('m', 3, gen_random_uuid(), 'x', '{}'::bytea)", "MG001"),
            ("select migrate.append('m', 6, gen_random_uuid(), 'x', 'no json'::bytea)", "MG005"),
            (
                "select migrate.append('m', 6, gen_random_uuid(), 'x', '{\"command\":1,\"events\":[],\"decidedAt\":1}'::bytea)",
                "MG003"
            ),
            (
                "select migrate.append('m', 6, gen_random_uuid(), 'x', '{\"command\":1,\"events\":[],\"decidedAt\":99999999999999999}'::bytea)",
                "MG003"
            ),
            (
                "select migrate.append('m', 6, gen_random_uuid(), 'x', '{\"command\":1,\"events\":[1],\"decidedAt\":1}'::bytea)",
                "MG005"
            ),
            ("select migrate.append('m', null, gen_random_uuid(), 'x', '{}'::bytea)", "23514"),
            ("select migrate.append('m', -1, gen_random_uuid(), 'x', '{}'::bytea)", "MG001"),
            ("select migrate.append('', 0, gen_random_uuid(), 'x', '{}'::bytea)", "23514"),
            ("select migrate.append(repeat('m', 201), 0, gen_random_uuid(), 'x', '{}'::bytea)", "23514"),
            ("select migrate.append('m', 6, gen_random_uuid(), '', '{}'::bytea)", "23514"),
            ("select migrate.append('m', 6, gen_random_uuid(), repeat('x', 201), '{}'::bytea)", "23514"),
            ("select migrate.append(null, 0, gen_random_uuid(), 'x', '{}'::bytea)", "23514"),
            ("select migrate.append('m', 6, null, 'x', '{}'::bytea)", "23514"),
            ("select migrate.append('m', 6, gen_random_uuid(), 'x', null)", "23514"),
        ]
    )
    func refuses(_ sql: String, _ state: String) async throws {
        let test = try await TestLog()
        try await test.sample()
        let error = await #expect(throws: PostgresError.self) { try await test.sql(sql) }
        #expect(error?.sqlState == state)
        let late = await #expect(throws: PostgresError.self) {
            try await test.pool.transact { connection in
                _ = try connection.query("create table t (n int)")
                _ = try connection.query("select migrate.append('n', 0, gen_random_uuid(), 'x', '{}'::bytea)")
            }
        }
        #expect(late?.sqlState == "MG004")
    }

    @Test(
        "changes are refused to the append role by privilege and to the owner by trigger",
        arguments: [
            "update migrate.commit set actor = 'x'", "delete from migrate.commit", "truncate migrate.commit",
            "delete from migrate.log",
        ]
    )
    func appendOnly(_ sql: String) async throws {
        let test = try await TestLog()
        try await test.sample()
        for (role, state) in [("migrate_append", "42501"), ("migrate_owner", "MG007")] {
            let error = await #expect(throws: PostgresError.self) {
                try await test.pool.transact { connection in
                    _ = try connection.query("set local role \(role)")
                    _ = try connection.query(sql)
                }
            }
            #expect(error?.sqlState == state, "\(role)")
        }
    }

    @Test("a command ID that another stream’s commit takes at the same moment is one that was used")
    func takenMeanwhile() async throws {
        let test = try await TestLog()
        try await test.sample()
        let id = UUID()
        let other = try await PostgresConnection(try TestDatabase.conninfo, name: "other")
        try await other.run { connection in
            try connection.query("begin")
            _ = try connection.query(
                """
                select version from migrate.append('other', 0, $1::uuid, 'w', convert_to(
                    '{"command":1,"events":[],"decidedAt":' || (extract(epoch from clock_timestamp()) * 1000000)::bigint - 1 || '}', 'UTF8'))
                """,
                [.text(id.uuidString)]
            )
        }
        let performed = Task { try await test.log.perform(.resume(reason: "go"), on: "m", by: "ana", id: id) }
        try await eventually("the append to wait for the other") {
            try await test.pool.run { connection in
                try connection.query(
                    "select from pg_stat_activity where datname = current_database() and wait_event = 'transactionid'"
                ).first != nil
            }
        }
        try await other.run { _ = try $0.query("commit") }
        await other.close()
        let error = await #expect(throws: LogError.self) { try await performed.value }
        #expect(error?.code == .commandReused)
    }

    @Test("the append role appends")
    func appendRole() async throws {
        let test = try await TestLog()
        try await test.sample()
        let log = MigrationLog(
            pool: PostgresPool(try TestDatabase.conninfo + " options='-c role=migrate_append'", name: "append role")
        )
        #expect(try await log.perform(.resume(reason: "go"), on: "m", by: "ana") != nil)
        #expect(try await log.lease("x", to: "w", for: .seconds(1)) == 1)
        #expect(try await test.replay().divergence == nil)
    }

    @Test("a lease has one holder; a takeover raises its epoch")
    func leases() async throws {
        let test = try await TestLog()
        #expect(try await test.log.lease("m", to: "a", for: .seconds(60)) == 1)
        #expect(try await test.log.lease("m", to: "b", for: .seconds(60)) == nil)
        #expect(try await test.log.lease("m", to: "a", for: .seconds(60)) == 1)
        try await test.log.resign(["m"], of: "a")
        #expect(try await test.log.lease("m", to: "b", for: .seconds(60)) == 2)
        #expect(try await test.log.lease("m", to: "a", for: .seconds(60)) == nil)
    }

    @Test(
        "measurements are taken while a migration runs, leave the table with their window, and are late once it is sealed"
    )
    func signals() async throws {
        let test = try await TestLog()
        let plan = SamplePlan.plan("m", window: .milliseconds(400))
        _ = try await test.log.perform(.plan(plan: plan, hash: try CommitHash.hash(of: plan)), on: "m", by: "ana")
        func signal(_ k: Int64) -> RouterSignal {
            RouterSignal(k: k, router: "r1", environment: "staging", services: [ServiceWindow(), ServiceWindow()])
        }
        func hand(_ signals: [RouterSignal]) async throws -> TimeSpan? {
            try await test.log.hand(in: signals, of: "m", clock: plan.clock)
        }
        #expect(try await hand([signal(1)]) == nil)
        #expect(try await test.log.look(at: "m", from: nil).1.late.isEmpty)
        _ = try await test.log.perform(.start(reason: nil), on: "m", by: "ana")
        let next = try #require(try await test.log.load("m").state.migration?.nextWindow)
        // A window that is not over yet comes from a clock that is ahead: an hour later its traffic would pass for that hour's.
        let ahead = try #require(try await hand([signal(next + 1_000)]))
        #expect(ahead > plan.window * 900)
        try await eventually("the window to be over") { try await hand([signal(next)]) == nil }
        #expect(try await hand([signal(next - 1), signal(next)]) == nil)
        let (stream, sight) = try await test.log.look(at: "m", from: nil)
        #expect(sight.signals.map(\.k) == [next])
        #expect(sight.late.map(\.k) == [next - 1])
        try await test.sql("do $$ begin assert (select max(k) from migrate.signal) = \(next); end $$")
        let late = Command.recordLate(k: next - 1, router: "r1", requests: 0)
        #expect(try await test.log.perform(worker: late, on: stream, by: "worker:w") != nil)
        #expect(try await test.log.look(at: "m", from: nil).1.late.isEmpty)
    }

    @Test("an amended plan is replayed, its projections lose what it lost, and the plan of any version is known")
    func amended() async throws {
        let test = try await TestLog()
        try await test.sample()
        let first = SamplePlan.plan()
        var second = first
        second.triggers[0].condition.test = .threshold(side: .above, value: 90_000)
        second.criteria.append(Criterion(condition: Condition(metric: .timeoutRate, side: .below, threshold: 20_000)))
        for plan in [second, first] {
            let hash = try CommitHash.hash(of: plan)
            _ = try await test.log.perform(.amend(plan: plan, hash: hash, reason: "closer"), on: "m", by: "ana")
            let rows = try await test.pool.run {
                try $0.query(
                    "select condition from migrate.criterion where stream = 'm' and stage = 'staging' order by kind, number"
                )
                .rows.map { try $0.text("condition") }
            }
            #expect(rows.count == plan.criteria.count + plan.triggers.count)
            #expect(rows.last == plan.triggers[0].description)
            #expect(try await test.replay().divergence == nil)
        }
        #expect(try await test.log.plan(of: "m", at: 6) == first)
        #expect(try await test.log.plan(of: "m", at: 7) == second)
        #expect(try await test.log.plan(of: "m", at: 8) == first)
        // A plan that does not hash to its hash is named.
        _ = try await test.log.perform(.amend(plan: second, hash: "wrong", reason: "x"), on: "m", by: "ana")
        #expect(try await test.replay().divergence?.version == 9)
    }

    @Test("what was read before a failover that lost it, and went another way, is not built upon")
    func forked() async throws {
        let test = try await TestLog()
        try await test.sample()
        let known = try await test.log.load("m")
        // The standby had not got the last commit, and takes another one in its place.
        try await test.tamper(
            """
            delete from migrate.commit where stream = 'm' and version = 6;
            update migrate.stream s set version = 5, head = c.hash, at = c.at from migrate.commit c
                where s.stream = 'm' and c.stream = 'm' and c.version = 5
            """
        )
        _ = try await test.log.perform(.rollBack(reason: "calls"), on: "m", by: "eve")
        let read = try await test.log.load("m", from: known)
        #expect(read.state.version == 6)
        #expect(read.state.migration?.phase.name == "rollingBack")
        let performed = try await test.log.perform(.tick, on: "m", by: "worker:w", known: known)
        #expect(performed == nil)
        let resumed = try await test.log.perform(.resume(reason: "go on"), on: "m", by: "ana", known: known)
        guard case .overrideRefused? = resumed?.commit.events.first else {
            Issue.record("decided on what the log has lost")
            return
        }
    }

    @Test("a snapshot begins the reading and changes nothing of what is read")
    func snapshot() async throws {
        let test = try await TestLog()
        try await test.sample()
        for turn in 0..<260 { _ = try await test.log.perform(.halt(reason: "\(turn)"), on: "m", by: "ana") }
        let loaded = try await test.log.load("m")
        #expect(loaded.state == (try await test.replay().state))
        func rewrite(_ body: String) async throws {
            try await test.tamper("update migrate.snapshot set body = convert_to(\(body), 'UTF8')")
        }
        let now = "convert_from(body, 'UTF8')"
        // It is read: what stands in it is believed, and the replay finds it.
        try await rewrite("replace(\(now), '\"plannedBy\":\"ana\"', '\"plannedBy\":\"eve\"')")
        #expect(try await test.log.load("m").state.migration?.plannedBy == "eve")
        #expect(try await test.replay().divergence?.message.contains("the snapshot") == true)
        // Another release's, which has other things to remember, is left alone, and the next commit brings this one's.
        try await rewrite("(\(now)::jsonb || '{\"form\": 99}')::text")
        let without = try await test.log.load("m")
        #expect(without.state == loaded.state && without.folded == loaded.state.version)
        #expect(try await test.replay().divergence == nil)
        _ = try await test.log.perform(.halt(reason: "once more"), on: "m", by: "ana")
        #expect(try await test.log.load("m").folded == 0)
        #expect(try await test.replay().divergence == nil)
        let last = try await test.log.load("m").state
        try await test.sql("delete from migrate.snapshot")
        #expect(try await test.log.load("m").state == last)
    }
}
