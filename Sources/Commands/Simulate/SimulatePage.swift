import MigrationCore
import Simulation

/// Simulated runs as one page that needs nothing else: the weight over time with what was measured beneath it, and how runs end.
enum SimulatePage {
    static func html(_ run: SimulatedRun) -> String {
        let head = run.first.reason.map { ": \(HTML.text($0))" } ?? ""
        let title = "\(run.plan.name): \(run.first.end.words) after \(LocalTime.span(run.first.lasted))"
        return """
            <!doctype html>
            <html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
            <title>\(HTML.text(title))</title><style>\(style)</style></head><body>
            <h1>\(HTML.text(title))\(head)</h1>
            <p>Rehearsed on a virtual clock with seed \(run.seed). Thin lines are legacy, thick ones the candidate; dashes are what the plan asks.</p>
            \(SimulateChart.svg(run))
            \(steps(run))
            \(forecast(run))
            \(advice(run))
            </body></html>

            """
    }

    private static let style = """
        :root{--ink:#1c2430;--soft:#6a7482;--line:#d5dae1;--candidate:#0b6bcb;--legacy:#8a6d00;--asked:#0b6bcb22;--bad:#b3261e;--paper:#fff}
        @media (prefers-color-scheme:dark){:root{--ink:#e8ebf0;--soft:#98a2b1;--line:#39424f;--candidate:#6cb3ff;--legacy:#d9b64a;--asked:#6cb3ff22;--bad:#ff8a80;--paper:#14181e}}
        body{font:15px/1.5 system-ui,sans-serif;color:var(--ink);background:var(--paper);max-width:64rem;margin:2rem auto;padding:0 1rem}
        h1{font-size:1.3rem}h2{font-size:1.05rem;margin-top:2rem}p{color:var(--soft)}
        table{border-collapse:collapse}td,th{padding:.15rem .9rem .15rem 0;text-align:left;border-bottom:1px solid var(--line);font-weight:400}
        th{color:var(--soft)}.n{text-align:right;font-variant-numeric:tabular-nums}svg{width:100%;height:auto;display:block}
        svg text{fill:var(--soft);font:11px system-ui,sans-serif}svg .name{fill:var(--ink)}
        """

    private static func steps(_ run: SimulatedRun) -> String {
        let narrator = Narrator(plan: run.plan)
        let rows = run.first.steps.map { step in
            let ended = step.endedAt.map { LocalTime.span($0 - step.enteredAt) } ?? "–"
            return [
                narrator.name(step.position), "+" + LocalTime.span(step.enteredAt - run.scenario.start), ended,
                step.end.map { "\($0)" } ?? "",
            ]
        }
        return "<h2>Steps</h2>" + HTML.table(["step", "entered", "took", "end"], rows, numbers: [1, 2])
    }

    private static func forecast(_ run: SimulatedRun) -> String {
        let forecast = run.forecast
        guard forecast.runs > 1 else { return "" }
        let ends = Outcome.End.allCases.compactMap { end in
            forecast.ends[end].map { [end.words, "\($0)", SimulateText.share($0, forecast.runs)] }
        }
        let reasons = forecast.reasons.prefix(10).map { [$0.0, "\($0.1)", SimulateText.share($0.1, forecast.runs)] }
        let spreads = SimulateText.spreads(forecast).compactMap { name, spread, isTime -> [String]? in
            guard let spread else { return nil }
            return [name]
                + [spread.least, spread.low, spread.middle, spread.high, spread.most].map {
                    isTime ? LocalTime.span(TimeSpan(rawValue: $0)) : "\($0)"
                }
        }
        return "<h2>\(forecast.runs) runs</h2>"
            + HTML.table(["end", "runs", "share"], ends + reasons, numbers: [1, 2])
            + "<p>Rolled back although nothing had gone wrong yet: \(SimulateText.share(forecast.falseRollbacks, forecast.runs)).</p>"
            + HTML.table(["", "least", "5 %", "middle", "95 %", "most"], spreads, numbers: [1, 2, 3, 4, 5])
    }

    private static func advice(_ run: SimulatedRun) -> String {
        guard !run.advice.isEmpty else { return "" }
        let rows = run.advice.map { advice in
            let metric = advice.trigger.condition.metric
            return [(advice.stage.map { "\($0): " } ?? "") + "\(advice.trigger)"]
                + [advice.middle, advice.far, advice.worst].map { SimulateText.threshold($0, metric) }
                + [Decimals.text(Int((advice.alarms * 1_000).rounded()), scale: 10) + " %", SimulateText.words(advice)]
        }
        return "<h2>Thresholds</h2>"
            + HTML.table(
                ["trigger", "middle", "99 of 100", "worst", "false alarms", "suggested"],
                rows,
                numbers: [1, 2, 3, 4]
            )
    }
}

/// Pieces of pages.
enum HTML {
    /// Text that stands for itself, whatever is in it.
    static func text(_ text: String) -> String {
        text.replacing("&", with: "&amp;").replacing("<", with: "&lt;").replacing(">", with: "&gt;")
            .replacing("\"", with: "&quot;")
    }

    /// - Parameter numbers: the columns whose cells stand at the right.
    static func table(_ head: [String], _ rows: [[String]], numbers: Set<Int>) -> String {
        func row(_ cells: [String], _ tag: String) -> String {
            "<tr>"
                + cells.enumerated().map { index, cell in
                    "<\(tag)\(numbers.contains(index) ? " class=\"n\"" : "")>\(text(cell))</\(tag)>"
                }.joined() + "</tr>"
        }
        return "<table>\(row(head, "th"))\(rows.map { row($0, "td") }.joined(separator: "\n"))</table>"
    }
}
