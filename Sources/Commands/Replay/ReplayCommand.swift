import ArgumentParser
import Foundation
import MigrationCore
import MigrationLog
import PlanFile
import Simulation

struct ReplayCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "replay",
        abstract:
            "Re-runs every decision of a migration from the log, and names the first that would be another today.",
        discussion: """
            Verifies versions and the hash chain, decides every recorded command again, folds every event, and compares the
            projections. Exits 1 at the first divergence. With --all it replays every migration: run a new release's so before you
            deploy it.

            Examples:
              migrate replay recommendations
              migrate replay recommendations --at '2026-12-01 11:00'
              migrate replay recommendations --explain 821
              migrate replay recommendations --what-if other.yaml
              migrate replay --all
            """
    )
    @Argument(help: "The migration; none with --all.") var migration: String?
    @Flag(help: "Every migration of the log.") var all = false
    @Option(help: "The state as it was at a version, or at a time (UTC).") var at: ReplayBound?
    @Option(help: "Why: what was seen, the rule and what came of the decision at this version.") var explain: Int64?
    @Option(help: "What would another plan have decided on the same windows? Its file.") var whatIf: String?
    @Flag(help: "Which rows of the projections are not what the commits make of them.") var projections = false
    @Flag(help: "With --projections: writes them anew.") var rebuild = false
    @Option(help: "A checkpoint that was kept outside, of which the log has to be the continuation: its file.")
    var checkpoint: String?
    @Flag(help: "Tells every window too, not only what changed something.") var windows = false
    @Option(help: "text for people, json for programs, markdown and html for reports (of a whole migration).")
    var format: ReplayFormat = .text
    @OptionGroup var database: DatabaseOptions

    func validate() throws {
        if all == (migration != nil) { throw ValidationError("name a migration, or give --all") }
        if [at != nil, explain != nil, whatIf != nil, projections, all].count(where: { $0 }) > 1 {
            throw ValidationError("give one of --at, --explain, --what-if, --projections and --all")
        }
        if checkpoint != nil, projections { throw ValidationError("--checkpoint is of commits, not of projections") }
        if rebuild, !projections { throw ValidationError("--rebuild comes with --projections") }
        if format.isReport, all || at != nil || explain != nil || whatIf != nil || projections {
            throw ValidationError("--format \(format.rawValue) is of a whole migration")
        }
        if let explain, explain < 1 { throw ValidationError("--explain is a version from 1") }
    }

    func run() async throws {
        let access = try await LogAccess(database, schema: rebuild ? .current : .readable)
        guard let migration else {
            let checkpoint = try checkpoint.map(CheckpointFile.read)
            return try await ReplayAll(log: access.log, isJSON: format == .json, checkpoint: checkpoint).run()
        }
        do {
            if let at {
                try await show(migration, at, access.log)
            } else if let explain {
                try await tellWhy(migration, explain, access.log)
            } else if let whatIf {
                try await suppose(migration, whatIf, access.log)
            } else if projections {
                try await compare(migration, access.log)
            } else {
                try await replay(migration, access.log)
            }
        } catch let error as LogError where error.code == .unknownStream {
            throw await Overrides.unknown(migration, access.log)
        }
    }

    // MARK: - The whole

    private func replay(_ migration: String, _ log: MigrationLog) async throws {
        if format.isReport { return try await tell(migration, log) }
        let started = ContinuousClock.now
        var narrator: Narrator?
        let isText = format == .text
        let texts = try await log.texts(of: migration)
        var report = try await Replay(migration, of: log).run(against: checkpoint.map(CheckpointFile.read)) { step in
            if case .plan(let plan, _) = step.commit.command { narrator = Narrator(plan: plan) }
            narrator?.follow(step.commit)
            guard isText, let narrator, windows || narrator.isNotable(step.commit) else { return }
            Output.line(HistoryText.line(try texts.tell(step.commit), step.appendedAt, narrator))
        }
        report.state = try texts.tell(report.state)
        switch format {
        case .json: try Output.json(ReplayReport(migration, report))
        case .text:
            for line in ReplayText.lines(migration, report, ContinuousClock.now - started) { Output.line(line) }
        case .markdown, .html: break
        }
        if report.divergence != nil { throw ExitCode(Failure.Code.failed.rawValue) }
    }

    private func tell(_ name: String, _ log: MigrationLog) async throws {
        let texts = try await log.texts(of: name)
        var story = ReplayStory(name)
        var report = try await Replay(name, of: log).run(against: checkpoint.map(CheckpointFile.read)) {
            story.take(try told($0, texts))
        }
        report.state = try texts.tell(report.state)
        let note = try await log.latestCheckpoint().map { try? Checkpoint(note: $0) } ?? nil
        let covered =
            note.map { "the newest checkpoint is of \($0.size) commits of \($0.origin)" } ?? "the log has no checkpoint"
        let sealed =
            story.sealed.map { "Versions 1 to \($0) have their places in the order of the log" }
            ?? "No version has its place in the order of the log yet"
        let reports = ReplayReports(story: story, report: report, evidence: "\(sealed); \(covered).")
        try Output.raw(Array((format == .html ? reports.html() : reports.markdown()).utf8) + [UInt8(ascii: "\n")])
        if report.divergence != nil { throw ExitCode(Failure.Code.failed.rawValue) }
    }

    /// Replays up to a bound; a divergence before it is the answer.
    private func replayed(
        _ migration: String,
        _ log: MigrationLog,
        until isOver: (Int64, Timestamp) -> Bool,
        each: (Replay.Step) -> Void
    ) async throws -> Replay.Report {
        let texts = try await log.texts(of: migration)
        var report = try await Replay(migration, of: log).run(
            against: checkpoint.map(CheckpointFile.read),
            until: isOver
        ) { each(try told($0, texts)) }
        report.state = try texts.tell(report.state)
        guard let divergence = report.divergence else { return report }
        for line in ReplayText.divergence(divergence) { Output.error(line) }
        throw ExitCode(Failure.Code.failed.rawValue)
    }

    /// A step in people's words.
    private func told(_ step: Replay.Step, _ texts: Texts) throws -> Replay.Step {
        var told = step
        told.commit = try texts.tell(step.commit)
        return told
    }

    // MARK: - Projections

    private struct ProjectionResult: Encodable {
        struct Row: Encodable {
            var row: String
            var recorded: String?
            var folded: String?
        }
        var format = 1
        var migration: String
        var differences: [Row]
        /// How many rows were written anew.
        var rebuilt: Int?
    }

    private func compare(_ name: String, _ log: MigrationLog) async throws {
        guard try await log.streams().contains(name) else { throw await Overrides.unknown(name, log) }
        let projections = Rebuild(name, of: log)
        let differences = try await projections.differences()
        let rebuilt = rebuild ? try await projections.run() : nil
        switch format {
        case .json:
            let rows = differences.map {
                ProjectionResult.Row(row: $0.row, recorded: $0.recorded, folded: $0.folded)
            }
            try Output.json(ProjectionResult(migration: name, differences: rows, rebuilt: rebuilt))
        case .text, .markdown, .html:
            for difference in differences {
                Output.line(difference.row)
                Output.line("  recorded  \(difference.recorded ?? "no row")")
                Output.line("  folded    \(difference.folded ?? "no row")")
            }
            let word = differences.isEmpty ? "every row is the fold’s" : "\(differences.count) rows are not the fold’s"
            Output.line("projections of \(name): \(word)")
            if let rebuilt { Output.line("wrote \(rebuilt) rows anew") }
        }
        if !differences.isEmpty, !rebuild { throw ExitCode(Failure.Code.failed.rawValue) }
    }

    // MARK: - Then, why, and what if

    private func show(_ name: String, _ bound: ReplayBound, _ log: MigrationLog) async throws {
        var last: Replay.Step?
        let report = try await replayed(name, log, until: { bound.isBefore($0, at: $1) }, each: { last = $0 })
        guard let migration = report.state.migration, let last else {
            throw Failure(
                .failed,
                "\(name) has nothing as early as that",
                mend: "its first commit: migrate history \(name)"
            )
        }
        if case .version(let version) = bound, version > report.commits {
            throw Failure(.failed, "\(name) ends at version \(report.commits)", mend: "choose a version up to it")
        }
        // As it looked then, by the clock of its last commit.
        let stream = MigrationLog.Stream(
            log: try await log.incarnations(),
            name: name,
            now: last.appendedAt,
            state: report.state,
            head: last.hash,
            incarnation: last.row.incarnation
        )
        switch format {
        case .json: try Output.json(StatusReport(migration, stream))
        case .text, .markdown, .html:
            Output.line("as it was at version \(report.commits), whose chain and decisions were replayed:")
            Output.line("")
            for line in StatusText.lines(migration, stream, isPast: true) { Output.line(line) }
        }
    }

    private func tellWhy(_ name: String, _ version: Int64, _ log: MigrationLog) async throws {
        var found: Replay.Step?
        let report = try await replayed(name, log, until: { last, _ in last > version }) { step in
            if step.commit.version == version { found = step }
        }
        guard let found else {
            throw Failure(.failed, "\(name) ends at version \(report.commits)", mend: "choose a version up to it")
        }
        let texts = try await log.texts(of: name)
        let explanation = Explanation(
            commit: found.commit,
            appendedAt: found.appendedAt,
            before: try texts.tell(found.before),
            after: try texts.tell(found.after),
            hash: Hex.text(found.hash)
        )
        switch format {
        case .json: try Output.json(ExplanationReport(explanation))
        case .text, .markdown, .html: for line in explanation.lines() { Output.line(line) }
        }
    }

    private func suppose(_ name: String, _ file: String, _ log: MigrationLog) async throws {
        var plan = try PlanFile.parse(TextFile.read(file, "plan"), file: file)
        plan.name = name
        var commits: [Commit] = []
        var forbidden: [Int64: Refusal] = [:]
        let report = try await replayed(name, log, until: { _, _ in false }) { step in
            commits.append(step.commit)
            forbidden[step.commit.version] = step.forbidden
        }
        let whatIf: WhatIf
        do {
            whatIf = try WhatIf(plan, hash: CommitHash.hash(of: plan), recorded: commits, forbidden: forbidden)
        } catch let error as WhatIf.Impossible {
            throw Failure(
                .failed,
                "\(file) cannot be compared with what was recorded: \(error.message)",
                mend: error.mend
            )
        }
        switch format {
        case .json: try Output.json(WhatIfReport(name, report.state, whatIf))
        case .text, .markdown, .html:
            for line in WhatIfText.lines(name, report.state, whatIf, windows: windows) { Output.line(line) }
        }
    }
}

/// How a replay is told.
enum ReplayFormat: String, ExpressibleByArgument, CaseIterable {
    case text, json, markdown, html

    /// Whether it is gathered first, and told as a whole.
    var isReport: Bool { self == .markdown || self == .html }
}
