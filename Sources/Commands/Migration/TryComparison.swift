import ArgumentParser
import Foundation
import MigrationCore
import PlanFile

/// `migrate try --compare`: the candidate against legacy on recorded windows.
struct TryComparison: ParsableArguments {
    enum Test: String, ExpressibleByArgument, CaseIterable {
        case evidence
        case mannWhitney = "mann-whitney"
    }

    @Option(name: .customLong("compare"), help: "The metric in which candidate and legacy are compared.") var metric:
        MetricArgument?
    @Option(help: "With evidence: how many times as bad the candidate may be, from 0.01.") var factor: Double = 1
    @Option(help: "With evidence: how sure an alarm is to be, in percent.") var confidence: Double = 95
    @Option(help: "evidence (an e-process, valid however often one looks) or mann-whitney (one value a window).")
    var test: Test =
        .evidence

    /// The result of evidence for programs.
    struct Evidence: Encodable {
        var logE: Double
        var alarmAt: Int64?

        private enum Key: CodingKey { case logE, alarmAt }

        func encode(to encoder: any Encoder) throws {
            var container = encoder.container(keyedBy: Key.self)
            try container.encode(logE, forKey: .logE)
            try container.encode(alarmAt, forKey: .alarmAt)
        }
    }

    /// The result of Mann–Whitney for programs.
    struct Ranks: Encodable {
        var u: Double
        var p: Double
        var estimate: Double
    }

    func validate() throws {
        guard (0.01...1_000).contains(factor) else { throw ValidationError("--factor is between 0.01 and 1000") }
        guard (50...99.9999).contains(confidence) else {
            throw ValidationError("--confidence is a percentage between 50 and 99.9999")
        }
        guard test == .mannWhitney || metric?.metric.unit ?? .ratio == .ratio else {
            throw ValidationError(
                "evidence compares shares of requests; a latency is compared with --test mann-whitney"
            )
        }
    }

    func run(_ file: String, _ format: OutputFormat) throws {
        guard let metric = metric?.metric else { return }
        let windows = try WindowLines.readPairs(file)
        switch test {
        case .evidence: try tell(evidence(metric, windows), metric, format)
        case .mannWhitney: try tell(ranks(metric, windows, file), metric, format)
        }
    }

    private func evidence(_ metric: Metric, _ windows: [Int64: ServiceWindow]) -> Evidence {
        var process = EProcess(.worse)
        var result = Evidence(logE: 0, alarmAt: nil)
        let alpha = Int(((100 - confidence) * 10_000).rounded())
        for (k, window) in windows.sorted(by: { $0.key < $1.key }) {
            guard
                let evidence = metric.evidence(
                    candidate: metric.measure(sample(window, .candidate)),
                    legacy: metric.measure(sample(window, .legacy))
                )
            else { continue }
            process = process.after(evidence, factor: Int((factor * 1_000_000).rounded()), direction: .worse)
            if result.alarmAt == nil, process.exceeds(alpha: alpha) { result.alarmAt = k }
        }
        result.logE = process.logE
        return result
    }

    private func sample(_ window: ServiceWindow, _ side: Implementation) -> Sample {
        Sample(window[side], side, span: .seconds(1))
    }

    private func ranks(_ metric: Metric, _ windows: [Int64: ServiceWindow], _ file: String) throws -> Ranks {
        func values(_ side: Implementation) -> [Double] {
            windows.sorted { $0.key < $1.key }.compactMap {
                metric.measure(sample($0.value, side))?.number(metric.unit)
            }
        }
        guard let sum = RankSum(values(.candidate), over: values(.legacy)) else {
            throw Failure(.failed, "\(file) has no window in which both sides have \(metric.name)")
        }
        return Ranks(u: sum.u, p: sum.p, estimate: sum.estimate)
    }

    private func tell(_ result: Evidence, _ metric: Metric, _ format: OutputFormat) throws {
        guard format == .text else { return try Output.json(result) }
        let bound = -Transcendental.ln((100 - confidence) / 100)
        Output.line(
            result.alarmAt.map {
                "\(metric.name) is more than \(factor) times as bad as legacy’s, seen at window \($0)"
            }
                ?? "no evidence that \(metric.name) is more than \(factor) times as bad as legacy’s"
        )
        Output.line("ln E at the end: \(result.logE), alarm from \(bound)")
    }

    private func tell(_ result: Ranks, _ metric: Metric, _ format: OutputFormat) throws {
        guard format == .text else { return try Output.json(result) }
        Output.line("U = \(result.u), one-sided p = \(result.p) that the candidate’s \(metric.name) is no higher")
        Output.line("difference: \(result.estimate) (Hodges–Lehmann)")
    }
}

/// A metric on the command line.
struct MetricArgument: ExpressibleByArgument {
    var metric: Metric

    init?(argument: String) {
        guard let metric = try? ConditionText.metric(argument) else { return nil }
        self.metric = metric
    }

    static var allValueStrings: [String] { Metric.common.map(\.name) + ["slow_rate(2s)"] }
}
