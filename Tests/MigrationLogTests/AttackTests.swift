import Foundation
import MigrationCore
import MigrationLog
import TestSupport
import Testing

/// What somebody with every right over the database does to it, and what finds it.
struct Attack: Sendable, CustomTestStringConvertible {
    /// By what it is found.
    enum Finder: String, Sendable {
        /// `migrate replay M`: chain, signatures, decisions, order.
        case replay
        /// `migrate replay --all`: the order of the whole log, its tree, its checkpoints.
        case order
        /// Nothing inside the database tells; a checkpoint that was kept outside does.
        case outside
    }

    var name: String
    var finder: Finder
    var says: String
    var run: @Sendable (TrustedLog) async throws -> Void
    var testDescription: String { name }

    private static func sql(_ name: String, _ finder: Finder, _ says: String, _ statements: String) -> Attack {
        Attack(name: name, finder: finder, says: says) { try await $0.test.tamper(statements) }
    }

    /// Hashes a stream anew from a version on, as whoever knows the formula can.
    private static func rechain(_ stream: String, from version: Int) -> String {
        """
        do $$ declare r record; p bytea; h bytea; begin
            select hash into p from migrate.commit where stream = '\(stream)' and version = \(version - 1);
            p := coalesce(p, '');
            for r in select c.*, l.log_id from migrate.commit c join migrate.log l on l.number = c.incarnation
                where c.stream = '\(stream)' and c.version >= \(version) order by c.version
            loop
                h := migrate.commit_hash(r.log_id, r.stream, r.version, r.command_id, r.actor, r.at, r.body, p);
                update migrate.commit set prev = p, hash = h where id = r.id;
                p := h;
            end loop;
            update migrate.stream set head = p where stream = '\(stream)';
        end $$
        """
    }

    /// Makes the order, the tree and the checkpoint anew, so that nothing in the database contradicts anything.
    private static let reseal = """
        delete from migrate.seal; delete from migrate.node; delete from migrate.checkpoint;
        update migrate.sealer set n = 0, xid = '0', id = 0, floor = 0, frontier = '{}'
        """

    /// Puts another text's token into what a person said.
    private static let edit = """
        update migrate.commit set body = convert_to(regexp_replace(convert_from(body, 'UTF8'), 'text:[0-9a-f]{8}', 'text:00000000', 'g'), 'UTF8')
        where stream = 'm' and version = 5
        """

    /// What people wrote in commits that a stream has no more.
    private static let leftTexts = """
        migrate.text t %@ where t.stream = 'm' and not exists (
            select from migrate.commit c where c.stream = 'm' and position(t.token in convert_from(c.body, 'UTF8')) > 0)
        """

    /// A whole tail that never was: commits, head, projections, order and checkpoint go back together.
    private static let cut = """
        delete from migrate.commit where stream = 'm' and version > 5;
        update migrate.stream s set version = 5, head = c.hash, at = c.at from migrate.commit c
            where s.stream = 'm' and c.stream = 'm' and c.version = 5;
        update migrate.migration set version = 5, phase = 'halted',
            reason = (select token from migrate.text where stream = 'm' and content = 'wait') where stream = 'm';
        delete from \(leftTexts.replacing("%@", with: ""))
        """

