import Foundation
import MigrationCore
import MigrationLog
import Postgres
import TestSupport
import Testing

/// A log with keys, two migrations whose overrides are signed, all of it sealed, and a checkpoint that somebody outside has kept.
struct TrustedLog: Sendable {
    let test: TestLog
    let keeper = SigningKey()
    let ana = SigningKey()
    let ben = SigningKey()
    let sealer = SigningKey()
    /// What somebody outside has kept.
    private(set) var kept = Checkpoint?.none

    var log: MigrationLog { test.log }

    /// - Parameter revoking: whether a key is revoked at the end, by which no commit goes any more.
    init(revoking: Bool = false) async throws {
        test = try await TestLog()
        for (owner, key, roles) in [
            ("kim", keeper, [Role.keys]), ("ana", ana, [.operate]), ("ben", ben, [.approve]),
            ("sealer", sealer, [.checkpoint]),
        ] {
            let command = TrustCommand.addKey(owner: owner, key: key.publicKey, roles: roles, reason: "first")
            _ = try await log.perform(command, by: "kim", key: owner == "kim" ? nil : keeper)
        }
        _ = try await log.perform(.requireSignatures(isRequired: true, reason: "production"), by: "kim", key: keeper)
        for name in ["m", "n"] {
            let plan = SamplePlan.plan(name)
            let planned = Command.plan(plan: plan, hash: try CommitHash.hash(of: plan))
            try await perform(planned, on: name)
            _ = try await log.perform(.registerRouter(router: "r1", environment: "staging"), on: name, by: "worker:w")
            try await perform(.start(reason: nil), on: name)
            _ = try await log.perform(.acknowledge(router: "r1", revision: 3), on: name, by: "worker:w")
            try await perform(.halt(reason: "wait"), on: name)
            try await perform(.resume(reason: "go"), on: name)
        }
        if revoking {
            _ = try await log.perform(.revokeKey(id: ben.publicKey.id, reason: "gone"), by: "kim", key: keeper)
        }
        let size: Int64 = revoking ? 18 : 17
        try await test.seal(size)
        kept = try await log.sign(with: sealer)
        try await perform(.halt(reason: "after the checkpoint"), on: "m")
        try await test.seal(size + 1)
    }

    @discardableResult
    func perform(_ command: Command, on stream: String = "m", by actor: String = "ana", key: SigningKey? = nil)
        async throws -> MigrationLog.Performed?
    {
        try await log.perform(command, on: stream, by: actor, key: key ?? ana)
    }

    /// Appends as somebody with every right over the database, who has no key: what `forge` makes of the next commit's body.
    func forge(
        _ command: Command,
        on stream: String = "m",
        by actor: String = "ana",
        id: UUID = UUID(),
        trust: Int64? = 5,
        _ forge: (MigrationLog.Stream) throws -> Signed?
    ) async throws {
        let loaded = try await log.load(stream)
        let events = try loaded.state.decideRecorded(command, by: actor, at: loaded.now)
        let body = try CommitCodec.encode(
            CommitCodec.MigrationBody(
                command: command,
                decidedAt: loaded.now,
                events: events,
                signed: try forge(loaded),
                trust: trust
            )
        )
        try await test.sql(
            "select migrate.append($1::text, $2::bigint, null, $3::uuid, $4::text, $5::bytea, false)",
            [.text(stream), .int(loaded.state.version), .text(id.uuidString), .text(actor), .bytes(body)]
        )
    }

    /// The signature of a commit that is in the log, and its ID.
    func signature(of version: Int64, on stream: String = "m") async throws -> (signed: Signed, id: UUID) {
        let row = try #require(try await log.rows(stream, after: version - 1).first)
        return (try #require(try CommitCodec.body(row.body, version: version).signed), row.commandID)
    }

    /// - Parameter keys: whether the evidence covers the keys too.
    /// A bundle of `m` with the checkpoint that was kept.
    ///
    /// - Parameters:
    ///   - keys: whether the keys are shown to be in its tree.
    ///   - end: after which version whoever writes it leaves out the rest, and says of that one that it is what the checkpoint covers.
    ///   - keysEnd: the same of the keys.
    func bundle(keys: Bool = true, endingAt end: Int64 = .max, keysAt keysEnd: Int64 = .max) async throws -> Data {
        var rows: [CommitRow] = []
        var tokens: Set<String> = []
        let report = try await Replay("m", of: log).run { step in
            guard step.row.version <= end else { return }
            rows.append(step.row)
            tokens.formUnion(step.commit.command.texts)
        }
        if let divergence = report.divergence { throw divergence }
        let kept = try #require(kept)
        let covered = try #require(rows.last { $0.seal?.n ?? .max <= kept.size })
        let prover = log.prover(size: kept.size)
        let trust = try await log.trustRows().filter { $0.version <= keysEnd }
        func place(_ row: CommitRow) async throws -> LogBundle.Place {
            let n = try #require(row.seal?.n)
            let proof = try await prover.inclusion(of: n - 1).map { Hex.text($0) }
            return LogBundle.Place(version: row.version, n: n, proof: proof)
        }
        let content = LogBundle.Content(
            log: try await log.incarnations(),
            stream: "m",
            trust: trust,
            texts: Texts(try await log.texts(of: "m").all.values.filter { tokens.contains($0.token) }),
            evidence: LogBundle.Evidence(
                note: kept.note,
                commit: try await place(covered),
                trust: keys ? try await place(try #require(trust.last)) : nil,
                since: LogBundle.Since(note: kept.note, proof: []),
                heads: try await log.heads(of: "m", by: kept)
            ),
            last: try #require(rows.last),
            incarnations: [1]
        )
        var bytes = try LogBundle.beginning(content)
        for row in rows { bytes += try LogBundle.line(row) }
        bytes += try LogBundle.end(content)
        return Data(bytes)
    }
}
