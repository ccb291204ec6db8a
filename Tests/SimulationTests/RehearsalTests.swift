import Foundation
import MigrationCore
import PlanFile
import Simulation
import TestSupport
import Testing

@Suite("Rehearsals")
struct RehearsalTests {
    private static let start = Timestamp(rawValue: 1_767_603_600_000_000)

    private func scenario(_ change: (inout Scenario) -> Void = { _ in }) -> Scenario {
        var scenario = Scenario(start: Self.start)
        scenario.rate = 50
        scenario.candidate.errors = 0.001
        change(&scenario)
        return scenario
    }

    private func fault(_ at: TimeSpan, errors: Double) -> Scenario.Change {
        var change = Scenario.Change(at: at, of: .candidate)
        change.errors = errors
        return change
    }

    @Test("a healthy candidate completes, approved by as many as the plan asks, and the same seed does the same")
    func completes() throws {
        let rehearsal = try Rehearsal(SamplePlan.plan(), .scenario(scenario()))
        let first = try rehearsal.run(seed: 1), second = try rehearsal.run(seed: 1), other = try rehearsal.run(seed: 2)
        #expect(first.end == .completed)
        #expect(first.reason == nil)
        #expect(first.steps.map(\.end) == [.passed, .passed, .passed, .passed])
        #expect(first.commits == second.commits)
        #expect(first.commits != other.commits)
        #expect(first.usersExposed == 10_000)
        // Four bakes of 30 s, a watch of 60 s, and ten minutes until two people have approved.
        #expect(first.lasted > .minutes(13))
        #expect(first.lasted < .minutes(17))
        // Every decision of the rehearsal is the core's own.
        var state = MigrationState.initial
        for commit in first.commits {
            #expect(try state.decideRecorded(commit.command, by: commit.actor, at: commit.decidedAt) == commit.events)
            state = try state.folding(commit)
        }
        #expect(state == first.state)
    }

    @Test("a candidate that fails goes back, and the times are those of the fault")
    func rollsBack() throws {
        let scenario = scenario { $0.changes = [self.fault(.seconds(150), errors: 0.2)] }
        let outcome = try Rehearsal(SamplePlan.plan(), .scenario(scenario)).run(seed: 3)
        #expect(outcome.end == .rolledBack)
        #expect(outcome.rollbackByTrigger)
        #expect(outcome.reason == "error_rate > 5% for 30s")
        let onset = try #require(outcome.onset), decided = try #require(outcome.decided)
        #expect(onset >= .seconds(150))
        #expect(onset < .seconds(170))
        // Three windows and the grace of one.
        #expect(decided - onset >= .seconds(40))
        #expect(decided - onset < .seconds(45))
        #expect(try #require(outcome.confirmed) > decided)
        #expect(outcome.candidateErrors > 0)
        let points = outcome.points(start: Self.start)
        #expect(points.contains { $0.asked == .all })
        #expect(points.last?.asked == .zero)
    }

    @Test("nobody who approves leaves it halted, as the plan says")
    func nobody() throws {
        let scenario = scenario { $0.people.approveAfter = nil }
        let outcome = try Rehearsal(SamplePlan.plan(), .scenario(scenario)).run(seed: 1)
        #expect(outcome.end == .halted)
        #expect(outcome.reason?.contains("not approved in time") ?? false)
    }

    @Test("checks say what the scenario says", arguments: [true, false])
    func checks(_ isPassed: Bool) throws {
        var plan = SamplePlan.plan()
        plan.checks = [
            Check(name: "e2e", how: .reported, timeout: .minutes(5)),
            Check(name: "load", how: .process(arguments: ["true"]), timeout: .minutes(5), then: .rollBack),
        ]
        plan.stages[0].checks = [0, 1]
        let scenario = scenario { $0.people.checksPass = isPassed }
        let outcome = try Rehearsal(plan, .scenario(scenario)).run(seed: 1)
        #expect((outcome.end == .completed) == isPassed)
    }

