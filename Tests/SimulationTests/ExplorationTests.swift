import MigrationCore
import Simulation
import TestSupport
import Testing

@Suite("Exploring a plan before it runs")
struct ExplorationTests {
    private static let start = Timestamp(rawValue: 1_767_603_600_000_000)

    private func report(_ change: (inout Plan) -> Void = { _ in }) -> PlanExplorer.Report {
        var plan = SamplePlan.plan(bake: .minutes(5))
        plan.stages[1].limit = .hours(1)
        change(&plan)
        return PlanExplorer(plan, start: Self.start).report()
    }

    @Test("legacy is reached from every state of a plan, and what is well is not complained of")
    func states() {
        let report = report()
        #expect(report.findings.isEmpty, "\(report.findings)")
        // Planned and watching; four steps running and halted in three ways each; and the approval before the last.
        let expected = 2 + 4 * 2 * 3 + 2
        #expect(report.states == expected)
        // Four bakes of five minutes with two windows around each, a watch of one minute.
        let shortest = TimeSpan.seconds(4 * 320 + 60 + 20)
        #expect(report.shortest == shortest)
    }

    @Test("the shortest time waits for freezes, and a plan that has none left is an error")
    func freezes() {
        // It begins at nine on a Monday.
        let waits = report { $0.freezes = [.daily(from: 540, to: 600, offset: 0)] }
        let delayed = TimeSpan.seconds(4 * 320 + 60 + 20 + 3_600)
        #expect(waits.shortest == delayed)
        let never = report { $0.freezes = [.daily(from: 0, to: 1_439, offset: 0)] }
        #expect(never.shortest == nil)
        #expect(never.findings.contains { $0.severity == .error && $0.place == "expires" })
    }

    private static let findings: [(Finding.Severity, String, String, @Sendable (inout Plan) -> Void)] = [
        (.error, "expires", "take longer than 20m", { $0.expires = .minutes(20) }),
        (.note, "expires", "expires first", { $0.stages[1].approvals[0].timeout = .days(3) }),
        (.warning, "stages/staging/bake", "has not fired", { $0.stages[0].bake = .seconds(40) }),
        (
            .warning, "stages/production/steps", "takes all users at once",
            {
                $0.stages[1].steps = [.all]; $0.stages[1].approvals = []
            }
        ),
        (.note, "stages/production", "as long as the plan has time", { $0.stages[1].limit = nil }),
        (.note, "services/a", "an A/A run", { $0.services[0].candidate = $0.services[0].legacy }),
        (.note, "rollback/0", "nobody is told", { $0.triggers[0].noData = nil }),
        (.warning, "rollback/0", "goes silent by turns", { $0.triggers[0].missing = .pass }),
        (
            .error, "criteria/0", "no requests of legacy",
            {
                $0.criteria[0].condition.test = .compared(factor: 1_500_000, alpha: 50_000)
            }
        ),
    ]

    @Test("what its author may not have meant is said, with its place", arguments: findings.indices)
    func finding(_ index: Int) {
        let (severity, place, says, change) = Self.findings[index]
        let found = report(change).findings.first { $0.place == place && $0.severity == severity }
        #expect(found?.message.contains(says) ?? false, "\(report(change).findings)")
        if severity != .note { #expect(found?.mend != nil) }
    }

    // MARK: - Traffic

    private func explorer(_ rate: Double, _ change: (inout Plan) -> Void = { _ in }) -> TrafficExplorer {
        var plan = SamplePlan.plan(bake: .minutes(5))
        change(&plan)
        var scenario = Scenario(start: Self.start)
        scenario.rate = rate
        scenario.legacy.errors = 0.01
        return TrafficExplorer(plan, scenario, runs: 200)
    }

    @Test("a window that has fewer requests than its condition needs is an error, one that has just enough a warning")
    func samples() {
        // Two services at 10 % over 10 s: 20 requests at 10/s each.
        let scarce = explorer(10) { $0.criteria[0].minimum = 50 }.findings()
        #expect(scarce.count == 1)
        #expect(scarce.first?.severity == .error)
        #expect(scarce.first?.message.contains("production 10 % has 20 requests") ?? false)
        let near = explorer(10) { plan in
            plan.criteria[0].minimum = 15
            plan.criteria[0].condition.test = .threshold(side: .below, value: 500_000)
        }.findings()
        #expect(near.first?.severity == .warning)
        #expect(explorer(10_000) { $0.criteria[0].minimum = 50 }.findings().isEmpty)
    }

    @Test("a healthy candidate that could not pass is said so, and with which windows it could")
    func chance() throws {
        let explorer = explorer(10) { plan in
            plan.criteria[0].condition.test = .threshold(side: .below, value: 20_000)
            for stage in plan.stages.indices { plan.stages[stage].bake = .minutes(10) }
        }
        let finding = try #require(explorer.findings().first)
        #expect(finding.severity == .error)
        #expect(finding.message.contains("half as bad"))
        #expect(finding.message.contains("3 other steps have the same trouble"))
        #expect(finding.mend?.contains("let windows be") ?? false)
    }

    @Test("a comparison’s figures: twice, three and five times as bad, and the false alarms")
    func power() throws {
        let power = try #require(
            explorer(100) { plan in
                plan.triggers.append(
                    Trigger(
                        condition: Condition(metric: .errorRate, test: .compared(factor: 1_000_000, alpha: 50_000)),
                        duration: .zero,
                        exit: nil,
                        maxGap: .seconds(20),
                        noData: nil
                    )
                )
            }.powers().first
        )
        #expect(power.candidatePerWindow == 200)
        #expect(power.legacyPerWindow == 1_800)
        let times = power.seen.map { seen -> Int64 in
            if case .after(let micros) = seen.after { return micros }
            return .max
        }
        #expect(power.seen.map(\.times) == [2, 3, 5])
        #expect(times == times.sorted(by: >))
        #expect(times[0] < 300_000_000)
        #expect(try #require(power.falseAlarms) <= 0.06)
    }

    @Test(
        "ranks have their figures too: what is looked at in every window alarms without cause, and less with a duration"
    )
    func ranks() throws {
        func power(_ metric: Metric, for duration: TimeSpan) -> Power? {
            explorer(50) { plan in
                let ranked = Condition(metric: metric, test: .ranked(alpha: 10_000, over: .minutes(2)))
                plan.triggers.append(
                    Trigger(condition: ranked, duration: duration, exit: nil, maxGap: .seconds(20), noData: nil)
                )
            }.powers().first
        }
        let hasty = try #require(power(.latencyMean, for: .zero)),
            patient = try #require(power(.latencyMean, for: .minutes(1)))
        #expect(hasty.against == .legacy)
        #expect(hasty.seen.map(\.times) == [2, 3, 5])
        for seen in hasty.seen {
            guard case .after(let micros) = seen.after else {
                Issue.record("a candidate \(seen.times) times as slow is not seen")
                return
            }
            #expect(micros <= 120_000_000)
        }
        let (without, with) = (try #require(hasty.falseAlarms), try #require(patient.falseAlarms))
        #expect(with < without)
        // The traffic says nothing of how many requests legacy's health probes answer.
        #expect(power(.availability, for: .zero) == nil)
    }
}
