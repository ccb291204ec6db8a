import MigrationCore
import MigrationLog
import Simulation

/// What a replay has shown, gathered for a report: what changed something, and the windows as a chart shows them.
struct ReplayStory {
    struct Line {
        var version: Int64
        var at: Timestamp
        var actor: String
        var words: String
        var isSigned: Bool
    }

    let migration: String
    private(set) var lines: [Line] = []
    private(set) var points: [Outcome.Point] = []
    private(set) var steps: [TimeSpan] = []
    private(set) var rollbacks: [TimeSpan] = []
    private(set) var sealed: Int64?
    private var narrator: Narrator?
    private var start: Timestamp?

    init(_ migration: String) { self.migration = migration }

    mutating func take(_ step: Replay.Step) {
        if case .plan(let plan, _) = step.commit.command { narrator = Narrator(plan: plan) }
        narrator?.follow(step.commit)
        if step.row.seal != nil { sealed = step.commit.version }
        guard let narrator else { return }
        if narrator.isNotable(step.commit) {
            lines.append(
                Line(
                    version: step.commit.version,
                    at: step.appendedAt,
                    actor: step.commit.actor,
                    words: narrator.line(step.commit),
                    isSigned: step.signed != nil
                )
            )
        }
        for event in step.commit.events { take(event, step) }
    }

    private mutating func take(_ event: Event, _ step: Replay.Step) {
        let begin = start ?? step.commit.decidedAt
        switch event {
        case .started: start = start ?? step.commit.decidedAt
        case .stepEntered: steps.append(step.commit.decidedAt - begin)
        case .rollbackStarted: rollbacks.append(step.commit.decidedAt - begin)
        case .windowJudged(let judgement):
            if let start, let point = Outcome.Point(judgement, in: step.after, start: start) { points.append(point) }
        default: break
        }
    }
}

/// A replay as a report: for a ticket (Markdown), or as one page that needs nothing else (HTML).
struct ReplayReports {
    let story: ReplayStory
    let report: Replay.Report
    /// The newest checkpoint that covers the migration's commits, in words.
    let evidence: String

    private var migration: Migration? { report.state.migration }

    private var title: String { "\(story.migration): \(migration?.phase.name ?? "unplanned")" }

    private var verdict: String {
        guard let divergence = report.divergence else {
            return
                "\(report.commits) commits replayed: chain whole, \(report.commits) decisions the same, projections the same."
        }
        let place = divergence.version.map { "at version \($0)" } ?? "beside the commits"
        return "DIVERGES \(place): \(divergence.message)."
    }

    private var traffic: [[String]] {
        (migration?.traffic ?? []).flatMap { traffic in
            zip(migration?.plan.services ?? [], traffic.effective).map {
                [traffic.environment, $0.name, "\($1)", "\(traffic.revision)"]
            }
        }
    }

    private var rollbacks: [[String]] {
        guard let migration else { return [] }
        return migration.rollbacks.map { rollback in
            [
                "\(rollback.number)", migration.words(rollback), LocalTime.utc(rollback.decidedAt),
                rollback.acknowledgedAt.map { LocalTime.span($0 - rollback.decidedAt) } ?? "not acknowledged",
                rollback.confirmedAt.map { LocalTime.span($0 - rollback.decidedAt) } ?? "not confirmed",
            ]
        }
    }

    private var timeline: [[String]] {
        story.lines.map { line in
            ["\(line.version)", LocalTime.utc(line.at), line.actor + (line.isSigned ? " (signed)" : ""), line.words]
        }
    }

    private var shadow: (words: String, rows: [[String]])? {
        guard let shadow = report.state.shadow, let comparison = PlanComparison(report.state) else { return nil }
        let words =
            "Plan \(shadow.migration.planHash.prefix(7)), judged from version \(shadow.since) on: \(comparison.words)."
        return (words, comparison.rows)
    }

    private static let shadowHead = ["", "as it was", "with the shadow plan"]
    private static let trafficHead = ["environment", "service", "candidate", "revision"]
    private static let rollbackHead = ["rollback", "why", "decided", "to acknowledgement", "to confirmation"]
    private static let timelineHead = ["version", "appended (UTC)", "by", "what"]

    func markdown() -> String {
        var parts = ["# \(title)", verdict, evidence]
        parts += ["## Traffic", Self.table(Self.trafficHead, traffic)]
        if !rollbacks.isEmpty { parts += ["## Rollbacks", Self.table(Self.rollbackHead, rollbacks)] }
        if let shadow { parts += ["## Shadow plan", shadow.words, Self.table(Self.shadowHead, shadow.rows)] }
        parts += ["## What happened", Self.table(Self.timelineHead, timeline)]
        return parts.joined(separator: "\n\n")
    }

    private static func table(_ head: [String], _ rows: [[String]]) -> String {
        func row(_ cells: [String]) -> String {
            let cells = cells.map {
                $0.replacing("\\", with: "\\\\").replacing("|", with: "\\|").replacing("\n", with: " ")
            }
            return "| \(cells.joined(separator: " | ")) |"
        }
        let rule = "|" + String(repeating: "---|", count: head.count)
        return ([row(head), rule] + rows.map(row)).joined(separator: "\n")
    }

    func html() -> String {
        let chart = migration.map {
            TrafficChart(plan: $0.plan, points: story.points, steps: story.steps, rollbacks: story.rollbacks).svg()
        }
        let rollbackPart =
            rollbacks.isEmpty
            ? "" : "<h2>Rollbacks</h2>" + HTML.table(Self.rollbackHead, rollbacks, numbers: [0, 3, 4])
        let shadowPart =
            shadow.map {
                "<h2>Shadow plan</h2><p>\(HTML.text($0.words))</p>" + HTML.table(Self.shadowHead, $0.rows, numbers: [])
            } ?? ""
        return """
            <!doctype html>
            <html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
            <title>\(HTML.text(title))</title><style>\(HTML.style)</style></head><body>
            <h1>\(HTML.text(title))</h1>
            <p>\(HTML.text(verdict))</p>
            <p>\(HTML.text(evidence))</p>
            \(chart ?? "")
            <p>Thin lines are legacy, thick ones the candidate; dashes are what the plan asks.</p>
            <h2>Traffic</h2>\(HTML.table(Self.trafficHead, traffic, numbers: [2, 3]))
            \(rollbackPart)
            \(shadowPart)
            <h2>What happened</h2>\(HTML.table(Self.timelineHead, timeline, numbers: [0]))
            </body></html>
            """
    }
}
