import Foundation
import MigrationCore
import MigrationLog
import Postgres
import Schema
import Synchronization
import TestSupport
import Testing

@Suite("What is asked of the database", .database)
struct QueryTests {
    private static let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent()

    /// The documented queries, one by one.
    private static func documented() throws -> [String] {
        let text = try String(contentsOf: root.appendingPathComponent("docs/reference.md"), encoding: .utf8)
        let blocks = text.components(separatedBy: "```sql\n").dropFirst()
        let sql = try #require(blocks.first?.components(separatedBy: "```").first)
        return sql.components(separatedBy: ";\n").filter { $0.contains("select") }
    }

    @Test("the documented queries run for whoever may only read, and say what the log says")
    func documentedQueries() async throws {
        let test = try await TestLog()
        try await test.sample("recommendations")
        _ = try await test.log.perform(.rollBack(reason: "calls"), on: "recommendations", by: "ana")
        try await test.seal(7)
        let queries = try Self.documented()
        #expect(queries.count == 6)
        let reader = PostgresPool(try TestDatabase.conninfo + " options='-c role=migrate_read'", name: "reader")
        var answers: [[PostgresRow]] = []
        for query in queries { answers.append(try await reader.run { try $0.query(query).rows }) }
        #expect(try answers[0].map { try $0.text("set_by") } == ["ana", "ana", "ana", "ana"])
        #expect(answers[0].count == 4)
        #expect(try answers[2].map { try $0.text("reason").contains("calls") } == [true])
        #expect(try answers[2].map { try $0.text("decided_by") } == ["ana"])
        #expect(try answers[3].map { try $0.text("command") }.contains("rollBack"))
        #expect(try answers[4].map { try $0.int("version") } == [3, 7, 7])
        #expect(try answers[5].map { try $0.int("place") }.last == 7)
        await reader.close()
    }

    /// A hot query, and the index that it goes by.
    private static let hot: [(name: String, sql: String, parameters: [PostgresValue], index: String)] = [
        ("read on", MigrationLog.readOnQuery, [.text("m2"), .int(1_990)], "commit_stream_version_key"),
        ("replay", MigrationLog.rowsQuery, [.text("m2"), .int(1_000), .int(1_000)], "commit_stream_version_key"),
        ("follow", MigrationLog.sealedQuery, [.int(9_000), .int(500)], "seal_pkey"),
        (
            "seal",
            """
            select c.id, c.xid, c.stream, c.version, c.hash from only migrate.commit c
            where (c.xid, c.id) > ($1::text::xid8, $2::bigint) and c.xid < pg_snapshot_xmin(pg_current_snapshot()) and c.id > 0
            order by c.xid, c.id limit 1000
            """, [.text("1"), .int(1)], "commit_order"
        ),
        (
            "a command's commit", "select version from migrate.commit where command_id = $1::uuid",
            [.text("6f9619ff-8b86-d011-b42d-00c04fc964ff")], "commit_command_id_key"
        ),
        (
            "the last commit",
            "select hash from only migrate.commit c where c.stream = $1::text and c.version = $2::bigint",
            [.text("m2"), .int(900)], "commit_stream_version_key"
        ),
        (
            "a route", MigrationLog.routeQuery, [.text("m2"), .text("e1")], "commit_stream_version_key"
        ),
        ("what routers say", MigrationLog.reportsQuery, [.text("m2")], "router_pkey"),
        ("what was measured", MigrationLog.signalsQuery, [.text("m2"), .int(900)], "signal_pkey"),
        ("what came late", MigrationLog.lateQuery, [.text("m2"), .int(900)], "signal_pkey"),
        ("a snapshot", MigrationLog.snapshotQuery, [.text("m2")], "commit_stream_version_key"),
        ("what waits for a number", MigrationLog.unsealedQuery, [], "commit_order"),
        ("who holds the order back", MigrationLog.holdersQuery, [], "commit_order"),
        ("what is not over", MigrationLog.unfinishedQuery, [], "commit_stream_version_key"),
        (
            "the last commit in the cold",
            "select hash from migrate.commit_cold c where c.stream = $1::text and c.version = $2::bigint",
            [.text("cold2"), .int(900)], "commit_cold_stream_version_key"
        ),
    ]

