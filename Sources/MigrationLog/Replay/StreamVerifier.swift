import Foundation
package import MigrationCore

/// Takes a migration's rows one by one: verifies versions, hashes and their chain, signatures and rights, decides every command again, and
/// folds what was recorded.
package struct StreamVerifier: Sendable {
    package let stream: String
    package var log: Incarnations
    package var trust: TrustHistory
    package private(set) var state = MigrationState.initial
    /// The hash of the last row; empty before the first.
    package private(set) var head: [UInt8] = []
    private var incarnation: Int64 = 0
    /// What the commits so far are of (``CommitFormat``): who has read one cannot be of a release before it, whose rules were others; from format 3 on, as the first release
    /// did not look.
    private var format = 1
    /// The IDs of people's commands: what they signed counts once.
    private var commands: Set<UUID> = []

    package init(_ stream: String, log: Incarnations, trust: TrustHistory) {
        self.stream = stream
        self.log = log
        self.trust = trust
    }

    /// Takes the next row.
    ///
    /// - Throws: a ``LogError/Code/damaged`` or a ``Replay/Divergence`` for the first row that does not hold.
    package mutating func admit(_ row: CommitRow) throws -> Replay.Step {
        try row.verify(log: log, stream: stream, version: state.version + 1, prev: head)
        let body = try CommitCodec.body(row.body, version: row.version, isStrict: true)
        let commit = Commit(body, version: row.version, actor: row.actor)
        guard row.actor.hasPrefix(Command.workerPrefix) || commands.insert(row.commandID).inserted else {
            throw Replay.Divergence(
                commit.version,
                "its command ID is that of an earlier commit: what it says was said once"
            )
        }
        guard body.format ?? 1 >= format || format < 3 else {
            throw Replay.Divergence(
                commit.version,
                "it is of format \(body.format ?? 1), and an earlier commit of format \(format), which who writes that cannot read"
            )
        }
        format = max(format, body.format ?? 1)
        guard commit.decidedAt <= row.at, row.at - commit.decidedAt <= .seconds(60) else {
            throw Replay.Divergence(
                commit.version,
                "the decision's time lies more than 60 s before the commit's, or after it"
            )
        }
        try checkPlan(commit)
        let forbidden = try forbidden(commit, body, row)
        try compare(commit, forbidden)
        try checkIncarnation(commit, row)
        let before = state
        do {
            state = try state.folding(commit)
        } catch {
            throw Replay.Divergence(error.version, error.message)
        }
        head = row.hash
        incarnation = row.incarnation
        return Replay.Step(
            commit: commit,
            row: row,
            signed: body.signed,
            trust: body.trust,
            forbidden: forbidden,
            hasTexts: CommitFormat.hasTexts(body.format, by: row.actor),
            before: before,
            after: state
        )
    }

    /// Whether a row goes by keys that this verifier does not know.
    func needsTrust(for row: CommitRow) -> Bool {
        // A worker's commit, which most are, goes by none.
        guard !row.actor.hasPrefix(Command.workerPrefix) else { return false }
        return (try? CommitCodec.body(row.body, version: row.version).trust).flatMap { $0 } ?? 0 > trust.latest.version
    }

    private func checkPlan(_ commit: Commit) throws {
        switch commit.command {
        case .plan(let plan, let hash), .amend(let plan, let hash, _), .beginShadow(let plan, let hash, _):
            guard try CommitHash.hash(of: plan) == hash else {
                throw Replay.Divergence(commit.version, "the plan does not hash to the recorded hash \(hash)")
            }
        default: break
        }
    }

    /// Why the actor might not, by the keys that the decision went by.
    private func forbidden(_ commit: Commit, _ body: CommitCodec.MigrationBody, _ row: CommitRow) throws -> Refusal? {
        guard commit.command.isOverride, !commit.actor.hasPrefix(Command.workerPrefix) else { return nil }
        let keys = try trust.state(body.trust ?? 0, decidedAt: commit.decidedAt, at: row.at, for: commit.version)
        if let signed = body.signed {
            try check(signed, keys, row, CommitCodec.command(in: row.body), decidedAt: commit.decidedAt)
        }
        return keys.forbids(commit.command, by: commit.actor, signer: body.signed?.key)
    }

    private func check(
        _ signed: Signed,
        _ keys: TrustState,
        _ row: CommitRow,
        _ command: [UInt8]?,
        decidedAt: Timestamp
    ) throws {
        // One by a key that the log does not have cannot be checked: its command was refused.
        guard let key = keys.key(signed.key) else { return }
        guard let command, let id = log.id(of: incarnation == 0 ? row.incarnation : incarnation) else {
            throw Replay.Divergence(row.version, "what was signed cannot be found")
        }
        let flaw = signed.flaw(
            key: key.key,
            row: row,
            log: id,
            stream: stream,
            command: command,
            decidedAt: decidedAt
        )
        if let flaw { throw Replay.Divergence(row.version, flaw) }
    }

    private func compare(_ commit: Commit, _ forbidden: Refusal?) throws {
        let decided: [Event]
        do {
            decided = try state.decideRecorded(
                commit.command,
                by: commit.actor,
                at: commit.decidedAt,
                forbidden: forbidden,
                rules: commit.rules
            )
        } catch {
            throw Replay.Divergence(
                commit.version,
                "the recorded command is refused",
                recorded: Self.words(commit.events),
                decided: error.message
            )
        }
        guard decided != commit.events else { return }
        let index =
            zip(decided, commit.events).enumerated().first { $1.0 != $1.1 }?.offset
            ?? min(decided.count, commit.events.count)
        throw Replay.Divergence(
            commit.version,
            "the recorded command decides other events",
            recorded: Self.words(Array(commit.events.dropFirst(index))),
            decided: Self.words(Array(decided.dropFirst(index)))
        )
    }

    private func checkIncarnation(_ commit: Commit, _ row: CommitRow) throws {
        let begins = state.beginsIncarnation(with: commit.events)
        guard incarnation == 0 || (begins ? row.incarnation > incarnation : row.incarnation == incarnation) else {
            throw Replay.Divergence(
                commit.version,
                begins
                    ? "the commit should have begun a new incarnation of the log"
                    : "the commit stands in another incarnation of the log than the one before"
            )
        }
    }

    private static func words(_ events: [Event]) -> String {
        guard let data = try? CommitCodec.canonical(events) else { return "\(events.count) events" }
        let text = String(decoding: data, as: UTF8.self)
        return text.count > 400 ? text.prefix(400) + "…" : text
    }
}
