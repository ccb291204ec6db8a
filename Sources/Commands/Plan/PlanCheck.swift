import ArgumentParser
import Foundation
import MigrationCore
import MigrationLog
import PlanFile
import ScenarioFile
import Simulation

struct PlanCheck: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "check",
        abstract: "Says whether a plan can be carried out, and what is wrong where.",
        discussion: """
            Tries the way back to legacy from every state that the plan can be in, and looks for what its author may not have meant. With the
            expected traffic it says too whether windows have enough requests, whether a healthy candidate would pass, and how soon a comparison
            with legacy sees a difference. Exits 1 when something is an error.

            Examples:
              migrate plan check examples/recommendations.yaml
              migrate plan check examples/recommendations.yaml --traffic getRecommendations=200/s --traffic 100/s
            """
    )
    @OptionGroup var options: PlanOptions
    @Option(help: "Expected requests, as SERVICE=20/s, or 20/s for all others; may be given more than once.")
    var traffic: [TrafficArgument] = []
    @Option(help: "Expected traffic and behaviour, as migrate simulate takes them.") var scenario: String?
    @OptionGroup var format: FormatOptions

    func run() async throws {
        let (plan, text) = try options.read()
        let start = Timestamp(rawValue: Int64(Date().timeIntervalSince1970 * 1_000_000))
        var report = PlanExplorer(plan, start: start).report()
        var powers: [Power] = []
        if let scenario = try expected(plan, start) {
            let explorer = TrafficExplorer(plan, scenario)
            report.findings += explorer.findings()
            powers = explorer.powers()
        }
        let findings = Self.placed(report.findings, PlanFile.places(text))
        let hash = try CommitHash.hash(of: plan)
        switch format.format {
        case .json: try Output.json(PlanCheckReport(plan, hash, report, findings, powers))
        case .text:
            for line in PlanCheckText.lines(options.file, plan, hash, report, findings, powers) { Output.line(line) }
        }
        if findings.contains(where: { $0.finding.severity == .error }) { throw ExitCode(Failure.Code.failed.rawValue) }
    }

    /// What is expected; nil when nothing was said of it.
    private func expected(_ plan: Plan, _ start: Timestamp) throws -> Scenario? {
        var expected = try scenario.map { file in
            try ScenarioFile.parse(TextFile.read(file, "scenario"), file: file, plan: plan, start: start)
        }
        guard !traffic.isEmpty else { return expected }
        var scenario = expected ?? Scenario(start: start)
        if expected == nil {
            scenario.rate = 0
            scenario.legacy.errors = 0.01
        }
        for argument in traffic {
            guard let service = argument.service else {
                scenario.rate = argument.rate
                continue
            }
            guard plan.services.contains(where: { $0.name == service }) else {
                throw Failure(
                    .usage,
                    "--traffic: the plan has no service “\(service)”",
                    mend: Suggestion.mend(service, among: plan.services.map(\.name))
                )
            }
            scenario.rates[service] = argument.rate
        }
        let silent = plan.services.filter { scenario.rate($0.name, plan.environments.last ?? "") == 0 }
        guard silent.isEmpty else {
            throw Failure(
                .usage,
                "--traffic says nothing of \(silent.map(\.name).joined(separator: ", "))",
                mend: "name each service, or give a rate for all others: --traffic 20/s"
            )
        }
        expected = scenario
        return expected
    }

    /// Findings with the places of the file where they stand, in the order of their severity, then of the file.
    private static func placed(_ findings: [Finding], _ places: [String: (line: Int, column: Int)]) -> [PlacedFinding] {
        findings.map { finding in
            var path = finding.place
            while places[path] == nil, let slash = path.lastIndex(of: "/") { path = String(path[..<slash]) }
            return PlacedFinding(finding: finding, line: places[path]?.line, column: places[path]?.column)
        }.sorted {
            ($0.finding.severity, $0.line ?? 0, $0.column ?? 0) < ($1.finding.severity, $1.line ?? 0, $1.column ?? 0)
        }
    }
}

/// A finding and where it stands.
struct PlacedFinding {
    var finding: Finding
    var line: Int?
    var column: Int?
}

/// `getRecommendations=20/s`, or `20/s` for all that are not named.
struct TrafficArgument: ExpressibleByArgument {
    let service: String?
    /// Requests a second.
    let rate: Double

    init?(argument: String) {
        let parts = argument.split(separator: "=", maxSplits: 1).map(String.init)
        guard let last = parts.last, let rate = try? Quantity.rate(last), rate > 0 else { return nil }
        service = parts.count == 2 ? parts[0] : nil
        self.rate = Double(rate) / 1_000
    }
}