    @Test("many runs are the runs of their seeds, told together")
    func forecast() async throws {
        let scenario = scenario { $0.changes = [self.fault(.seconds(60), errors: 0.2)] }
        let rehearsal = try Rehearsal(SamplePlan.plan(), .scenario(scenario))
        let outcomes = try await rehearsal.runs(6, seed: 10)
        #expect(outcomes.count == 6)
        for (index, outcome) in outcomes.enumerated() {
            #expect(try rehearsal.run(seed: 10 + UInt64(index)).lasted == outcome.lasted)
        }
        let forecast = Forecast(outcomes, firstFault: scenario.firstFault)
        #expect(forecast.ends == [.rolledBack: 6])
        #expect(forecast.reasons.map(\.1) == [6])
        #expect(forecast.falseRollbacks == 0)
        let detection = try #require(forecast.detection)
        let rising = [detection.least, detection.low, detection.middle, detection.high, detection.most]
        #expect(rising == rising.sorted())
        // Before there was anything wrong, a rollback is a false one.
        #expect(Forecast(outcomes, firstFault: nil).falseRollbacks == 6)
    }

    @Test("recorded windows are rehearsed under another plan: requests follow its weights, failures what was seen")
    func recorded() throws {
        let plan = SamplePlan.plan()
        let first = try Rehearsal(plan, .scenario(scenario { $0.candidate.errors = 0.03 })).run(seed: 1)
        let windows = first.commits.compactMap { commit -> Window? in
            if case .sealWindow(let window) = commit.command { return window }
            return nil
        }
        let recorded = RecordedWindows(migration: "m", length: plan.window, services: ["a", "b"], windows: windows)
        var strict = plan
        strict.triggers[0].condition.test = .threshold(side: .above, value: 15_000)
        strict.triggers[0].exit = 10_000
        let again = try Rehearsal(strict, .recorded(recorded, Scenario(start: Self.start))).run(seed: 1)
        #expect(again.end == .rolledBack)
        #expect(again.reason == "error_rate > 1.5% for 30s")
        var other = plan
        other.window = .seconds(20)
        #expect(throws: Rehearsal.Impossible.self) {
            try Rehearsal(other, .recorded(recorded, Scenario(start: Self.start)))
        }
        other = plan
        other.services[0].name = "z"
        #expect(throws: Rehearsal.Impossible.self) {
            try Rehearsal(other, .recorded(recorded, Scenario(start: Self.start)))
        }
    }

    @Test("what legacy refused of a new service says nothing of how a healthy candidate does")
    func newService() throws {
        var plan = SamplePlan.plan()
        let service = ServiceWindow(legacy: MigrationScenario.counts(100, errors: 100))
        let seen = EnvironmentWindow(
            environment: "production",
            routers: ["r"],
            services: [ServiceWindow(legacy: MigrationScenario.counts(300, errors: 3)), service]
        )
        let recorded = RecordedWindows(
            migration: "m",
            length: plan.window,
            services: ["a", "b"],
            windows: [Window(k: 1, environments: [seen])]
        )
        func legacy() -> Counts? { recorded.history(plan)["production"]?.samples.first?.counts }
        #expect(legacy()?.requests == 400 && legacy()?.errors == 103)
        plan.services[1].isNew = true
        #expect(legacy()?.requests == 300 && legacy()?.errors == 3)
        // Nor can it be rehearsed by that.
        let error = #expect(throws: Rehearsal.Impossible.self) {
            try Rehearsal(plan, .recorded(recorded, Scenario(start: Self.start)))
        }
        #expect(error?.message.contains("one that is new never on the candidate's side") ?? false)
        plan.services[1].isNew = nil
        #expect(throws: Never.self) { try Rehearsal(plan, .recorded(recorded, Scenario(start: Self.start))) }
    }

    @Test("a threshold is proposed where a healthy candidate would fire it, and kept where it would not")
    func advice() throws {
        var plan = SamplePlan.plan()
        plan.triggers[0].condition.test = .threshold(side: .above, value: 10_000)
        plan.triggers[0].duration = .seconds(10)
        plan.watch = .hours(1)
        let scenario = scenario { $0.candidate.errors = 0.01 }
        let rehearsal = try Rehearsal(SamplePlan.plan(), .scenario(scenario))
        let history = try rehearsal.history(rehearsal.run(seed: 1))
        #expect(history["production"]?.samples.isEmpty == false)
        let advice = try #require(Advisor(plan, plays: 200, seed: 1).advice(history).first)
        #expect(advice.alarms > 0.9)
        let suggested = try #require(advice.suggested)
        #expect(suggested.threshold > 15_000)
        #expect(suggested.alarms <= 0.01)
        plan.triggers[0].condition.test = .threshold(side: .above, value: 500_000)
        #expect(Advisor(plan, plays: 200, seed: 1).advice(history).first?.alarms == 0)
    }
}
