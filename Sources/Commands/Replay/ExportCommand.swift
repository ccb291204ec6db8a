import ArgumentParser
import Foundation
import MigrationCore
import MigrationLog

struct ExportCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "export",
        abstract:
            "Writes a migration's commits, the log's keys and its evidence to a file that is verified without a database.",
        discussion: """
            Examples:
              migrate export recommendations > recommendations.bundle
              migrate export recommendations --since monday.note > recommendations.bundle
            """
    )
    @Argument(help: "The migration.") var migration: String
    @Option(help: "A checkpoint that was kept, of which the newest is shown to be the continuation.") var since: String?
    @OptionGroup var database: DatabaseOptions

    func run() async throws {
        let log = try await LogAccess(database, schema: .readable).log
        let since = try since.map(CheckpointFile.read)
        // Verified on its way out: a log that does not hold is not exported as if it did.
        var last: CommitRow?
        var covered: CommitRow?
        var incarnations: Set<Int64> = []
        var tokens: Set<String> = []
        var audit = TextAudit()
        let checkpoint = try await log.latestCheckpoint().map { try? Checkpoint(note: $0) } ?? nil
        let report: Replay.Report
        do {
            report = try await Replay(migration, of: log).run(against: since) { step in
                last = step.row
                incarnations.insert(step.row.incarnation)
                tokens.formUnion(step.commit.command.texts)
                audit.take(step)
                if let seal = step.row.seal, seal.n <= checkpoint?.size ?? 0 { covered = step.row }
            }
        } catch let error as LogError where error.code == .unknownStream {
            throw await Overrides.unknown(migration, log)
        }
        if let divergence = report.divergence {
            for line in ReplayText.divergence(divergence) { Output.error(line) }
            throw ExitCode(Failure.Code.failed.rawValue)
        }
        guard let last else { throw await Overrides.unknown(migration, log) }
        let texts = Texts(try await log.texts(of: migration).all.values.filter { tokens.contains($0.token) })
        guard audit.flaw(of: texts) == nil else {
            throw Failure(.failed, "a text of \(migration) was redacted meanwhile", mend: "export it again")
        }
        let trust = try await log.trustRows()
        var evidence: LogBundle.Evidence?
        if let checkpoint, let covered, let seal = covered.seal {
            evidence = try await makeEvidence(checkpoint, covered, seal, trust, since, log)
        }
        guard since == nil || evidence?.since != nil else {
            throw Failure(
                .failed,
                "no checkpoint of the log covers \(migration) and goes on from the one of \(since?.size ?? 0) commits",
                mend: "have a worker sign one, or export it without --since"
            )
        }
        let all = try await log.incarnations()
        let origins = [checkpoint?.origin, since?.origin].compactMap(\.self)
        incarnations.formUnion(all.all.filter { origins.contains(Checkpoint.origin(of: $0.id)) }.map(\.number))
        let content = LogBundle.Content(
            log: all,
            stream: migration,
            trust: trust,
            texts: texts,
            evidence: evidence,
            last: last,
            incarnations: incarnations
        )
        try await Self.write(content, log)
    }

    private func makeEvidence(
        _ checkpoint: Checkpoint,
        _ covered: CommitRow,
        _ seal: CommitRow.Seal,
        _ trust: [CommitRow],
        _ since: Checkpoint?,
        _ log: MigrationLog
    ) async throws -> LogBundle.Evidence {
        let prover = log.prover(size: checkpoint.size)
        var earlier: LogBundle.Since?
        if let since, since.size <= checkpoint.size {
            let proof = try await prover.consistency(with: since.size)
            earlier = LogBundle.Since(note: since.note, proof: proof.map { Hex.text($0) })
        }
        func place(_ version: Int64, _ n: Int64) async throws -> LogBundle.Place {
            let proof = try await prover.inclusion(of: n - 1).map { Hex.text($0) }
            return LogBundle.Place(version: version, n: n, proof: proof)
        }
        var keys: LogBundle.Place?
        if let row = trust.last(where: { $0.seal?.n ?? .max <= checkpoint.size }), let seal = row.seal {
            keys = try await place(row.version, seal.n)
        }
        return LogBundle.Evidence(
            note: checkpoint.note,
            commit: try await place(covered.version, seal.n),
            trust: keys,
            since: earlier,
            heads: try await log.heads(of: migration, by: checkpoint)
        )
    }

    private static func write(_ content: LogBundle.Content, _ log: MigrationLog) async throws {
        try Output.raw(LogBundle.beginning(content))
        var version: Int64 = 0
        while version < content.last.version {
            let rows = try await log.rows(content.stream, after: version)
            // What was appended since the replay is for the next export.
            for row in rows where row.version <= content.last.version { try Output.raw(LogBundle.line(row)) }
            guard let end = rows.last?.version else { break }
            version = end
        }
        try Output.raw(LogBundle.end(content))
    }
}