    @Test("no hot query sorts, or reads a whole table")
    func plans() async throws {
        let test = try await TestLog()
        // Twenty streams of a thousand commits, as the statistics see them; what they say is nobody's concern here.
        try await test.tamper(
            """
            insert into migrate.commit (xid, stream, version, command_id, actor, at, body, prev, hash, incarnation)
                select (n / 3)::text::xid8, 'm' || n % 20, n / 20 + 1, gen_random_uuid(), 'w', now(), repeat('x', 900)::bytea, '', sha256(n::text::bytea), 1
                from generate_series(0, 19999) n;
            insert into migrate.commit_cold (id, xid, stream, version, command_id, actor, at, body, prev, hash, incarnation)
                select 100000 + n, '1', 'cold' || n % 5, n / 5 + 1, gen_random_uuid(), 'w', now(), repeat('x', 900)::bytea, '', sha256(n::text::bytea), 1
                from generate_series(0, 9999) n;
            insert into migrate.stream select stream, max(version), '', now() from migrate.commit group by stream;
            insert into migrate.seal select row_number() over (order by xid, id), id, hash from migrate.commit;
            update migrate.sealer set xid = (select max(xid) from migrate.commit), id = (select max(id) from migrate.commit);
            insert into migrate.router select 'm' || n % 2000, 'r' || n / 2000, 'e1', null, 1, '', now() from generate_series(0, 9999) n;
            insert into migrate.signal (stream, k, router, environment, body)
                select 'm' || n % 20, n / 20, 'r1', 'e1', repeat('x', 900)::bytea from generate_series(0, 19999) n;
            insert into migrate.traffic select 'm' || n % 2000, 'e' || n / 2000, 'a', 1, 1, 0, 0, 1, 1 from generate_series(0, 9999) n;
            insert into migrate.migration select 'm' || n, 1, 'rolledBack', null, null, '', now(), 'w' from generate_series(0, 1999) n;
            insert into migrate.snapshot select stream, 900, '', repeat('x', 5000)::bytea from migrate.stream;
            analyze migrate.router; analyze migrate.signal; analyze migrate.traffic; analyze migrate.migration; analyze migrate.snapshot;
            analyze migrate.commit; analyze migrate.commit_cold; analyze migrate.seal; analyze migrate.stream
            """
        )
        // The functions' own statements are the ones that are explained here.
        for (function, parts) in [
            (
                "seal_next",
                [
                    "from only migrate.commit c",
                    "where (c.xid, c.id) > (v_sealer.xid, v_sealer.id) and c.xid < pg_snapshot_xmin(pg_current_snapshot())",
                    "order by c.xid, c.id limit p_limit",
                ]
            ),
            (
                "append",
                [
                    "from migrate.commit c where c.command_id = p_command_id;",
                    "from only migrate.commit c where c.stream = p_stream and c.version = v_was;",
                    "from migrate.commit_cold c where c.stream = p_stream and c.version = v_was;",
                ]
            ),
        ] {
            let source = try await test.pool.run { connection in
                try connection.query(
                    "select prosrc from pg_proc where proname = $1::text order by pronargs desc limit 1",
                    [.text(function)]
                ).first?.text("prosrc") ?? ""
            }
            for part in parts { #expect(source.contains(part), "\(function): \(part)") }
        }
        for query in Self.hot {
            let plan = try await test.pool.run { connection in
                try connection.query("explain (costs off) " + query.sql, query.parameters).rows.map {
                    try $0.text("QUERY PLAN")
                }
            }
            let text = plan.joined(separator: "\n")
            #expect(text.contains(query.index), "\(query.name): \(text)")
            // What is after a place in the order is found there, and not looked for among all.
            #expect(!text.contains(/Filter: .*ROW\([^)]*\) > ROW/), "\(query.name): \(text)")
            // What is merged by two indices is sorted by nobody; sessions are few.
            #expect(
                query.sql.contains("pg_stat_activity")
                    || !plan.contains { $0.contains("Sort") && !$0.contains("Sort Key") },
                "\(query.name): \(text)"
            )
            // Streams are few: that one is read whole is no fault.
            #expect(
                !text.contains("Seq Scan on commit") && !text.contains(/Seq Scan on seal\b/),
                "\(query.name): \(text)"
            )
        }
    }

    /// What the server counts of a table.
    private static func read(_ test: TestLog, _ table: String, _ counted: String) async throws -> Int64 {
        try await test.pool.run { connection in
            try connection.query(
                "select (\(counted))::bigint as n from pg_stat_user_tables where schemaname = 'migrate' and relname = $1::text",
                [.text(table)]
            ).first?.int("n") ?? 0
        }
    }

    @Test("an append reads no more rows in a log that has grown than in one that was new when its connection came")
    func rowsOfAppends() async throws {
        let test = try await TestLog()
        let pool = PostgresPool(try TestDatabase.conninfo, name: "one", limit: 1)
        let appends: Int64 = 400
        for version in 0..<appends {
            try await pool.run { connection in
                _ = try connection.query(
                    """
                    select version from migrate.append('m', $1::bigint, gen_random_uuid(), 'w', convert_to(
                        '{"command":1,"events":[],"decidedAt":' || (extract(epoch from clock_timestamp()) * 1000000)::bigint - 1 || '}', 'UTF8'))
                    """,
                    [.int(version)]
                )
            }
        }
        // A server process tells what it has read when it ends.
        await pool.close()
        try await eventually("what was appended to be counted") {
            let commits = try await Self.read(test, "commit", "n_tup_ins")
            let heads = try await Self.read(test, "stream", "n_tup_ins + n_tup_upd")
            let logs = try await Self.read(test, "log", "seq_tup_read + idx_tup_fetch")
            return commits == appends && heads == appends && logs >= appends
        }
        // The head's row, and nothing for a command's ID that is new; the stream's and the log's rows beside.
        #expect(try await Self.read(test, "commit", "seq_tup_read") == 0)
        #expect(try await Self.read(test, "commit", "idx_tup_fetch") <= 2 * appends)
        #expect(try await Self.read(test, "stream", "seq_tup_read + idx_tup_fetch") <= 4 * appends)
        #expect(try await Self.read(test, "log", "seq_tup_read + idx_tup_fetch") <= 2 * appends)
    }

    /// How many commits the upgraded log has; a million in the long form.
    private static let commits =
        ProcessInfo.processInfo.environment["MIGRATE_TEST_COMMITS"].flatMap { Int64($0) } ?? 50_000

    @Test(
        "a log of the first schema with many commits is brought to the newest while others append, who wait for moments only"
    )
    func upgrade() async throws {
        let pool = PostgresPool(try TestDatabase.conninfo, name: "test", limit: 4)
        let first = Array(Schema.files.prefix(1))
        #expect(try await SchemaInstaller(pool: pool, files: first).install() == [1])
        try await pool.run { connection in
            try connection.script(
                """
                set session_replication_role = replica;
                insert into migrate.commit (stream, version, command_id, actor, at, body, prev, hash)
                    select 'old', n, gen_random_uuid(), 'w', now(), repeat('x', 900)::bytea, '', sha256(n::text::bytea)
                    from generate_series(1, \(Self.commits)) n;
                set session_replication_role = default
                """
            )
        }
        // What an older release does meanwhile, with the append that it knows.
        let count = Atomic<Int64>(0)
        let longest = Atomic<Int64>(0)
        let isOver = Atomic<Bool>(false)
        let writer = Task {
            // It is told to end, and not cancelled: that would cut off the append that is under way.
            while !isOver.load(ordering: .relaxed) {
                let version = count.load(ordering: .relaxed)
                let begun = ContinuousClock.now
                try await pool.run { connection in
                    _ = try connection.query(
                        """
                        select version from migrate.append('new', $1::bigint, gen_random_uuid(), 'w', convert_to(
                            '{"command":1,"events":[],"decidedAt":' || (extract(epoch from clock_timestamp()) * 1000000)::bigint - 1 || '}', 'UTF8'))
                        """,
                        [.int(version)]
                    )
                }
                count.wrappingAdd(1, ordering: .relaxed)
                longest.max(Int64((ContinuousClock.now - begun) / .milliseconds(1)), ordering: .relaxed)
            }
        }
        // A reader that has the table for as long as it likes: the upgrade waits for it in turns, and appends do not wait for both.
        let reader = try await PostgresConnection(try TestDatabase.conninfo, name: "slow reader")
        try await reader.run {
            try $0.query("begin")
            _ = try $0.query("select count(*) from migrate.commit")
        }
        let upgrade = Task { try await SchemaInstaller(pool: pool).install() }
        try await eventually("the upgrade to wait") {
            try await pool.run { connection in
                try connection.query(
                    """
                    select from pg_locks where not granted and mode = 'AccessExclusiveLock'
                    and database = (select oid from pg_database where datname = current_database())
                    """
                ).first != nil
            }
        }
        for _ in 0..<3 {
            let before = count.load(ordering: .relaxed)
            try await eventually("appends while the upgrade waits") { count.load(ordering: .relaxed) > before }
        }
        try await reader.run { _ = try $0.query("rollback") }
        await reader.close()
        #expect(try await upgrade.value == Array(2...SchemaInstaller.newest))
        isOver.store(true, ordering: .relaxed)
        try await writer.value
        let appended = count.load(ordering: .relaxed)
        print(
            "upgraded \(Self.commits) commits; of \(appended) appends the longest took \(longest.load(ordering: .relaxed)) ms"
        )
        let log = MigrationLog(pool: pool)
        try await eventually("the old commits to be sealed") {
            while try await log.sealNext(limit: 5000) > 0 {}
            return try await log.orderHead().size == Self.commits + appended
        }
        await pool.close()
    }

    @Test("an upgrade that is interrupted has installed whole files, and goes on from there")
    func interrupted() async throws {
        let pool = PostgresPool(try TestDatabase.conninfo, name: "test", limit: 4)
        for count in 1...Schema.files.count {
            var files = Array(Schema.files.prefix(count))
            // The connection is cut in the middle of a file.
            let last = files[count - 1]
            files[count - 1] = Schema.File(
                number: last.number,
                name: last.name,
                bytes: last.bytes + Array("\nselect pg_terminate_backend(pg_backend_pid());\n".utf8)
            )
            await #expect(throws: LogError.self) { try await SchemaInstaller(pool: pool, files: files).install() }
            #expect(
                try await SchemaInstaller(pool: pool, files: Array(Schema.files.prefix(count))).install() == [
                    last.number
                ]
            )
        }
        #expect(try await SchemaInstaller(pool: pool).status() == .current(at: SchemaInstaller.newest))
        await pool.close()
    }
}
