import ArgumentParser
import Foundation
import MigrationCore
import PlanFile
import ScenarioFile
import Simulation

struct SimulateCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "simulate",
        abstract: "Rehearses a plan on a virtual clock: what would become of it, how soon, and how often?",
        discussion: """
            The real rules carry the plan out against a scenario (traffic, errors, latencies, hit rates and how they change), or against
            windows that a real migration sealed (migrate windows). One run is told step by step; with --runs their ends, times and
            exposed users are told together. The same seed does the same.

            Examples:
              migrate simulate examples/recommendations.yaml --scenario examples/recommendations.scenario.yaml
              migrate simulate examples/recommendations.yaml --scenario examples/recommendations.scenario.yaml --runs 20 --format html > forecast.html
              migrate simulate examples/recommendations.yaml --scenario examples/recommendations.scenario.yaml --suggest
            """
    )
    enum Format: String, ExpressibleByArgument, CaseIterable { case text, json, html }

    @OptionGroup var plan: PlanOptions
    @Option(help: "What happens, in YAML; else 10 requests a second to each service, and everything is well.")
    var scenario: String?
    @Option(help: "Windows that a real migration sealed: what migrate windows printed.") var windows: String?
    @Option(help: "The same seed gives the same run; further runs take the seeds after it.") var seed: UInt64 = 1
    @Option(help: "How many runs.") var runs = 1
    @Flag(help: "Proposes thresholds for the triggers, from windows in which the candidate was well.") var suggest =
        false
    @Option(help: "text for people, json for programs, html for a page with a chart.") var format = Format.text

    func validate() throws {
        if !(1...100_000).contains(runs) { throw ValidationError("--runs is between 1 and 100000") }
    }

    func run() async throws {
        let plan = try plan.plan()
        let rehearsal = try rehearsal(plan)
        let progress = Progress("rehearsals", of: runs)
        let outcomes: [Outcome]
        do {
            outcomes = try await rehearsal.runs(runs, seed: seed) { progress.reach($0) }
        } catch let violation as Violation {
            throw Failure(
                .failed,
                "the rehearsal broke invariant \(violation.invariant): \(violation.message)",
                mend: "this is a mistake of migrate, not of the plan: please report it with the plan and the seed"
            )
        }
        progress.end()
        guard let first = outcomes.first else { return }
        let told = SimulatedRun(
            plan: plan,
            seed: seed,
            scenario: rehearsal.against.scenario,
            first: first,
            points: first.points(start: rehearsal.against.scenario.start),
            forecast: Forecast(outcomes, firstFault: rehearsal.against.scenario.firstFault),
            advice: suggest ? advice(rehearsal, first) : []
        )
        switch format {
        case .text: for line in SimulateText.lines(told, width: Self.width) { Output.line(line) }
        case .json: try Output.json(SimulateReport(told))
        case .html: try Output.raw(SimulatePage.html(told))
        }
    }

    private func rehearsal(_ plan: Plan) throws -> Rehearsal {
        // Whole windows and days, so that a run does not depend on when it is asked for.
        let monday = Timestamp(rawValue: 1_767_603_600_000_000)
        let acting = try scenario.map { file in
            try ScenarioFile.parse(TextFile.read(file, "scenario"), file: file, plan: plan, start: monday)
        }
        let scenario = acting ?? Scenario(start: monday)
        do {
            guard let windows else { return try Rehearsal(plan, .scenario(scenario)) }
            return try Rehearsal(plan, .recorded(RecordedFile.read(windows), scenario))
        } catch let error as Rehearsal.Impossible {
            throw Failure(.failed, error.message, mend: "rehearse it against a scenario: --scenario FILE")
        }
    }

    private func advice(_ rehearsal: Rehearsal, _ first: Outcome) -> [ThresholdAdvice] {
        let history: [String: Advisor.History]
        switch rehearsal.against {
        case .scenario: history = rehearsal.history(first)
        case .recorded(let windows, _): history = windows.history(rehearsal.plan)
        }
        return Advisor(rehearsal.plan, plays: 400, seed: seed).advice(history)
    }

    private static var width: Int {
        var size = winsize()
        guard Output.isTerminal, ioctl(1, UInt(TIOCGWINSZ), &size) == 0, size.ws_col > 40 else { return 100 }
        return Int(size.ws_col)
    }
}

/// Everything that is told of simulated runs.
struct SimulatedRun {
    var plan: Plan
    var seed: UInt64
    var scenario: Scenario
    var first: Outcome
    var points: [Outcome.Point]
    var forecast: Forecast
    var advice: [ThresholdAdvice]
}
