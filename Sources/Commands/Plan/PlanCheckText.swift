import MigrationCore
import Simulation

/// What a plan's check found, for people: whether it can be carried out first, then what is wrong, where, and its mend.
enum PlanCheckText {
    static func lines(
        _ file: String,
        _ plan: Plan,
        _ hash: String,
        _ report: PlanExplorer.Report,
        _ findings: [PlacedFinding],
        _ powers: [Power]
    ) -> [String] {
        let steps = plan.stages.map(\.steps.count).reduce(0, +)
        let errors = findings.count { $0.finding.severity == .error }
        let verdict =
            errors == 0
            ? "can be carried out" : "cannot be carried out as it is: \(errors) error\(errors == 1 ? "" : "s")"
        var lines = [
            "\(file): \(plan.name) \(verdict)",
            "  \(count(plan.services.count, "service")), \(count(plan.stages.count, "stage")), \(count(steps, "step")); hash \(hash)",
            (report.isAlwaysBack
                ? "  legacy is reached from each of the \(report.states) states that were tried"
                : "  \(report.states) states were tried")
                + (report.shortest.map {
                    "; it takes \(LocalTime.span($0)) at the least, and expires after \(LocalTime.span(plan.expires))"
                } ?? ""),
        ]
        for placed in findings {
            let place = [file, placed.line.map(String.init), placed.column.map(String.init)].compactMap(\.self).joined(
                separator: ":"
            )
            lines += ["", "\(place): \(placed.finding.severity.rawValue): \(placed.finding.message)"]
            if let mend = placed.finding.mend { lines.append("  \(mend)") }
        }
        if !powers.isEmpty { lines += [""] + power(powers) }
        return lines + ["", "next: rehearse it: migrate simulate \(file)"]
    }

    private static func count(_ number: Int, _ what: String) -> String { "\(number) \(what)\(number == 1 ? "" : "s")" }

    private static func power(_ powers: [Power]) -> [String] {
        var table = TextTable([.left, .left, .right, .left, .right])
        table.add("comparison with legacy", "at", "requests a window", "seen after (median)", "false alarms")
        for power in powers {
            let seen = power.seen.map { "\(times($0, power.against)) \(after($0.after))" }
            table.add(
                power.condition,
                power.step,
                "\(power.candidatePerWindow) + \(power.legacyPerWindow)",
                seen.joined(separator: ", "),
                power.falseAlarms.map { Decimals.text(Int(($0 * 1_000).rounded()), scale: 10) + " %" } ?? "–"
            )
        }
        return table.lines(indent: 2)
    }

    /// How bad the candidate is.
    private static func times(_ seen: Power.Seen, _ against: Power.Against) -> String {
        switch against {
        case .limit: "\(Int(seen.times))× the limit:"
        case .legacy: "\(Int(seen.times))× legacy:"
        case .nothing: seen.times == 1 ? "as good as legacy:" : "half as bad as legacy:"
        }
    }

    private static func after(_ bound: Power.TimeSpanBound) -> String {
        switch bound {
        case .after(let micros): LocalTime.span(TimeSpan(rawValue: micros))
        case .longer(let micros): "not within " + LocalTime.span(TimeSpan(rawValue: micros))
        }
    }
}