    static let all: [Attack] = [
        sql("edit a body", .replay, "do not hash", edit),
        sql("delete a commit", .replay, "missing", "delete from migrate.commit where stream = 'm' and version = 4"),
        sql(
            "insert a commit",
            .replay,
            "does not follow",
            """
            update migrate.commit set version = version + 100 where stream = 'm' and version >= 5;
            insert into migrate.commit (stream, version, command_id, actor, at, body, prev, hash, incarnation)
                select 'm', 5, gen_random_uuid(), actor, at, body, prev, hash, 1 from migrate.commit where stream = 'm' and version = 4
            """
        ),
        sql(
            "reorder two commits",
            .replay,
            "follow on the hash",
            """
            update migrate.commit set version = version + 100 where stream = 'm' and version = 5;
            update migrate.commit set version = 5 where stream = 'm' and version = 6;
            update migrate.commit set version = 6 where stream = 'm' and version = 105
            """
        ),
        sql("cut the tail", .replay, "head", "delete from migrate.commit where stream = 'm' and version > 5"),
        sql(
            "swap two streams' rows",
            .replay,
            "do not hash",
            """
            update migrate.commit set stream = 'x' where stream = 'm' and version = 1;
            update migrate.commit set stream = 'm' where stream = 'n' and version = 1;
            update migrate.commit set stream = 'n' where stream = 'x'
            """
        ),
        sql(
            "change at",
            .replay,
            "do not hash",
            "update migrate.commit set at = at - interval '1 hour' where stream = 'm' and version = 5"
        ),
        sql(
            "change the actor",
            .replay,
            "do not hash",
            "update migrate.commit set actor = 'ben' where stream = 'm' and version = 5"
        ),
        sql(
            "change a command's ID",
            .replay,
            "do not hash",
            "update migrate.commit set command_id = gen_random_uuid() where stream = 'm' and version = 5"
        ),
        sql("change the log's ID", .replay, "do not hash", "update migrate.log set log_id = gen_random_uuid()"),
        sql(
            "edit a body, and its hash with it",
            .replay,
            "signature",
            """
            \(edit);
            update migrate.commit c set hash = migrate.commit_hash(l.log_id, c.stream, c.version, c.command_id, c.actor, c.at, c.body, c.prev)
            from migrate.log l where c.stream = 'm' and c.version = 5
            """
        ),
        sql(
            "edit a signed override, and the chain after it",
            .replay,
            "signature",
            "\(edit); \(rechain("m", from: 5))"
        ),
        sql(
            "change when a worker's commit was appended, and the chain after it",
            .replay,
            "leaf in the tree",
            """
            update migrate.commit set at = at + interval '1 microsecond' where stream = 'm' and version = 4;
            \(rechain("m", from: 4))
            """
        ),
        Attack(
            name: "change when a worker's commit was appended, the chain, the order and the tree",
            finder: .outside,
            says: "not those"
        ) {
            attacked in
            try await attacked.test.tamper(
                """
                update migrate.commit set at = at + interval '1 microsecond' where stream = 'm' and version = 4;
                \(rechain("m", from: 4)); \(reseal)
                """
            )
            // With the checkpoints' key too.
            _ = try await attacked.log.sealRestored()
            _ = try await attacked.log.sign(with: attacked.sealer)
        },
        Attack(name: "roll the database back", finder: .outside, says: "cut off") { attacked in
            try await attacked.test.tamper("\(cut); \(reseal)")
            _ = try await attacked.log.sealRestored()
            _ = try await attacked.log.sign(with: attacked.sealer)
        },
        sql(
            "replace a key",
            .replay,
            "the keys of the log",
            """
            update migrate.commit set body = convert_to(replace(convert_from(body, 'UTF8'), '"ana"', '"eve"'), 'UTF8')
            where stream = '@trust' and version = 2
            """
        ),
        sql(
            "take the last change of the keys away",
            .replay,
            "the keys of the log",
            "delete from migrate.commit where stream = '@trust' and version = 5"
        ),
        sql(
            "replace a key, and the chain after it",
            .replay,
            "the keys of the log",
            """
            update migrate.commit set body = convert_to(replace(convert_from(body, 'UTF8'), '"ana"', '"eve"'), 'UTF8')
            where stream = '@trust' and version = 2; \(rechain("@trust", from: 2))
            """
        ),
        Attack(name: "forge an override without a signature", finder: .replay, says: "other events") { attacked in
            try await attacked.forge(.abandon(reason: "x")) { _ in nil }
        },
        Attack(name: "forge an override, as if there were no keys yet", finder: .replay, says: "version 0 of the keys")
        {
            attacked in
            // Keys that have been there for longer than a decision may not know of them.
            try await attacked.test.tamper(
                """
                update migrate.commit set at = at - interval '1 minute',
                    body = convert_to(regexp_replace(convert_from(body, 'UTF8'), '"decidedAt":\\d+',
                        '"decidedAt":' || (extract(epoch from at) * 1000000)::bigint - 60000001), 'UTF8')
                where stream = '@trust' and version = 1
                """
            )
            try await attacked.test.tamper(rechain("@trust", from: 1))
            try await attacked.forge(.abandon(reason: "x"), trust: nil) { _ in nil }
        },
        Attack(name: "forge an override with a key of one's own", finder: .replay, says: "other events") { attacked in
            let (command, id) = (Command.abandon(reason: "x"), UUID())
            try await attacked.forge(command, id: id) { stream in
                try Signed.sign(
                    Array(CommitCodec.canonical(command)),
                    with: SigningKey(),
                    log: stream.log.all[0].id,
                    stream: "m",
                    seen: stream.state.version,
                    actor: "ana",
                    expires: stream.now + .minutes(1),
                    id: id
                )
            }
        },
        Attack(name: "forge an override in another's name", finder: .replay, says: "not that of key") { attacked in
            let signed = try await attacked.signature(of: 5).signed
            try await attacked.forge(.abandon(reason: "x")) { _ in signed }
        },
        Attack(name: "replay an override", finder: .replay, says: "not that of key") { attacked in
            let signed = try await attacked.signature(of: 5).signed
            try await attacked.forge(.halt(reason: "wait")) { _ in signed }
        },
        Attack(name: "replay an override in another migration", finder: .replay, says: "not that of key") { attacked in
            let (signed, id) = try await attacked.signature(of: 5, on: "n")
            try await attacked.test.tamper("delete from migrate.commit where stream = 'n'")
            try await attacked.forge(.halt(reason: "wait"), id: id) { _ in signed }
        },
        sql(
            "hide the tail under another name",
            .order,
            "of ghost",
            """
            update migrate.commit set stream = 'ghost' where stream = 'm' and version > 6;
            update migrate.stream s set version = 6, head = c.hash, at = c.at from migrate.commit c
                where s.stream = 'm' and c.stream = 'm' and c.version = 6;
            update migrate.migration set version = 6, phase = 'running', reason = null where stream = 'm';
            update \(leftTexts.replacing("%@", with: "set stream = 'ghost'"))
            """
        ),
        sql(
            "hide a whole migration",
            .order,
            "version 6 of n",
            "\(edit.replacing("'m'", with: "'n'")); delete from migrate.stream where stream = 'n'"
        ),
        sql(
            "edit what a person wrote",
            .replay,
            "its content has another hash",
            "update migrate.text set content = 'soon' where stream = 'm' and content = 'wait'"
        ),
        sql(
            "drop what a person wrote, and say nothing of it",
            .replay,
            "no redaction of it is recorded",
            "update migrate.text set content = null, salt = null, dropped_at = now() where stream = 'm' and content = 'wait'"
        ),
        sql(
            "delete what a person wrote",
            .replay,
            "is not there",
            "delete from migrate.text where stream = 'm' and content = 'wait'"
        ),
        sql("change a leaf", .replay, "leaf", "update migrate.seal set leaf = sha256(leaf) where n = 8"),
        sql(
            "reorder the order",
            .replay,
            "before its predecessor",
            """
            update migrate.seal set n = 100 where n = 7;
            update migrate.seal set n = 7 where n = 8;
            update migrate.seal set n = 8 where n = 100
            """
        ),
        sql(
            "change a number of the other migration",
            .replay,
            "hole",
            "update migrate.seal set n = 100 where n = 13"
        ),
        sql(
            "change the tree's head",
            .replay,
            "not in the tree",
            "update migrate.sealer set frontier = frontier[2:] || frontier[1]"
        ),
        sql(
            "edit a checkpoint",
            .replay,
            "not signed",
            "update migrate.checkpoint set note = replace(note, '\n17\n', '\n16\n')"
        ),
        Attack(name: "edit an older checkpoint", finder: .order, says: "was not made of this order") { attacked in
            _ = try await attacked.log.sign(with: attacked.sealer)
            try await attacked.test.tamper("update migrate.checkpoint set n = 9 where n = 17")
        },
        sql("delete the checkpoints", .outside, "no checkpoint", "delete from migrate.checkpoint"),
    ]
}

