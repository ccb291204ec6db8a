import Foundation
import MigrationCore
import MigrationLog
import Postgres
import Synchronization
import TestSupport
import Testing

@Suite("Many writers, slow commits, rollbacks and killed backends", .database)
struct ConcurrencyTests {
    /// How long it is kept up; `MIGRATE_TEST_SECONDS` makes it the minute of the longer run.
    private static var span: Duration {
        .seconds(ProcessInfo.processInfo.environment["MIGRATE_TEST_SECONDS"].flatMap { Int($0) } ?? 8)
    }

    /// What was acknowledged: stream and version.
    private final class Ledger: Sendable {
        private let state = Mutex<Set<String>>([])
        var all: Set<String> { state.withLock { $0 } }
        func acknowledge(_ stream: String, _ version: Int64) {
            state.withLock { _ = $0.insert("\(stream)/\(version)") }
        }
    }

    private final class Flag: Sendable {
        private let state = Mutex(true)
        var isUp: Bool { state.withLock { $0 } }
        func lower() { state.withLock { $0 = false } }
    }

    /// A follower's own copy of what it saw, in its order.
    private final class Sight: Sendable {
        private let state = Mutex<[String]>([])
        var all: [String] { state.withLock { $0 } }
        func see(_ more: [String]) { state.withLock { $0 += more } }
    }

