import ArgumentParser
import Foundation
import MigrationCore
import MigrationLog

struct ReplayCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "replay",
        abstract:
            "Re-runs every decision of a migration from the log, and names the first that would be another today.",
        discussion: """
            Verifies versions and the hash chain, decides every recorded command again, folds every event, and compares the
            projections. Exits 1 at the first divergence.

            Example: migrate replay recommendations
            """
    )
    @Argument(help: "The migration.") var migration: String
    @Flag(help: "Tells every window too, not only what changed something.") var all = false
    @OptionGroup var format: FormatOptions
    @OptionGroup var database: DatabaseOptions

    /// The result for programs.
    struct Result: Encodable {
        struct Divergence: Encodable {
            var version: Int64?
            var message: String
            var recorded: String?
            var decided: String?
        }
        var format = 1
        var migration: String
        var commits: Int64
        var phase: String?
        var whole: Bool
        var divergence: Divergence?
    }

    func run() async throws {
        let access = try await LogAccess(database)
        let started = ContinuousClock.now
        var narrator: Narrator?
        let isText = format.format == .text
        let report: Replay.Report
        do {
            report = try await Replay(migration, of: access.log).run { commit, at in
                if case .plan(let plan, _) = commit.command { narrator = Narrator(plan: plan) }
                narrator?.follow(commit)
                guard isText, let narrator, all || narrator.isNotable(commit) else { return }
                Output.line(HistoryText.line(commit, at, narrator))
            }
        } catch let error as LogError where error.code == .unknownStream {
            throw await Overrides.unknown(migration, access.log)
        }
        switch format.format {
        case .json:
            let divergence = report.divergence.map {
                Result.Divergence(version: $0.version, message: $0.message, recorded: $0.recorded, decided: $0.decided)
            }
            try Output.json(
                Result(
                    migration: migration,
                    commits: report.commits,
                    phase: report.state.migration?.phase.name,
                    whole: divergence == nil,
                    divergence: divergence
                )
            )
        case .text: tell(report, ContinuousClock.now - started)
        }
        if report.divergence != nil { throw ExitCode(Failure.Code.failed.rawValue) }
    }

    private func tell(_ report: Replay.Report, _ duration: Duration) {
        Output.line("")
        if let divergence = report.divergence {
            Output.line("DIVERGES" + (divergence.version.map { " at version \($0)" } ?? " in a projection"))
            Output.line("  \(divergence.message)")
            if let recorded = divergence.recorded { Output.line("  recorded     \(recorded)") }
            if let decided = divergence.decided { Output.line("  re-decided   \(decided)") }
            return
        }
        if let migration = report.state.migration {
            Output.line("end state: \(migration.phase.name)")
            for traffic in migration.traffic {
                let weights = zip(migration.plan.services, traffic.effective).map { "\($0.name) \($1)" }
                Output.line("  \(traffic.environment): \(weights.joined(separator: ", "))")
            }
            for rollback in migration.rollbacks {
                for line in StatusText.rollback(rollback, migration) { Output.line("  " + line) }
            }
        }
        let micros = duration.components.seconds * 1_000_000 + duration.components.attoseconds / 1_000_000_000_000
        Output.line(
            "replayed \(report.commits) commits of \(migration) in \(LocalTime.span(TimeSpan(rawValue: micros))): chain whole,"
                + " \(report.commits) decisions the same, projections the same"
        )
    }
}
