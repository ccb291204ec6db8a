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
            <title>\(HTML.text(title))</title><style>\(HTML.style)</style></head><body>
            <h1>\(HTML.text(title))\(head)</h1>
            <p>Rehearsed on a virtual clock with seed \(run.seed). Thin lines are legacy, thick ones the candidate; dashes are what the plan asks.</p>
            \(chart(run).svg())
            \(steps(run))
            \(forecast(run))
            \(advice(run))
            </body></html>

            """
    }

    private static func chart(_ run: SimulatedRun) -> TrafficChart {
        TrafficChart(
            plan: run.plan,
            points: run.points,
            steps: run.first.steps.map { $0.enteredAt - run.scenario.start },
            rollbacks: run.first.decided.map { [$0] } ?? []
        )
    }

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
