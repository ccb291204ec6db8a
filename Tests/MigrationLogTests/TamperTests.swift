import MigrationCore
import MigrationLog
import Postgres
import TestSupport
import Testing

/// What somebody with every right over the database does, and the first version that a replay must name.
struct Tampering: Sendable, CustomTestStringConvertible {
    var name: String
    var sql: String
    var version: Int64?
    var says: String
    var testDescription: String { name }

    static let all = [
        Tampering(
            name: "one byte of a body",
            sql: "update migrate.commit set body = set_byte(body, 20, get_byte(body, 20) # 1) where version = 3",
            version: 3,
            says: "do not hash"
        ),
        Tampering(
            name: "one byte of a hash",
            sql: "update migrate.commit set hash = set_byte(hash, 0, get_byte(hash, 0) # 1) where version = 3",
            version: 3,
            says: "do not hash"
        ),
        Tampering(
            name: "a version",
            sql: "update migrate.commit set version = 9 where version = 4",
            version: 4,
            says: "missing"
        ),
        Tampering(
            name: "an actor",
            sql: "update migrate.commit set actor = 'eve' where version = 5",
            version: 5,
            says: "do not hash"
        ),
        Tampering(
            name: "a time",
            sql: "update migrate.commit set at = at - interval '1 microsecond' where version = 2",
            version: 2,
            says: "do not hash"
        ),
        Tampering(
            name: "a deleted commit",
            sql: "delete from migrate.commit where version = 4",
            version: 4,
            says: "missing"
        ),
        Tampering(name: "a cut tail", sql: "delete from migrate.commit where version >= 5", version: 5, says: "head"),
        Tampering(
            name: "a predecessor",
            sql: "update migrate.commit set prev = hash where version = 3",
            version: 3,
            says: "follow on the hash"
        ),
        Tampering(name: "a head", sql: "update migrate.stream set version = 4", version: 5, says: "head"),
        Tampering(
            name: "a recomputed hash",
            sql: """
                update migrate.commit c set actor = 'eve', hash = migrate.commit_hash(l.log_id, c.stream, c.version, c.command_id, 'eve', c.at, c.body, c.prev)
                from migrate.log l where c.version = 3
                """,
            version: 4,
            says: "follow on the hash"
        ),
        Tampering(
            name: "a weight that was projected",
            sql: "update migrate.traffic set asked = 17 where service = 'a'",
            says: "traffic/"
        ),
        Tampering(
            name: "a phase that was projected",
            sql: "update migrate.migration set phase = 'completed'",
            says: "migration"
        ),
        Tampering(name: "a projection's version", sql: "update migrate.migration set version = 1", says: "migration"),
        Tampering(
            name: "a projection's version beyond the head",
            sql: "update migrate.migration set version = 99",
            says: "migration"
        ),
        Tampering(
            name: "a snapshot",
            sql: "insert into migrate.snapshot values ('m', 4, '', '{}')",
            version: 4,
            says: "the snapshot"
        ),
        Tampering(
            name: "a snapshot beyond the head",
            sql: "insert into migrate.snapshot values ('m', 40, '', '{}')",
            version: 40,
            says: "a snapshot"
        ),
        Tampering(
            name: "a criterion that is gone",
            sql: "delete from migrate.criterion where kind = 'trigger'",
            says: "criterion/production/trigger/1"
        ),
        Tampering(
            name: "a rollback that never was",
            sql: """
                insert into migrate.rollback (stream, number, version, cause, reason, outcome, from_weight, revision, decided_at, is_overdue)
                values ('m', 1, 1, 'person', 'x', 'rolledBack', 0, 1, now(), false)
                """,
            says: "rollback/1"
        ),
    ]
}