    @Test(
        "every acknowledged commit is followed exactly once in stream order by each follower; one that goes by the IDs skips some"
    )
    func followed() async throws {
        let conninfo = try TestDatabase.conninfo
        let test = try await TestLog()
        let ledger = Ledger()
        let sights = (0..<4).map { _ in Sight() }
        let naive = Sight()
        let writing = Flag()
        try await withThrowingTaskGroup(of: Void.self) { group in
            for follower in 0..<2 {
                let log = MigrationLog(pool: PostgresPool(conninfo, name: "follower", limit: 1))
                group.addTask { try await Self.follow(log, sights[follower]) { writing.isUp } }
            }
            for follower in 2..<4 {
                let log = MigrationLog(pool: PostgresPool(conninfo, name: "subscriber", limit: 1))
                let subscription = Subscription("subscriber-\(follower)", of: log)
                group.addTask { try await Self.subscribe(subscription, log, sights[follower]) { writing.isUp } }
            }
            group.addTask { try await Self.followByID(test, naive) { writing.isUp } }
            group.addTask {
                while writing.isUp {
                    _ = try? await test.log.sealNext()
                    try await Task.sleep(for: .milliseconds(20))
                }
            }
            group.addTask { try await Self.kill(test) { writing.isUp } }
            group.addTask {
                try await Self.write(conninfo, ledger)
                writing.lower()
            }
            try await group.waitForAll()
        }
        try await eventually("everything to be sealed") {
            _ = try await test.log.sealNext()
            return try await test.log.horizon().unsealed == 0
        }
        for (index, sight) in sights.enumerated() {
            let log = test.log
            if index < 2 {
                try await Self.follow(log, sight) { false }
            } else {
                try await Self.subscribe(Subscription("subscriber-\(index)", of: log), log, sight) { false }
            }
        }
        let acknowledged = ledger.all
        #expect(acknowledged.count > 50)
        for sight in sights {
            let seen = sight.all
            #expect(Set(seen).count == seen.count, "none twice")
            #expect(Set(seen).isSuperset(of: acknowledged), "none skipped")
            #expect(Self.isInStreamOrder(seen))
        }
        // The same by ID: whoever pages on a sequence passes by what commits late.
        #expect(
            !Set(naive.all).isSuperset(of: acknowledged),
            "the reader by ID skipped nothing, so this test shows nothing"
        )
        for stream in Set(acknowledged.compactMap { $0.split(separator: "/").first.map(String.init) }) {
            let versions = acknowledged.filter { $0.hasPrefix(stream + "/") }.count
            let head = try await test.log.heads().first { $0.name == stream }?.version ?? 0
            #expect(head >= versions)
        }
        #expect(try await OrderAudit(test.log).run().divergence == nil)
    }

    private static func isInStreamOrder(_ seen: [String]) -> Bool {
        var last: [Substring: Int64] = [:]
        for entry in seen {
            let parts = entry.split(separator: "/")
            guard parts.count == 2, let version = Int64(parts[1]) else { return false }
            guard version == last[parts[0], default: 0] + 1 else { return false }
            last[parts[0]] = version
        }
        return true
    }

    private static func name(_ commit: SealedCommit) -> String { "\(commit.stream)/\(commit.row.version)" }

    private static func follow(_ log: MigrationLog, _ sight: Sight, _ goesOn: @Sendable () -> Bool) async throws {
        var place = Int64(sight.all.count)
        while true {
            let isLast = !goesOn()
            // A killed backend costs a read, and nothing else.
            let commits = (try? await log.sealed(after: place)) ?? []
            sight.see(commits.map(name))
            place = commits.last?.n ?? place
            if isLast, commits.isEmpty { return }
            try await Task.sleep(for: .milliseconds(5))
        }
    }

    private static func subscribe(
        _ subscription: Subscription,
        _ log: MigrationLog,
        _ sight: Sight,
        _ goesOn: @Sendable () -> Bool
    ) async throws {
        while true {
            let isLast = !goesOn()
            let batch = Sight()
            do {
                let count = try await subscription.next { commit, _ in batch.see([name(commit)]) }
                sight.see(batch.all)
                if isLast, count == 0 { return }
            } catch {
                // The transaction may have been committed before its backend was killed: the place says so.
                let position = try await settled(subscription)
                if Int64(sight.all.count) < position { sight.see(batch.all) }
            }
            try await Task.sleep(for: .milliseconds(5))
        }
    }

    private static func settled(_ subscription: Subscription) async throws -> Int64 {
        for _ in 0..<100 {
            if let position = try? await subscription.position() { return position }
            try await Task.sleep(for: .milliseconds(20))
        }
        return try await subscription.position()
    }

    /// What others do: remember the last ID, and ask for what is higher.
    private static func followByID(_ test: TestLog, _ sight: Sight, _ goesOn: @Sendable () -> Bool) async throws {
        var last: Int64 = 0
        while true {
            let isLast = !goesOn()
            let from = last
            let rows = try? await test.pool.run { connection in
                try connection.query(
                    "select id, stream, version from migrate.commit where id > $1::bigint order by id limit 1000",
                    [.int(from)]
                ).rows.map { (try $0.int("id"), "\(try $0.text("stream"))/\(try $0.int("version"))") }
            }
            sight.see((rows ?? []).map(\.1))
            last = rows?.last?.0 ?? last
            if isLast, rows?.isEmpty == true { return }
            try await Task.sleep(for: .milliseconds(5))
        }
    }

    private static func kill(_ test: TestLog, _ goesOn: @Sendable () -> Bool) async throws {
        while goesOn() {
            try? await test.sql(
                """
                select pg_terminate_backend(pid) from pg_stat_activity
                where datname = current_database() and pid <> pg_backend_pid() order by random() limit 1
                """
            )
            try await Task.sleep(for: .milliseconds(150))
        }
    }

    /// Sixteen writers on eight streams; every fourth commit is slow, every fifth is rolled back.
    private static func write(_ conninfo: String, _ ledger: Ledger) async throws {
        let end = ContinuousClock.now + span
        try await withThrowingTaskGroup(of: Void.self) { group in
            for writer in 0..<16 {
                group.addTask {
                    let pool = PostgresPool(conninfo, name: "writer", limit: 1)
                    var turn = writer
                    while ContinuousClock.now < end {
                        turn += 1
                        await attempt(pool, "s\(writer % 8)", turn, ledger)
                    }
                    await pool.close()
                }
            }
            try await group.waitForAll()
        }
    }

    private struct RolledBack: Error {}

    private static func attempt(_ pool: PostgresPool, _ stream: String, _ turn: Int, _ ledger: Ledger) async {
        let pause = turn % 4 == 0 ? 0.03 : 0
        let version = try? await pool.transact { connection -> Int64 in
            let head =
                try connection.query("select version from migrate.stream where stream = $1::text", [.text(stream)])
                .first?.int("version") ?? 0
            let row = try connection.query(
                """
                select version from migrate.append($1::text, $2::bigint, gen_random_uuid(), 'w', convert_to(
                    '{"command":1,"events":[],"decidedAt":' || (extract(epoch from clock_timestamp()) * 1000000)::bigint - 1 || '}', 'UTF8'))
                """,
                [.text(stream), .int(head)]
            ).first
            if pause > 0 { try connection.query("select pg_sleep(\(pause))") }
            if turn % 5 == 0 { throw RolledBack() }
            return try row?.int("version") ?? 0
        }
        if let version { ledger.acknowledge(stream, version) }
    }
}
