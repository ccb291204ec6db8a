import ArgumentParser
import Foundation
import MigrationCore
import PlanFile

struct Try: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Judges recorded windows by a trigger or a comparison, without a database: what would it have done?",
        discussion: """
            With --condition each line of FILE (- is standard input) is a window; a k that is missing is a missing window:

              {"k":1,"requests":100,"errors":6,"timeouts":0,"cacheHits":0,"cacheMisses":0,"probesUp":0,"probesDown":0,"latencies":[12.5]}

            With --compare each line has both sides:

              {"k":1,"candidate":{"requests":10,"errors":1},"legacy":{"requests":90,"errors":1}}

            Examples:
              migrate try --condition 'error_rate > 5% for 30s' --window 10s windows.jsonl
              migrate try --compare error_rate --factor 1 --confidence 95 windows.jsonl
              migrate try --compare latency.p95 --test mann-whitney windows.jsonl
            """
    )
    @Option(help: "The trigger, such as 'error_rate > 5% for 30s'.") var condition: String?
    @Option(help: "The length of a window.") var window: DurationArgument?
    @OptionGroup var comparison: TryComparison
    @Option(help: "T_out: at it or inside it a window passes; else 80 % of the way back.") var exit: String?
    @Option(help: "How much gray and missing time a streak survives; else two windows.") var maxGap: DurationArgument?
    @Option(help: "After how much missing time in a row the absence of data is reported; else never.") var noData:
        DurationArgument?
    @Option(help: "Fewer samples than this are missing data.") var minimum: Int = 1
    @Option(help: "What a missing window does: hold, breach or pass.") var missing: Trigger.Missing = .hold
    @OptionGroup var format: FormatOptions
    @Argument(help: "The windows, one JSON object a line.") var file: String

    /// The result for programs.
    struct Result: Encodable {
        var verdicts: [Verdict]
        var firedAt: Int64?
        var noDataAt: Int64?
        var streak: Int

        private enum Key: CodingKey { case verdicts, firedAt, noDataAt, streak }

        func encode(to encoder: any Encoder) throws {
            var container = encoder.container(keyedBy: Key.self)
            try container.encode(verdicts, forKey: .verdicts)
            try container.encode(firedAt, forKey: .firedAt)
            try container.encode(noDataAt, forKey: .noDataAt)
            try container.encode(streak, forKey: .streak)
        }
    }

    func validate() throws {
        if minimum < 1 { throw ValidationError("--minimum is a number from 1") }
        guard (condition == nil) != (comparison.metric == nil) else {
            throw ValidationError("give either --condition or --compare")
        }
        guard condition == nil || window != nil else { throw ValidationError("--condition needs --window") }
        if let window, window.span < .milliseconds(1) { throw ValidationError("--window is at least 1ms") }
    }

    func run() throws {
        guard let condition, let window = window?.span else { return try comparison.run(file, format.format) }
        let trigger = try trigger(condition, window)
        let windows = try WindowLines.read(file)
        let result = Self.judge(windows, trigger, window)
        switch format.format {
        case .json: try Output.json(result)
        case .text: tell(result, trigger, need: trigger.need(window: window), first: windows.keys.min() ?? 1)
        }
    }

    private func trigger(_ condition: String, _ window: TimeSpan) throws -> Trigger {
        let trigger: Trigger
        do {
            trigger = try ConditionText.trigger(
                condition,
                window: window,
                defaults: .init(
                    exit: exit,
                    maxGap: maxGap?.span,
                    noData: noData?.span,
                    minimum: minimum,
                    missing: missing
                )
            )
        } catch {
            throw Failure(.usage, "--condition, character \(error.offset + 1): \(error.message)", mend: error.mend)
        }
        guard !trigger.condition.isCumulative else {
            throw Failure(
                .usage,
                "--condition is a threshold",
                mend: "a comparison with legacy is tried with --compare"
            )
        }
        return trigger
    }

    /// Judges windows in the order of k; a k between the first and the last that is not there is missing.
    static func judge(_ windows: [Int64: Counts], _ trigger: Trigger, _ window: TimeSpan) -> Result {
        var result = Result(verdicts: [], firedAt: nil, noDataAt: nil, streak: 0)
        guard let first = windows.keys.min(), let last = windows.keys.max() else { return result }
        var streak = Streak()
        for k in first...last {
            let verdict = trigger.judge(Sample(windows[k] ?? Counts(), span: window))
            let outcome = streak.after(verdict, k: k, trigger: trigger, window: window)
            streak = outcome.streak
            result.verdicts.append(verdict)
            if outcome.fires, result.firedAt == nil { result.firedAt = k }
            if outcome.noData, result.noDataAt == nil { result.noDataAt = k }
        }
        result.streak = streak.breaches
        return result
    }

    private func tell(_ result: Result, _ trigger: Trigger, need: Int, first: Int64) {
        let letters = result.verdicts.map { verdict in
            switch verdict {
            case .breach: "B"
            case .gray: "G"
            case .pass: "O"
            case .missing: "M"
            case .error: "E"
            }
        }
        Output.line(result.firedAt.map { "“\(trigger)” fires at window \($0)" } ?? "“\(trigger)” does not fire")
        Output.line("windows from \(first): \(letters.joined())   (B breach, G gray, O pass, M missing)")
        if let k = result.noDataAt { Output.line("no data at window \(k)") }
        Output.line("streak at the end: \(result.streak) of \(need)")
    }
}

extension Trigger.Missing: ExpressibleByArgument {}
