import MigrationCore
import Simulation

/// Simulated runs for people: what became of the plan first, a chart, then how often.
enum SimulateText {
    static func lines(_ run: SimulatedRun, width: Int) -> [String] {
        var lines = [head(run), ""] + timeline(run) + [""] + chart(run, width)
        if run.forecast.runs > 1 { lines += [""] + forecast(run) }
        if !run.advice.isEmpty { lines += [""] + advice(run) }
        return lines + [""] + next(run)
    }

    private static func head(_ run: SimulatedRun) -> String {
        let first = run.first
        let reason = first.reason.map { ", because \($0)" } ?? ""
        let place = first.position.map { " at \(Narrator(plan: run.plan).name($0))" } ?? ""
        return
            "\(run.plan.name) would be \(first.end.words.uppercased())\(place) after \(LocalTime.span(first.lasted))\(reason)   (seed \(run.seed))"
    }

    /// What changed something, with the time since the beginning.
    private static func timeline(_ run: SimulatedRun) -> [String] {
        let narrator = Narrator(plan: run.plan)
        var table = TextTable([.right, .left])
        for commit in run.first.commits where narrator.isNotable(commit) && !isBeginning(commit) {
            table.add("+" + LocalTime.span(commit.decidedAt - run.scenario.start), narrator.line(commit))
        }
        return table.lines(indent: 2)
    }

    private static func isBeginning(_ commit: Commit) -> Bool {
        switch commit.command {
        case .plan, .registerRouter: true
        default: false
        }
    }

    // MARK: - Chart

    private static let bars = Array("▁▂▃▄▅▆▇█")

    private static func chart(_ run: SimulatedRun, _ width: Int) -> [String] {
        guard let last = run.points.last, last.at > .zero else { return [] }
        let columns = max(20, width - 40)
        func column(_ point: Outcome.Point) -> Int {
            min(columns - 1, max(0, Int(Int128(point.at.rawValue) * Int128(columns) / Int128(last.at.rawValue + 1))))
        }
        var table = TextTable([.left, .left, .right])
        func row(_ name: String, _ value: (Outcome.Point) -> Double?, top: Double?, _ text: (Double) -> String) {
            var cells = [Double?](repeating: nil, count: columns)
            for point in run.points {
                guard let value = value(point) else { continue }
                cells[column(point)] = max(cells[column(point)] ?? value, value)
            }
            let most = cells.compactMap(\.self).max() ?? 0
            let scale = top ?? most
            let line = cells.map { cell in
                cell.map { scale > 0 ? bars[min(7, max(0, Int($0 / scale * 7.999)))] : bars[0] } ?? " "
            }
            table.add(name, String(line), cells.contains { $0 != nil } ? "up to \(text(most))" : "–")
        }
        func percent(_ value: Double) -> String { Decimals.text(Int((value * 10_000).rounded()), scale: 100) + " %" }
        row("asked", { Double($0.asked.rawValue) / 10_000 }, top: 1, percent)
        row("seen at the candidate", { $0.seen.map { $0.number(.ratio) } }, top: 1, percent)
        for (index, criterion) in run.plan.criteria.enumerated() where !isDoubled(index, run.plan) {
            let metric = criterion.condition.metric
            func text(_ value: Double) -> String { number(value, metric) }
            func value(_ list: [Measurement?]) -> Double? {
                list.indices.contains(index) ? list[index]?.number(metric.unit) : nil
            }
            // Both on one scale.
            let most = run.points.flatMap { [value($0.candidate), value($0.legacy)] }.compactMap(\.self).max()
            row("\(metric.name)", { value($0.candidate) }, top: most, text)
            row("  of legacy", { value($0.legacy) }, top: most, text)
        }
        return table.lines(indent: 2) + [
            "  0 … \(LocalTime.span(last.at)), one column for \(LocalTime.span(TimeSpan(rawValue: last.at.rawValue / Int64(columns))))"
        ]
    }

    /// Whether a criterion before has the same metric.
    private static func isDoubled(_ index: Int, _ plan: Plan) -> Bool {
        plan.criteria[..<index].contains { $0.condition.metric == plan.criteria[index].condition.metric }
    }