@Suite("A log that was changed", .serialized, .database)
struct TamperTests {
    @Test("is found by a replay, which names the place", arguments: Tampering.all)
    func found(_ tampering: Tampering) async throws {
        let test = try await TestLog()
        try await test.sample()
        #expect(try await test.replay().divergence == nil)
        try await test.tamper(tampering.sql)
        let divergence = try #require(try await test.replay().divergence)
        #expect(divergence.version == tampering.version)
        #expect(divergence.message.contains(tampering.says), "\(divergence.message)")
    }

    @Test("a decision that this release would not make is named, with both sides")
    func otherDecision() async throws {
        let test = try await TestLog()
        try await test.sample()
        // A forger who may append writes what the rules do not decide.
        let stream = try await test.log.load("m")
        let body = try CommitCodec.encode(command: .tick, decidedAt: stream.now, events: [.completed])
        try await test.sql(
            "select migrate.append('m', 6, gen_random_uuid(), 'worker:eve', $1::bytea)",
            [.bytes(body)]
        )
        let divergence = try #require(try await test.replay().divergence)
        #expect(divergence.version == 7)
        #expect(divergence.recorded?.contains("completed") == true)
        #expect(divergence.decided == "[]")
    }

    @Test(
        "appends to a stream whose last commit was changed stop, whether it was read before or is read now",
        arguments: [
            "update migrate.commit set actor = 'eve' where version = 6", "delete from migrate.commit where version = 6",
            "update migrate.stream set version = 5 where stream = 'm'", "delete from migrate.stream where stream = 'm'",
            "update migrate.stream set head = sha256('x') where stream = 'm'",
        ]
    )
    func appendsStop(_ statement: String) async throws {
        let test = try await TestLog()
        try await test.sample()
        let known = try await test.log.load("m")
        try await test.tamper(statement)
        for known in [known, nil] {
            let error = await #expect(throws: LogError.self) {
                try await test.log.perform(.resume(reason: "go"), on: "m", by: "ana", known: known)
            }
            #expect(error?.code == .damaged, "\(String(describing: error))")
        }
        await #expect(throws: LogError.self) { try await test.log.load("m") }
    }
}

@Suite("The schema", .database)
struct SchemaTests {
    @Test("an empty database has none, and says how to get one")
    func absent() async throws {
        let pool = PostgresPool(try TestDatabase.conninfo, name: "test")
        #expect(try await SchemaInstaller(pool: pool).status() == .absent)
        let error = await #expect(throws: LogError.self) { try await MigrationLog(pool: pool).load("m") }
        #expect(error?.code == .schema)
        #expect(error?.mend?.contains("migrate db install") == true)
    }

    @Test("an installation can be repeated, and several at once make one")
    func repeated() async throws {
        let pool = PostgresPool(try TestDatabase.conninfo, name: "test", limit: 4)
        let installed = try await withThrowingTaskGroup(of: [Int64].self) { group in
            for _ in 0..<4 { group.addTask { try await SchemaInstaller(pool: pool).install() } }
            return try await group.reduce(into: []) { $0 += $1 }
        }
        #expect(installed.sorted() == Array(1...SchemaInstaller.newest))
        #expect(try await SchemaInstaller(pool: pool).status() == .current(at: SchemaInstaller.newest))
    }

    @Test(
        "a newer or an edited one is refused and left as it is",
        arguments: [
            ("insert into migrate.schema_version (number, name, checksum) values (99, 'later', '')", "schema 99"),
            ("update migrate.schema_version set checksum = ''", "edited"),
        ]
    )
    func refused(_ sql: String, _ says: String) async throws {
        let test = try await TestLog()
        try await test.sql(sql)
        let installer = SchemaInstaller(pool: test.pool)
        for attempt in [{ _ = try await installer.install() }, { try await installer.requireCurrent() }] {
            let error = await #expect(throws: LogError.self) { try await attempt() }
            #expect(error?.code == .schema)
            let words = [error?.message, error?.mend].compactMap(\.self).joined(separator: " ")
            #expect(words.contains(says))
        }
    }
}
