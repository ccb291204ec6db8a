import Foundation
package import MigrationCore
import Postgres

/// Re-runs a stream: verifies every row, decides every command again, folds every event, and compares the projections at the end.
package struct Replay: Sendable {
    /// The first place at which the log and this program do not agree.
    package struct Divergence: Error, Hashable, Sendable {
        /// The version; nil when a projection differs from the fold of a whole log.
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
        package var before: MigrationState
        package var after: MigrationState

        package var appendedAt: Timestamp { row.at }
        package var hash: [UInt8] { row.hash }
    }

    /// Replays the stream.
    ///
    /// - Parameters:
    ///   - isOver: whether a version, appended at a time, lies after what is asked for; what follows is not read, and neither head nor
    ///     projections are compared.
    ///   - each: sees every verified commit.
    /// - Throws: a ``LogError`` when the log cannot be read at all.
    package func run(
        until isOver: (Int64, Timestamp) -> Bool = { _, _ in false },
        each: (Step) throws -> Void
    ) async throws -> Report {
        var state = MigrationState.initial
        var projections = Projections()
        do {
            var incarnations = try await log.incarnations()
            var incarnation: Int64 = 0
            let snapshot = try await snapshot()
            var head: [UInt8] = []
            while true {
                let page = try await log.rows(stream, after: state.version)
                for row in page {
                    if isOver(row.version, row.at) { return Report(commits: state.version, state: state) }
                    if incarnations.id(of: row.incarnation) == nil { incarnations = try await log.incarnations() }
                    try row.verify(log: incarnations, stream: stream, version: state.version + 1, prev: head)
                    let commit = try CommitCodec.decode(row.body, version: row.version, actor: row.actor)
                    let before = state
                    state = try Self.step(state, commit, row, after: incarnation)
                    incarnation = row.incarnation
                    _ = projections.advance(to: state)
                    if let snapshot, snapshot.version == state.version,
                        try Array(CommitCodec.canonical(state)) != snapshot.body
                    {
                        throw Divergence(state.version, "the snapshot at this version is not the fold's")
                    }
                    head = row.hash
                    try each(Step(commit: commit, row: row, before: before, after: state))
                }
                if page.isEmpty, try await isHead(state.version, head) { break }
            }
            if let snapshot, snapshot.version > state.version {
                throw Divergence(snapshot.version, "there is a snapshot of a version that the stream does not have")
            }
            try await compare(projections, with: state)
            return Report(commits: state.version, state: state)
        } catch let error as Divergence {
            return Report(commits: state.version, state: state, divergence: error)
        } catch let error as LogError where error.code == .damaged {
            return Report(commits: state.version, state: state, divergence: Divergence(error.version, error.message))
        }
    }

    /// Decides one commit's command again, compares, and folds what was recorded.
    ///
    /// - Parameter incarnation: that of the commit before; 0 before the first.
    static func step(_ state: MigrationState, _ commit: Commit, _ row: CommitRow, after incarnation: Int64) throws
        -> MigrationState
    {
        guard commit.decidedAt <= row.at, row.at - commit.decidedAt <= .seconds(60) else {
            throw Divergence(commit.version, "the decision's time lies more than 60 s before the commit's, or after it")
        }
        switch commit.command {
        case .plan(let plan, let hash), .amend(let plan, let hash, _):
            guard try CommitHash.hash(of: plan) == hash else {
                throw Divergence(commit.version, "the plan does not hash to the recorded hash \(hash)")
            }
        default: break
        }
        let decided: [Event]
        do {
            decided = try state.decideRecorded(commit.command, by: commit.actor, at: commit.decidedAt)
        } catch {
            throw Divergence(
                commit.version,
                "the recorded command is refused",
                recorded: words(commit.events),
                decided: error.message
            )
        }
        guard decided == commit.events else {
            let index =
                zip(decided, commit.events).enumerated().first { $1.0 != $1.1 }?.offset
                ?? min(decided.count, commit.events.count)
            throw Divergence(
                commit.version,
                "the recorded command decides other events",
                recorded: words(Array(commit.events.dropFirst(index))),
                decided: words(Array(decided.dropFirst(index)))
            )
        }
        let begins = state.beginsIncarnation(with: commit.events)
        guard incarnation == 0 || (begins ? row.incarnation > incarnation : row.incarnation == incarnation) else {
            throw Divergence(
                commit.version,
                begins
                    ? "the commit should have begun a new incarnation of the log"
                    : "the commit stands in another incarnation of the log than the one before"
            )
        }
        do {
            return try state.folding(commit)
        } catch {
            throw Divergence(error.version, error.message)
        }
    }

    private static func words(_ events: [Event]) -> String {
        guard let data = try? CommitCodec.canonical(events) else { return "\(events.count) events" }
        let text = String(decoding: data, as: UTF8.self)
        return text.count > 400 ? text.prefix(400) + "…" : text
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
        let (found, head) = try await log.pool.run { [stream] connection in
            var found: [[PostgresValue]: Projections.Entry] = [:]
            for table in ProjectionTable.allCases {
                for raw in try connection.query(table.select, [.text(stream)]).rows {
                    let row = try table.read(raw)
                    found[[.text(table.rawValue)] + row.key] = Projections.Entry(
                        row: row,
                        version: try raw.int("version")
                    )
                }
            }
            let row = try connection.query(
                "select version from migrate.stream where stream = $1::text",
                [.text(stream)]
            )
            return (found, try row.first?.int("version") ?? 0)
        }
        let expected = projections.rows
        for key in Set(expected.keys).union(found.keys).sorted(by: { "\($0)" < "\($1)" })
        where expected[key] != found[key] {
            // Somebody may have appended since the last page was read.
            if let version = found[key]?.version, version > state.version, version <= head { continue }
            throw Divergence(
                nil,
                "the projection \(Self.name(key)) is not the fold's",
                recorded: found[key].map { "version \($0.version): \(Self.words($0.row))" } ?? "no row",
                decided: expected[key].map { "version \($0.version): \(Self.words($0.row))" } ?? "no row"
            )
        }
    }

    private static func name(_ key: [PostgresValue]) -> String { key.map(word).joined(separator: "/") }
    private static func words(_ row: ProjectionRow) -> String { row.values.map(word).joined(separator: ", ") }

    private static func word(_ value: PostgresValue) -> String {
        switch value {
        case .null: "–"
        case .text(let text): text
        case .int(let number): String(number)
        case .bool(let bool): String(bool)
        case .bytes(let bytes): Hex.text(bytes)
        }
    }
}
