import MigrationCore
import MigrationLog

/// What became of a replay, for people.
enum ReplayText {
    static func lines(_ migration: String, _ report: Replay.Report, _ duration: Duration) -> [String] {
        if let divergence = report.divergence { return [""] + self.divergence(divergence) }
        var lines = [""]
        if let migration = report.state.migration {
            lines.append("end state: \(migration.phase.name)")
            for traffic in migration.traffic {
                let weights = zip(migration.plan.services, traffic.effective).map { "\($0.name) \($1)" }
                lines.append("  \(traffic.environment): \(weights.joined(separator: ", "))")
            }
            for rollback in migration.rollbacks {
                lines += StatusText.rollback(rollback, migration).map { "  " + $0 }
            }
            if let shadow = report.state.shadow { lines += StatusText.shadow(shadow, report.state) }
        }
        let micros = TimeSpan(rawValue: Int64(duration / .microseconds(1)))
        lines.append(
            "replayed \(report.commits) commits of \(migration) in \(LocalTime.span(micros)): chain whole,"
                + " \(report.commits) decisions the same, projections the same"
        )
        return lines
    }

    static func divergence(_ divergence: Replay.Divergence) -> [String] {
        var lines = ["DIVERGES" + (divergence.version.map { " at version \($0)" } ?? " beside its commits")]
        lines.append("  \(divergence.message)")
        if let recorded = divergence.recorded { lines.append("  recorded     \(recorded)") }
        if let decided = divergence.decided { lines.append("  re-decided   \(decided)") }
        return lines
    }
}

/// What became of a replay, for programs.
struct ReplayReport: Encodable {
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

    init(_ migration: String, _ report: Replay.Report) {
        self.migration = migration
        commits = report.commits
        phase = report.state.migration?.phase.name
        divergence = report.divergence.map {
            Divergence(version: $0.version, message: $0.message, recorded: $0.recorded, decided: $0.decided)
        }
        whole = divergence == nil
    }
}

/// Why a decision was made, for programs: the commit, and its words for people.
struct ExplanationReport: Encodable {
    var format = 1
    var version: Int64
    var actor: String
    var decidedAt: String
    var appendedAt: String
    var hash: String
    var command: Command
    var events: [Event]
    var explanation: [String]

    init(_ explanation: Explanation) {
        version = explanation.commit.version
        actor = explanation.commit.actor
        decidedAt = LocalTime.utc(explanation.commit.decidedAt)
        appendedAt = LocalTime.utc(explanation.appendedAt)
        hash = explanation.hash
        command = explanation.commit.command
        events = explanation.commit.events
        self.explanation = explanation.lines()
    }
}