@Suite("A log that is attacked", .serialized, .database)
struct AttackTests {
    @Test("tells so, and by what", arguments: Attack.all)
    func found(_ attack: Attack) async throws {
        let attacked = try await TrustedLog()
        let kept = try #require(attacked.kept)
        #expect(try await finders(attacked, kept).isEmpty)
        try await attack.run(attacked)
        let found = try await finders(attacked, kept)
        let first = try #require(found.first)
        // What only somebody outside can tell is marked so, and nothing else.
        #expect(first.finder == attack.finder, "\(found)")
        #expect(first.message.contains(attack.says), "\(found)")
    }

    /// What each way of looking finds, the nearest first.
    private func finders(_ attacked: TrustedLog, _ kept: Checkpoint) async throws -> [(
        finder: Attack.Finder, message: String
    )] {
        var found: [(finder: Attack.Finder, message: String)] = []
        do {
            if let divergence = try await Replay("m", of: attacked.log).run(each: { _ in }).divergence {
                found.append((.replay, divergence.message))
            }
            if let divergence = try await OrderAudit(attacked.log).run().divergence {
                found.append((.order, divergence.message))
            }
        } catch let error as LogError {
            found.append((.replay, error.message))
        }
        let file = FileManager.default.temporaryDirectory.appendingPathComponent("witness-\(UUID().uuidString)")
        defer { try? FileManager.default.removeItem(at: file) }
        try Data(kept.note.utf8).write(to: file)
        do {
            let sight = try await Witness(file: file, log: attacked.log).look()
            if case .broken(let flaw, _) = sight { found.append((.outside, flaw)) }
        } catch let error as LogError {
            found.append((.outside, error.message))
        }
        return found
    }
}
