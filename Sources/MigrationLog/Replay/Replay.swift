import Foundation
package import MigrationCore
import Postgres

/// Re-runs a stream: verifies every row, decides every command again, folds every event, and compares the projections at the end.
package struct Replay: Sendable {
    /// The first place at which the log and this program do not agree.
    package struct Divergence: Error, Hashable, Sendable {
        /// The version; nil when what is beside the commits (a projection, the order, a checkpoint) does not belong to a whole log.
        package var version: Int64?
        package var message: String
        package var recorded: String?
        package var decided: String?

        init(_ version: Int64?, _ message: String, recorded: String? = nil, decided: String? = nil) {
            self.version = version
            self.message = message
            self.recorded = recorded
            self.decided = decided
        }
    }

    /// What became of a replay.
    package struct Report: Sendable {
        package var commits: Int64
        package var state: MigrationState
        package var divergence: Divergence?
    }

    private let log: MigrationLog
    private let stream: String

    package init(_ stream: String, of log: MigrationLog) {
        self.log = log
        self.stream = stream
    }

    /// One verified commit on its way past.
    package struct Step: Sendable {
        package var commit: Commit
        /// The commit as it stands in the log.
        package var row: CommitRow
        /// The signature of whoever gave the command; it was verified.
        package var signed: Signed?
        /// The version of the keys that it went by.
        package var trust: Int64?
        /// Why whoever gave the command might not, by the keys of the log.
        package var forbidden: Refusal?
        /// Whether people's texts are kept apart from it.
        package var hasTexts: Bool
        package var before: MigrationState
        package var after: MigrationState

        package var appendedAt: Timestamp { row.at }
        package var hash: [UInt8] { row.hash }
    }

    /// Replays the stream.
    ///
    /// - Parameters:
    ///   - checkpoint: one that was kept outside, of which the log has to be the continuation.
    ///   - isOver: whether a version, appended at a time, lies after what is asked for; what follows is not read, and neither head nor
    ///     projections are compared.
    ///   - each: sees every verified commit.
    /// - Throws: a ``LogError`` when the log cannot be read at all.
    package func run(
        against checkpoint: Checkpoint? = nil,
        until isOver: (Int64, Timestamp) -> Bool = { _, _ in false },
        each: (Step) throws -> Void
    ) async throws -> Report {
        var verifier = StreamVerifier(stream, log: try await log.incarnations(), trust: try await log.trustHistory())
        var projections = Projections()
        do {
            let snapshot = try await snapshot()
            if let checkpoint { try await check(checkpoint) }
            let size = try await log.orderHead().size
            var order = StreamOrder(size: size)
            var texts = TextAudit()
            while true {
                let page = try await log.rows(stream, after: verifier.state.version)
                for row in page {
                    if isOver(row.version, row.at) {
                        return Report(commits: verifier.state.version, state: verifier.state)
                    }
                    try await renew(&verifier, before: row)
                    let step = try verifier.admit(row)
                    try order.admit(row)
                    texts.take(step)
                    _ = projections.advance(to: step.after)
                    if let snapshot, snapshot.version == row.version,
                        try Snapshot.differs(snapshot.body, from: step.after)
                    {
                        throw Divergence(row.version, "the snapshot at this version is not the fold's")
                    }
                    try each(step)
                }
                guard page.isEmpty, try await isHead(verifier.state.version, verifier.head) else { continue }
                let kept = try await log.texts(of: stream)
                // Nothing came between the commits and the texts, which belong to them.
                guard try await isHead(verifier.state.version, verifier.head) else { continue }
                if let flaw = texts.flaw(of: kept) { throw Divergence(flaw.version, flaw.message) }
                break
            }
            if let snapshot, snapshot.version > verifier.state.version {
                throw Divergence(snapshot.version, "there is a snapshot of a version that the stream does not have")
            }
            try await check(order, size)
            try await compare(projections, with: verifier.state)
            return Report(commits: verifier.state.version, state: verifier.state)
        } catch let error as Divergence {
            return Report(commits: verifier.state.version, state: verifier.state, divergence: error)
        } catch let error as LogError where error.code == .damaged {
            let divergence = Divergence(error.version, error.message)
            return Report(commits: verifier.state.version, state: verifier.state, divergence: divergence)
        }
    }

    /// Reads what came to the log after the replay began, and before this row.
    private func renew(_ verifier: inout StreamVerifier, before row: CommitRow) async throws {
        if verifier.log.id(of: row.incarnation) == nil { verifier.log = try await log.incarnations() }
        if verifier.needsTrust(for: row) { verifier.trust = try await log.trustHistory() }
    }

    /// The log has to go on from a checkpoint that was kept outside.
    private func check(_ checkpoint: Checkpoint) async throws {
        if let flaw = try await log.flaw(of: checkpoint) {
            throw Divergence(nil, "against the checkpoint of \(checkpoint.size) commits: \(flaw)")
        }
        // The tree is over the leaves: whether what they are of is still there shows only here.
        if let n = try await log.missing(upTo: checkpoint.size) {
            throw Divergence(nil, "against the checkpoint of \(checkpoint.size) commits: number \(n) has no commit")
        }
    }

    /// The stream's commits and the keys have to be in the tree over the order, and the tree in its newest checkpoint.
    private func check(_ order: StreamOrder, _ size: Int64) async throws {
        try await checkPlaces(order, "")
        var keys = StreamOrder(size: size)
        for row in try await log.trustRows() { try keys.admit(row) }
        try await checkPlaces(keys, " of the keys")
        try await checkNewest()
    }

    private func checkPlaces(_ order: StreamOrder, _ whose: String) async throws {
        let head = try await log.orderHead()
        guard order.highest <= head.size else {
            throw Divergence(nil, "a commit\(whose) has number \(order.highest) of an order of \(head.size)")
        }
        guard let last = order.last else { return }
        let proof = try await log.prover(size: head.size).inclusion(of: last.n - 1)
        let isIn = MerkleTree.verify(
            inclusionOf: last.leaf,
            at: last.n - 1,
            size: head.size,
            proof: proof,
            root: head.root
        )
        guard isIn else { throw Divergence(nil, "version \(last.version)\(whose) is not in the tree over the order") }
    }

    private func checkNewest() async throws {
        guard let note = try await log.latestCheckpoint() else { return }
        do {
            let checkpoint = try Checkpoint(note: note)
            guard try await log.trustHistory().signer(of: checkpoint) != nil else {
                throw Divergence(nil, "the newest checkpoint is not signed by a key of the log that may")
            }
            if let flaw = try await log.flaw(of: checkpoint) {
                throw Divergence(nil, "against the checkpoint of \(checkpoint.size) commits: \(flaw)")
            }
        } catch let error as Checkpoint.Malformed {
            throw Divergence(nil, "the newest checkpoint is none: \(error.message)")
        }
    }

    /// Whether the stream ends here; false when somebody has appended since.
    private func isHead(_ version: Int64, _ head: [UInt8]) async throws -> Bool {
        let row = try await log.pool.run { [stream] connection in
            try connection.query("select version, head from migrate.stream where stream = $1::text", [.text(stream)])
                .first
        }
        guard let row else {
            throw version == 0
                ? LogError(.unknownStream, "the log has no migration “\(stream)”")
                : LogError(.damaged, "the head of the stream is missing", version: version)
        }
        let recorded = try row.int("version")
        guard recorded == version else {
            if recorded > version, try await !log.rows(stream, after: version).isEmpty { return false }
            throw Divergence(
                min(recorded, version) + 1,
                "the stream's head says version \(recorded), and its commits end at \(version)"
            )
        }
        guard try row.bytes("head") == head else {
            throw Divergence(version, "the stream's head is not the last commit's hash")
        }
        return true
    }

    private func snapshot() async throws -> (version: Int64, body: [UInt8])? {
        try await log.pool.run { [stream] connection in
            try connection.query("select version, body from migrate.snapshot where stream = $1::text", [.text(stream)])
                .first.map { (try $0.int("version"), try $0.bytes("body")) }
        }
    }

    private func compare(_ projections: Projections, with state: MigrationState) async throws {
        guard
            let first = try await Rebuild.differences(stream, projections, upTo: state.version, log).first
        else { return }
        throw Divergence(
            nil,
            "the projection \(first.row) is not the fold's",
            recorded: first.recorded ?? "no row",
            decided: first.folded ?? "no row"
        )
    }
}
