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
        let comparison = PlanComparison(
            theirs,
            mine,
            differsFrom: whatIf.firstOther?.version,
            partedFrom: whatIf.divergedAt?.version
        )
        return lines + [""] + comparison.table("with the other plan").lines(indent: 2)
    }

    private static func head(_ name: String, _ mine: Migration, _ theirs: Migration, _ whatIf: WhatIf) -> String {
        guard let other = whatIf.firstOther else { return "with the other plan \(name) would have gone the same way" }
        return
            "with the other plan \(name) would have gone another way from version \(other.version) on, \(LocalTime.date(other.at))"
    }
}

/// The same for programs.
struct WhatIfReport: Encodable {
    var format = 1
    var migration: String
    var recorded: ComparedSide?
    var whatIf: ComparedSide?
    /// The first version after which the two differ; nil when they never do.
    var differsFrom: Int64?
    /// The version from which on the recorded traffic no longer follows from the other plan; nil when it always does.
    var trafficDiffersFrom: Int64?

    init(_ name: String, _ state: MigrationState, _ whatIf: WhatIf) {
        migration = name
        recorded = state.migration.map(ComparedSide.init)
        self.whatIf = whatIf.state.migration.map(ComparedSide.init)
        differsFrom = whatIf.firstOther?.version
        trafficDiffersFrom = whatIf.divergedAt?.version
    }
}
