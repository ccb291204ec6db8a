import Foundation
import MigrationCore
import MigrationLog
import TestSupport
import Testing

/// What somebody outside has kept, against a log that was changed with its own means, or not at all.
@Suite("A checkpoint that is kept", .database)
struct KeptTests {
    @Test("is no alarm when the key that signs is another by now, and none has signed with that")
    func rotated() async throws {
        let trusted = try await TrustedLog()
        let file = FileManager.default.temporaryDirectory.appendingPathComponent("kept-\(UUID().uuidString)")
        defer { try? FileManager.default.removeItem(at: file) }
        let witness = Witness(file: file, log: trusted.log)
        let kept = try #require(trusted.kept), next = SigningKey()
        #expect(try await witness.look() == .kept(kept))
        let rotate = TrustCommand.rotateKey(
            from: trusted.sealer.publicKey.id,
            to: next.publicKey,
            reason: "routine"
        )
        _ = try await trusted.log.perform(rotate, by: "kim", key: trusted.keeper)
        #expect(try await witness.look() == .unvouched(kept))
        // Nothing is signed by a key that has no place in the order yet: nobody could show from it that it may.
        #expect(try await trusted.log.sign(with: next) == nil)
        try await trusted.test.seal(19)
        let newer = try #require(try await trusted.log.sign(with: next))
        #expect(try await witness.look() == .kept(newer))
    }

    @Test("is not satisfied by a tree of which the commits are gone: they may stand again at its end, as others")
    func gone() async throws {
        let trusted = try await TrustedLog()
        let replay = Replay("m", of: trusted.log)
        #expect(try await replay.run(against: trusted.kept) { _ in }.divergence == nil)
        try await trusted.test.tamper("delete from migrate.commit where stream = 'n' and version = 2")
        #expect(try await replay.run { _ in }.divergence == nil)
        let divergence = try #require(try await replay.run(against: trusted.kept) { _ in }.divergence)
        #expect(divergence.message.contains("has no commit"))
    }

    @Test("what a person has signed counts once, whatever index the log's owner has taken away")
    func repeated() async throws {
        let trusted = try await TrustedLog()
        let rows = try await trusted.log.rows("m", after: 0), log = try await trusted.log.incarnations()
        var verifier = StreamVerifier("m", log: log, trust: try await trusted.log.trustHistory())
        for row in rows { _ = try verifier.admit(row) }
        var again = try #require(rows.last)
        again.version += 1
        again.prev = again.hash
        again.hash = CommitHash.hash(log: try #require(log.id(of: again.incarnation)), stream: "m", row: again)
        let divergence = #expect(throws: Replay.Divergence.self) { try verifier.admit(again) }
        #expect(divergence?.message.contains("command ID is that of an earlier commit") == true)
        again.commandID = UUID()
        again.hash = CommitHash.hash(log: try #require(log.id(of: again.incarnation)), stream: "m", row: again)
        // With another it is not what was signed.
        let other = #expect(throws: Replay.Divergence.self) { try verifier.admit(again) }
        #expect(other?.message.contains("signature") == true)
    }

    @Test("who signs goes by the order that he has read, whatever the heads of the streams say meanwhile")
    func hiddenHead() async throws {
        let trusted = try await TrustedLog()
        try await trusted.test.tamper(
            "create table public.hidden as select * from migrate.stream where stream = 'n'; delete from migrate.stream where stream = 'n'"
        )
        let signed = try #require(try await trusted.log.sign(with: trusted.sealer))
        #expect(signed.streams?.count == 3)
        try await trusted.test.tamper(
            "insert into migrate.stream select * from public.hidden; drop table public.hidden"
        )
        #expect(try await OrderAudit(trusted.log).run().divergence == nil)
    }

    @Test("what somebody has changed for a moment is not signed, and is no hindrance once it is as it was")
    func changedForAMoment() async throws {
        let trusted = try await TrustedLog()
        var order = OrderReading()
        _ = try #require(try await trusted.log.sign(with: trusted.sealer, reading: &order))
        try await trusted.perform(.resume(reason: "on"))
        try await trusted.test.seal(19)
        for (change, back) in [
            ("version = 70 where stream = 'm' and version = 8", "version = 8 where stream = 'm' and version = 70"),
            (
                "stream = 'z', version = 1 where stream = 'm' and version = 8",
                "stream = 'm', version = 8 where stream = 'z'"
            ),
            (
                "actor = 'eve' where stream = 'm' and version = 8",
                "actor = 'ana' where stream = 'm' and version = 8"
            ),
        ] {
            try await trusted.test.tamper("update migrate.commit set \(change)")
            let error = await #expect(throws: LogError.self) {
                try await trusted.log.sign(with: trusted.sealer, reading: &order)
            }
            #expect(error?.code == .damaged)
            try await trusted.test.tamper("update migrate.commit set \(back)")
        }
        #expect(try await trusted.log.sign(with: trusted.sealer, reading: &order)?.size == 19)
        #expect(try await OrderAudit(trusted.log).run().divergence == nil)
    }
}
