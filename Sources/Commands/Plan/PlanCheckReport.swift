import MigrationCore
import Simulation

/// What a plan's check found, for programs; documented in docs/reference.md.
struct PlanCheckReport: Encodable {
    struct Place: Encodable {
        var severity: String
        var line: Int?
        var column: Int?
        var message: String
        var mend: String?
    }
    struct Comparison: Encodable {
        var condition: String
        /// What `times` is a multiple of: limit, legacy or nothing.
        var against: String
        var step: String
        var candidatePerWindow: Int
        var legacyPerWindow: Int
        var seen: [Seen]
        var falseAlarms: Double?
    }
    struct Seen: Encodable {
        var times: Double
        /// Nil when it was not seen within `triedMicros`.
        var medianMicros: Int64?
        var triedMicros: Int64?
    }

    var format = 1
    var migration: String
    var hash: String
    var states: Int
    var shortestMicros: Int64?
    var findings: [Place]
    var comparisons: [Comparison]

    init(
        _ plan: Plan,
        _ hash: String,
        _ report: PlanExplorer.Report,
        _ findings: [PlacedFinding],
        _ powers: [Power]
    ) {
        migration = plan.name
        self.hash = hash
        states = report.states
        shortestMicros = report.shortest?.rawValue
        self.findings = findings.map { placed in
            Place(
                severity: placed.finding.severity.rawValue,
                line: placed.line,
                column: placed.column,
                message: placed.finding.message,
                mend: placed.finding.mend
            )
        }
        comparisons = powers.map { power in
            Comparison(
                condition: power.condition,
                against: power.against.rawValue,
                step: power.step,
                candidatePerWindow: power.candidatePerWindow,
                legacyPerWindow: power.legacyPerWindow,
                seen: power.seen.map { seen in
                    switch seen.after {
                    case .after(let micros): Seen(times: seen.times, medianMicros: micros)
                    case .longer(let micros): Seen(times: seen.times, triedMicros: micros)
                    }
                },
                falseAlarms: power.falseAlarms
            )
        }
    }
}
