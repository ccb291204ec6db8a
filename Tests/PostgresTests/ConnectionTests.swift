import Foundation
import Postgres
import Synchronization
import TestSupport
import Testing

/// Something that has happened, or has not yet.
final class Flag: Sendable {
    private let flag = Atomic(false)
    var isSet: Bool { flag.load(ordering: .relaxed) }
    func set() { flag.store(true, ordering: .relaxed) }
}

@Suite("The libpq client", .database)
struct ConnectionTests {
    private func connect() async throws -> PostgresConnection {
        try await PostgresConnection(TestDatabase.conninfo, name: "test")
    }

    @Test("values go there and come back as they were")
    func values() async throws {
        let connection = try await connect()
        try await connection.run { connection in
            let row = try #require(
                try connection.query(
                    "select $1::bigint as i, $2::text as t, $3::bytea as b, $4::boolean as o, $5::text as n, $6::bytea as e",
                    [.int(-42), .text("é “x”"), .bytes([0, 255, 7]), .bool(true), .null, .bytes([])]
                ).first
            )
            #expect(try row.int("i") == -42)
            #expect(try row.text("t") == "é “x”")
            #expect(try row.bytes("b") == [0, 255, 7])
            #expect(try row.bool("o"))
            #expect(try row.optionalText("n") == nil)
            #expect(try row.bytes("e").isEmpty)
            #expect(throws: PostgresError.self) { try row.int("nothing") }
            #expect(throws: PostgresError.self) { try row.text("n") }
        }
        await connection.close()
    }

    @Test("a server's error has its SQLSTATE, and the connection goes on")
    func sqlState() async throws {
        let connection = try await connect()
        let error = try await #require(throws: PostgresError.self) {
            try await connection.run { _ = try $0.query("select 1/0") }
        }
        #expect(error.code == .statement)
        #expect(error.sqlState == "22012")
        #expect(try await connection.run { try $0.query("select 7::bigint as n").first?.int("n") } == 7)
        await connection.close()
    }

    @Test("a pipeline is one transaction: an error undoes all of it, and the next one works")
    func pipeline() async throws {
        let connection = try await connect()
        try await connection.run { connection in
            try connection.script("create table t (n bigint primary key)")
            let insert = "insert into t values ($1::bigint)"
            let error = #expect(throws: PostgresError.self) {
                try connection.pipeline([
                    PostgresStatement(insert, [.int(1)]), PostgresStatement(insert, [.int(1)]),
                    PostgresStatement(insert, [.int(2)]),
                ])
            }
            #expect(error?.sqlState == "23505")
            #expect(try connection.query("select count(*) as n from t").first?.int("n") == 0)
            let answers = try connection.pipeline(
                (0..<512).map { PostgresStatement(insert + " returning n", [.int($0)]) }
            )
            #expect(try answers.map { try $0.first?.int("n") } == (0..<512).map { Int64($0) })
            #expect(throws: PostgresError.self) {
                try connection.pipeline(Array(repeating: PostgresStatement("select 1"), count: 513))
            }
        }
        await connection.close()
    }

    @Test("a transaction is undone when its closure throws")
    func transaction() async throws {
        let pool = PostgresPool(try TestDatabase.conninfo, name: "test")
        try await pool.run { try $0.script("create table u (n bigint)") }
        await #expect(throws: TestFailure.self) {
            try await pool.transact { connection in
                _ = try connection.query("insert into u values (1)")
                throw TestFailure("on purpose")
            }
        }
        #expect(try await pool.run { try $0.query("select count(*) as n from u").first?.int("n") } == 0)
        await pool.close()
        await #expect(throws: PostgresError.self) { try await pool.run { _ = try $0.query("select 1") } }
    }

    @Test("a notification reaches a listener")
    func listen() async throws {
        let listener = try await connect(), sender = try await connect()
        try await listener.run { try $0.listen("a \"b\"") }
        #expect(try await listener.run { try $0.notifications(within: 10) }.isEmpty)
        try await sender.run { _ = try $0.query("select pg_notify('a \"b\"', 'hello')") }
        let arrived = try await listener.run { try $0.notifications(within: 5_000) }
        #expect(arrived.map(\.channel) == ["a \"b\""])
        #expect(arrived.map(\.payload) == ["hello"])
        await listener.close()
        await sender.close()
    }

    @Test("what is begun in a task that was cancelled before is carried out")
    func begunWhenCancelled() async throws {
        let connection = try await connect()
        for _ in 0..<20 {
            let task = Task {
                while !Task.isCancelled { await Task.yield() }
                return try await connection.run {
                    try $0.query("select pg_sleep(0.005), 1::bigint as n").first?.int("n")
                }
            }
            task.cancel()
            #expect(try await task.value == 1)
        }
        await connection.close()
    }

    @Test("a connection that is left in a transaction is nobody else's")
    func leftOpen() async throws {
        let pool = PostgresPool(try TestDatabase.conninfo, name: "test", limit: 1)
        func pid() async throws -> Int64? {
            try await pool.run { try $0.query("select pg_backend_pid()::bigint as pid").first?.int("pid") }
        }
        let first = try await pid()
        _ = try await pool.run { try $0.query("begin") }
        let second = try await pid()
        #expect(first != nil && second != nil && first != second)
        await pool.close()
    }

    @Test("a cancelled task stops its statement")
    func cancellation() async throws {
        let connection = try await connect()
        let pid = try await connection.run { try $0.query("select pg_backend_pid() as pid").first?.int("pid") ?? 0 }
        let task = Task { try await connection.run { _ = try $0.query("select pg_sleep(60)") } }
        let watcher = try await connect()
        try await eventually("the statement to run") {
            try await watcher.run {
                try $0.query("select state = 'active' as a from pg_stat_activity where pid = $1::bigint", [.int(pid)])
                    .first?.bool("a")
            } == true
        }
        task.cancel()
        let error = await #expect(throws: PostgresError.self) { try await task.value }
        #expect(error?.code == .cancelled)
        #expect(try await connection.run { try $0.query("select 1::bigint as n").first?.int("n") } == 1)
        await connection.close()
        await watcher.close()
    }

    @Test("a backend that is killed is a lost connection, and the pool opens another")
    func lost() async throws {
        let pool = PostgresPool(try TestDatabase.conninfo, name: "test", limit: 1)
        let error = await #expect(throws: PostgresError.self) {
            try await pool.run { _ = try $0.query("select pg_terminate_backend(pg_backend_pid())") }
        }
        #expect(error?.code == .lost)
        #expect(try await pool.run { try $0.query("select 1::bigint as n").first?.int("n") } == 1)
        await pool.close()
    }

    @Test("a pool hands out at most its limit, in the order of asking")
    func pool() async throws {
        let pool = PostgresPool(try TestDatabase.conninfo, name: "limited pool", limit: 3)
        try await withThrowingTaskGroup(of: Int64.self) { group in
            for _ in 0..<20 {
                group.addTask {
                    try await pool.run { connection in
                        try connection.query(
                            """
                            select count(*) as n from pg_stat_activity
                            where application_name = 'limited pool' and pg_sleep(0.01) is not null
                            """
                        ).first?.int("n") ?? 0
                    }
                }
            }
            for try await open in group { #expect((1...3).contains(open)) }
        }
        await pool.close()
    }

    @Test("where it may, a cancelled task stops waiting for a connection, and nobody else waits longer for it")
    func leaving() async throws {
        let pool = PostgresPool(try TestDatabase.conninfo, name: "leaving pool", limit: 1, mayLeave: true)
        let (released, ended) = (Flag(), Flag())
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask {
                // Held until the other one has left, and no longer than a minute.
                try await pool.run { connection in
                    for _ in 0..<6_000 where !released.isSet { _ = try connection.query("select pg_sleep(0.01)") }
                }
                ended.set()
            }
            try await eventually("the connection to be taken") { await pool.openConnections == 1 }
            let waiting = Task { try await pool.run { _ = try $0.query("select 1 as one") } }
            try await eventually("it to wait") { await pool.waiters == 1 }
            waiting.cancel()
            await #expect(throws: CancellationError.self) { try await waiting.value }
            #expect(!ended.isSet)
            released.set()
            try await group.waitForAll()
        }
        #expect(try await pool.run { try $0.query("select 1::bigint as n").first?.int("n") } == 1)
        await pool.close()
    }

    @Test("a server that is away, a user it does not know, and nonsense are told apart")
    func refusals() async throws {
        let away = await #expect(throws: PostgresError.self) {
            try await PostgresConnection("host=/nowhere", name: "test")
        }
        #expect(away?.code == .unreachable)
        let conninfo = try TestDatabase.conninfo
        let unknown = await #expect(throws: PostgresError.self) {
            try await PostgresConnection(conninfo + " user=nobody_at_all", name: "test")
        }
        #expect(unknown?.code == .refused)
        let nonsense = await #expect(throws: PostgresError.self) {
            try await PostgresConnection("not a conninfo", name: "test")
        }
        #expect(nonsense != nil)
    }
}
