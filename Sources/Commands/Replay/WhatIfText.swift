import MigrationCore
import Simulation

/// What another plan would have decided, beside what was decided.
enum WhatIfText {
    static func lines(_ name: String, _ recorded: MigrationState, _ whatIf: WhatIf, windows: Bool) -> [String] {
        guard let mine = whatIf.state.migration, let theirs = recorded.migration else { return [] }
        var lines = [head(name, mine, theirs, whatIf), ""]
        var narrator = Narrator(plan: mine.plan)
        var isTold = false
        for commit in whatIf.commits {
            narrator.follow(commit)
            if !isTold, let diverged = whatIf.divergedAt, commit.decidedAt >= diverged.at {
                isTold = true
                lines.append(
                    "  ── from version \(diverged.version) of the log on, the recorded traffic no longer follows from this plan ──"
                )
            }
            guard windows || narrator.isNotable(commit) else { continue }
            lines.append("  \(LocalTime.short(commit.decidedAt))  \(narrator.line(commit))")
        }
        var table = TextTable([.left, .left, .left])
        table.add("", "as it was", "with the other plan")
        table.add("end", end(theirs), end(mine))
        table.add("rollbacks", rollbacks(theirs), rollbacks(mine))
        table.add("steps passed", "\(passed(theirs))", "\(passed(mine))")
        return lines + [""] + table.lines(indent: 2)
    }

    private static func head(_ name: String, _ mine: Migration, _ theirs: Migration, _ whatIf: WhatIf) -> String {
        guard let other = whatIf.firstOther else { return "with the other plan \(name) would have gone the same way" }
        return
            "with the other plan \(name) would have gone another way from version \(other.version) on, \(LocalTime.date(other.at))"
    }

    private static func end(_ migration: Migration) -> String {
        let place = migration.phase.step.map { " at \(Narrator(plan: migration.plan).name($0.position))" } ?? ""
        return migration.phase.name + place
    }

    private static func rollbacks(_ migration: Migration) -> String {
        guard !migration.rollbacks.isEmpty else { return "none" }
        return migration.rollbacks.map { "\(LocalTime.short($0.decidedAt)), \(migration.words($0))" }.joined(
            separator: "; "
        )
    }

    private static func passed(_ migration: Migration) -> Int {
        migration.steps.count { $0.end == .passed || $0.end == .skipped }
    }
}

/// The same for programs.
struct WhatIfReport: Encodable {
    struct Side: Encodable {
        var phase: String
        var rollbacks: [Rollback]
        var stepsPassed: Int

        init(_ migration: Migration) {
            phase = migration.phase.name
            rollbacks = migration.rollbacks
            stepsPassed = migration.steps.count { $0.end == .passed || $0.end == .skipped }
        }
    }
    var format = 1
    var migration: String
    var recorded: Side?
    var whatIf: Side?
    /// The first version after which the two differ; nil when they never do.
    var differsFrom: Int64?
    /// The version from which on the recorded traffic no longer follows from the other plan; nil when it always does.
    var trafficDiffersFrom: Int64?

    init(_ name: String, _ state: MigrationState, _ whatIf: WhatIf) {
        migration = name
        recorded = state.migration.map(Side.init)
        self.whatIf = whatIf.state.migration.map(Side.init)
        differsFrom = whatIf.firstOther?.version
        trafficDiffersFrom = whatIf.divergedAt?.version
    }
}