    /// A number of a metric's unit as people read it.
    static func number(_ value: Double, _ metric: Metric) -> String {
        switch metric.unit {
        case .ratio: Decimals.text(Int((value * 10_000).rounded()), scale: 100) + " %"
        case .time: LocalTime.span(TimeSpan(rawValue: Int64(value * 1_000_000)))
        case .rate: Decimals.text(Int((value * 10).rounded()), scale: 10) + "/s"
        case .number: Decimals.text(Int((value * 100).rounded()), scale: 100)
        }
    }

    /// A measured value, counted as thresholds are.
    static func threshold(_ threshold: Int, _ metric: Metric) -> String {
        number(Double(threshold) / (metric.unit == .rate ? 1_000 : 1_000_000), metric)
    }

    // MARK: - Many runs

    private static func forecast(_ run: SimulatedRun) -> [String] {
        let forecast = run.forecast
        var ends = TextTable([.left, .right, .right])
        for end in Outcome.End.allCases {
            guard let count = forecast.ends[end] else { continue }
            ends.add(end.words, "\(count)", share(count, forecast.runs))
        }
        var lines =
            ["of \(forecast.runs) runs, with seeds \(run.seed)…\(run.seed &+ UInt64(forecast.runs - 1))"]
            + ends.lines(indent: 2)
        for (reason, count) in forecast.reasons.prefix(6) {
            lines.append("    \(share(count, forecast.runs))  \(reason)")
        }
        if forecast.ends[.rolledBack] != nil {
            lines.append(
                "  rolled back although nothing had gone wrong yet: \(share(forecast.falseRollbacks, forecast.runs))"
            )
        }
        var spreads = TextTable([.left, .right, .right, .right, .right, .right])
        spreads.add("", "least", "5 %", "middle", "95 %", "most")
        for (name, spread, isTime) in self.spreads(forecast) {
            guard let spread else { continue }
            let cells = [spread.least, spread.low, spread.middle, spread.high, spread.most].map {
                isTime ? LocalTime.span(TimeSpan(rawValue: $0)) : "\($0)"
            }
            spreads.add([name] + cells)
        }
        return lines + [""] + spreads.lines(indent: 2)
    }

    /// The spreads of a forecast by their names, and whether they are times.
    static func spreads(_ forecast: Forecast) -> [(String, Forecast.Spread?, Bool)] {
        [
            ("time to completion", forecast.completion, true),
            ("from the first fault to the rollback", forecast.detection, true),
            ("from there until no candidate traffic was seen", forecast.confirmation, true),
            ("users that were sent to a candidate that went back", forecast.usersExposed, false),
            ("failed requests of a candidate that went back", forecast.failed, false),
        ]
    }

    static func share(_ count: Int, _ all: Int) -> String {
        Decimals.text((count * 1_000 + all / 2) / max(1, all), scale: 10) + " %"
    }

    // MARK: - Advice

    private static func advice(_ run: SimulatedRun) -> [String] {
        var table = TextTable([.left, .right, .right, .right, .right, .left])
        table.add("trigger", "middle", "99 of 100", "worst", "false alarms", "suggested")
        for advice in run.advice {
            func text(_ threshold: Int) -> String { self.threshold(threshold, advice.trigger.condition.metric) }
            table.add(
                (advice.stage.map { "\($0): " } ?? "") + "\(advice.trigger)",
                text(advice.middle),
                text(advice.far),
                text(advice.worst),
                percent(advice.alarms),
                words(advice)
            )
        }
        return [
            "thresholds, from windows in which the candidate was well; false alarms are shares of plays as long as the plan"
        ] + table.lines(indent: 2)
    }

    /// What is proposed for a trigger.
    static func words(_ advice: ThresholdAdvice) -> String {
        guard let (threshold, alarms) = advice.suggested else { return "keep it" }
        var other = advice.trigger
        guard case .threshold(let side, let now) = other.condition.test else { return "keep it" }
        other.condition.test = .threshold(side: side, value: threshold)
        let isTighter = side == .above ? threshold < now : threshold > now
        if advice.alarms <= 0.01, !isTighter { return "keep it" }
        return "\(other)   (\(percent(alarms)) false alarms\(isTighter ? ", and sees smaller faults" : ""))"
    }

    private static func percent(_ share: Double) -> String {
        Decimals.text(Int((share * 1_000).rounded()), scale: 10) + " %"
    }

    private static func next(_ run: SimulatedRun) -> [String] {
        run.forecast.runs > 1
            ? ["next: a page with a chart: --format html; thresholds from healthy windows: --suggest"]
            : ["next: how often, and how soon: --runs 100"]
    }
}
