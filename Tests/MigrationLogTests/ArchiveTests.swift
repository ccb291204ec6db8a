import Foundation
import MigrationCore
import MigrationLog
import Postgres
import TestSupport
import Testing

@Suite("The cold partition", .database)
struct ArchiveTests {
    /// A migration that was abandoned, confirmed and sealed, and one that goes on.
    private func ended() async throws -> TestLog {
        let test = try await TestLog()
        try await test.sample()
        try await test.sample("n")
        _ = try await test.log.perform(.abandon(reason: "no more"), on: "m", by: "ana")
        try await test.tamper("update migrate.migration set phase = 'abandoned' where stream = 'm'")
        return test
    }

    private func counts(_ test: TestLog) async throws -> (hot: Int64, cold: Int64) {
        try await test.pool.run { connection in
            let row = try connection.query(
                "select (select count(*) from only migrate.commit where stream = 'm') as hot, (select count(*) from migrate.commit_cold) as cold"
            ).first
            return (try row?.int("hot") ?? 0, try row?.int("cold") ?? 0)
        }
    }

    @Test("takes what is over and has its place, and every replay, proof and append goes on")
    func moved() async throws {
        let test = try await ended()
        #expect(try await test.log.archive("m") == 0)
        try await test.seal(13)
        let head = try await test.log.orderHead()
        #expect(try await test.log.finished(olderThan: .zero) == ["m"])
        #expect(try await test.log.finished(olderThan: .days(1)).isEmpty)
        #expect(try await test.log.archive("m") == 7)
        #expect(try await counts(test) == (0, 7))
        #expect(try await test.log.archive("m") == 0)

        #expect(try await test.log.orderHead() == head)
        #expect(try await OrderAudit(test.log).run().divergence == nil)
        let rows = try await test.log.rows("m", after: 0)
        #expect(rows.map(\.version) == Array(1...7))
        #expect(rows.allSatisfy { $0.seal != nil })
        #expect(try await test.log.load("m").state.version == 7)

        // What comes after is hot again, follows on the cold, and has its place after it.
        let refused = try #require(try await test.log.perform(.start(reason: nil), on: "m", by: "ana"))
        #expect(refused.commit.version == 8)
        let again = try await test.log.perform(.halt(reason: "x"), on: "n", by: "ana")
        #expect(again != nil)
        try await test.seal(15)
        #expect(try await OrderAudit(test.log).run().divergence == nil)
        #expect(try await counts(test) == (1, 7))
        #expect(try await test.log.sealed(after: 0).count == 15)
        try await test.tamper("update migrate.migration set phase = 'rollingBack' where stream = 'm'")
        #expect(try await test.replay().divergence == nil)
        #expect(try await test.replay().commits == 8)
    }

    @Test("a bundle of what was moved is the same as before, byte for byte, and holds")
    func exported() async throws {
        let trusted = try await TrustedLog()
        try await trusted.perform(.abandon(reason: "no more"))
        try await trusted.test.seal(19)
        let before = try await trusted.bundle()
        // It is not over before a window has shown so.
        try await trusted.test.tamper("update migrate.migration set phase = 'abandoned' where stream = 'm'")
        #expect(try await trusted.log.archive("m") == 8)
        try await trusted.test.tamper("update migrate.migration set phase = 'rollingBack' where stream = 'm'")
        let after = try await trusted.bundle()
        #expect(after == before)
        let report = try LogBundle.verify(after)
        #expect(report.head.commits == 8)
        #expect(report.covered == 6)
        #expect(report.signer?.owner == "sealer")
    }

    @Test("does not take what goes on, and nobody changes what it has")
    func refused() async throws {
        let test = try await ended()
        try await test.seal(13)
        await #expect(throws: LogError.self) { try await test.log.archive("n") }
        #expect(try await test.log.archive("m") == 7)
        for statement in [
            "update migrate.commit_cold set actor = 'x'", "delete from migrate.commit_cold",
            "truncate migrate.commit_cold", "delete from migrate.commit", "update migrate.commit set actor = 'x'",
        ] {
            await #expect(throws: (any Error).self) { try await test.sql(statement) }
        }
        // A command's ID stays unique over both.
        let id = try #require(try await test.log.rows("m", after: 6).first).commandID
        await #expect(throws: LogError.self) {
            try await test.log.perform(.halt(reason: "x"), on: "n", by: "ana", id: id)
        }
        let appender = PostgresPool(try TestDatabase.conninfo + " options='-c role=migrate_append'", name: "appender")
        await #expect(throws: (any Error).self) { try await MigrationLog(pool: appender).archive("m") }
        await appender.close()
    }

    @Test(
        "what is changed there is found by a replay, and a stream whose last commit was changed takes no more",
        arguments: [
            ("update migrate.commit_cold set actor = 'eve' where version = 7", true),
            ("update migrate.commit_cold set hash = sha256('x') where version = 7", true),
            ("delete from migrate.commit_cold where version = 7", true),
            ("update migrate.commit_cold set actor = 'eve' where version = 5", false),
            ("delete from migrate.commit_cold where version = 4", false),
        ]
    )
    func changed(_ statement: String, isHead: Bool) async throws {
        let test = try await ended()
        try await test.seal(13)
        #expect(try await test.log.archive("m") == 7)
        let known = try await test.log.load("m")
        try await test.tamper(statement)
        let divergence = try #require(try await test.replay().divergence)
        #expect(divergence.version == (isHead ? 7 : statement.hasPrefix("delete") ? 4 : 5))
        // The tree is over the hashes: whether what they are of is still there is the replay's to say.
        #expect((try await OrderAudit(test.log).run().divergence != nil) == !statement.contains("actor"))
        guard isHead else { return }
        for known in [known, nil] {
            let error = await #expect(throws: LogError.self) {
                try await test.log.perform(.start(reason: nil), on: "m", by: "ana", known: known)
            }
            #expect(error?.code == .damaged)
        }
    }
}
