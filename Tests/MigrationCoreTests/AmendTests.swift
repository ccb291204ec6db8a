import MigrationCore
import TestSupport
import Testing

@Suite("Amending a plan")
struct AmendTests {
    private func amended(_ scenario: MigrationScenario, _ change: (inout Plan) -> Void) throws -> Command {
        var plan = try scenario.migration.plan
        change(&plan)
        return .amend(plan: plan, hash: "other", reason: "closer")
    }

    @Test("another threshold is another trigger; the others go on")
    func streaks() throws {
        var second = SamplePlan.errors
        second.condition.metric = .timeoutRate
        var scenario = try MigrationScenario(SamplePlan.plan(triggers: [SamplePlan.errors, second]))
        try scenario.reach(0, 0)
        for _ in 0..<2 {
            try scenario.window { _, _, side in
                var counts = MigrationScenario.counts(100, errors: side == .candidate ? 10 : 0)
                counts.timeouts = side == .candidate ? 10 : 0
                return counts
            }
        }
        #expect(try scenario.migration.guards.map(\.streak.breaches) == [2, 2])
        try scenario.perform(
            amended(scenario) { $0.triggers[0].condition.test = .threshold(side: .above, value: 60_000) },
            by: "ana"
        )
        #expect(try scenario.migration.guards.map(\.streak.breaches) == [0, 2])
        #expect(try scenario.migration.planHash == "other")
        // A longer time is the same condition.
        try scenario.perform(amended(scenario) { $0.triggers[1].duration = .seconds(50) }, by: "ana")
        #expect(try scenario.migration.guards.map(\.streak.breaches) == [0, 2])
        // In another order each keeps its own.
        try scenario.perform(amended(scenario) { $0.triggers.reverse() }, by: "ana")
        #expect(try scenario.migration.guards.map(\.streak.breaches) == [2, 0])
    }

    @Test("other criteria begin the bake anew, another bake does not")
    func bakes() throws {
        var scenario = try MigrationScenario(SamplePlan.plan(bake: .seconds(50)))
        try scenario.reach(0, 0)
        for _ in 0..<3 { try scenario.window(errors: 0) }
        #expect(try scenario.migration.phase.step?.bake?.run == 3)
        try scenario.perform(amended(scenario) { $0.stages[0].bake = .seconds(40) }, by: "ana")
        #expect(try scenario.migration.phase.step?.bake?.run == 3)
        try scenario.perform(
            amended(scenario) { $0.criteria[0].condition.test = .threshold(side: .below, value: 10_000) },
            by: "ana"
        )
        #expect(try scenario.migration.phase.step?.bake?.run == 0)
        for _ in 0..<4 { try scenario.window(errors: 0) }
        #expect(try scenario.migration.phase.step?.position == Position(stage: 1, step: 0))
    }

    @Test("later steps may be others; an approval that was given for another one falls")
    func steps() throws {
        var scenario = try MigrationScenario()
        try scenario.reach(1, 1)
        try scenario.perform(.approve(stage: "production", step: .all, reason: nil), by: "ana")
        try scenario.perform(amended(scenario) { $0.watch = .seconds(90) }, by: "ana")
        #expect(try scenario.migration.approvals.map(\.by) == ["ana"])
        try scenario.perform(
            amended(scenario) {
                $0.stages[1].steps = [
                    SamplePlan.weight(1_000), SamplePlan.weight(5_000), SamplePlan.weight(7_500), .all,
                ]
            },
            by: "ana"
        )
        #expect(try scenario.migration.approvals.isEmpty)
        try scenario.acknowledge()
        try scenario.bake()
        #expect(try scenario.migration.phase.step?.position == Position(stage: 1, step: 2))
        #expect(
            try scenario.migration.traffic(in: "production")?.effective == [
                SamplePlan.weight(7_500), SamplePlan.weight(7_500),
            ]
        )
    }

    private static let refused: [(String, @Sendable (inout Plan) -> Void)] = [
        ("the name", { $0.name = "n" }),
        ("services", { $0.services[0].candidate = "http://127.0.0.1:9" }),
        ("sticky_by", { $0.stickyBy = [.clientIP] }),
        ("the window", { $0.window = .seconds(20) }),
        ("the grace", { $0.grace = .seconds(20) }),
        ("the list of environments", { $0.stages.removeLast() }),
        ("has been entered", { $0.stages[1].steps[0] = SamplePlan.weight(2_000) }),
        ("has been entered", { $0.stages[0].name = "first" }),
        ("has been entered", { $0.stages.insert($0.stages[0], at: 0) }),
        ("the baseline", { $0.baseline = .minutes(1) }),
        ("already", { _ in }),
        ("no plan that can be", { $0.criteria[0].condition.test = .threshold(side: .below, value: 2_000_000) }),
    ]

    @Test("what traffic rests on, and what was entered, stays", arguments: refused.indices)
    func stays(_ index: Int) throws {
        let (says, change) = Self.refused[index]
        var scenario = try MigrationScenario()
        try scenario.reach(1, 1)
        let before = try scenario.migration.plan
        try scenario.perform(amended(scenario, change), by: "ana")
        #expect(scenario.refusal?.message.contains(says) ?? false, "\(scenario.refusal?.message ?? "not refused")")
        #expect(try scenario.migration.plan == before)
    }

    @Test("nobody amends while it rolls back, while it is quarantined, or as a worker")
    func phases() throws {
        var scenario = try MigrationScenario()
        try scenario.reach(0, 0)
        let command = try amended(scenario) { $0.watch = .seconds(90) }
        #expect(throws: Refusal.self) { try scenario.state.decide(command, by: "worker:w", at: scenario.now) }
        try scenario.perform(.quarantine(router: "r1", revision: 99))
        try scenario.perform(command, by: "ana")
        #expect(scenario.refusal?.code == .blocked)
        try scenario.perform(.rollBack(reason: "x"), by: "ana")
        try scenario.perform(.declareRewound(reason: "x"), by: "ana")
        try scenario.perform(command, by: "ana")
        #expect(scenario.refusal?.message.contains("rolling back") ?? false)
        try scenario.confirmRollback()
        try scenario.perform(command, by: "ana")
        #expect(try scenario.migration.plan.watch == .seconds(90))
        try scenario.perform(.restart(reason: "mended"), by: "ana")
        #expect(try scenario.migration.phase.name == "running")
    }

    @Test("a rollback is told by the trigger that it had, whatever the plan says now")
    func told() throws {
        var scenario = try MigrationScenario()
        try scenario.reach(0, 0)
        for _ in 0..<3 { try scenario.window(errors: 10) }
        try scenario.confirmRollback()
        try scenario.perform(
            amended(scenario) { plan in
                plan.triggers = [SamplePlan.errors]
                plan.triggers[0].condition.test = .threshold(side: .above, value: 90_000)
            },
            by: "ana"
        )
        let migration = try scenario.migration
        let rollback = try #require(migration.rollbacks.first)
        #expect(migration.words(rollback) == "error_rate > 5% for 30s")
        #expect(migration.phase.rollback == rollback)
    }

    @Test("more time revives what has expired")
    func expiry() throws {
        var scenario = try MigrationScenario()
        try scenario.reach(0, 0)
        scenario.now = try scenario.migration.plannedAt + .days(1)
        try scenario.perform(.tick)
        #expect(try scenario.migration.hasExpired)
        try scenario.perform(amended(scenario) { $0.expires = .hours(23) }, by: "ana")
        #expect(try scenario.migration.hasExpired)
        try scenario.perform(amended(scenario) { $0.expires = .days(3) }, by: "ana")
        try scenario.perform(.resume(reason: "more time"), by: "ana")
        #expect(try scenario.migration.phase.name == "running")
    }

    @Test("other checks are asked for anew")
    func checks() throws {
        var plan = SamplePlan.plan()
        plan.checks = [Check(name: "e2e", how: .reported, timeout: .minutes(5))]
        plan.stages[0].checks = [0]
        var scenario = try MigrationScenario(plan)
        try scenario.reach(0, 0)
        try scenario.bake()
        guard case .checking = try scenario.migration.phase.step?.progress else {
            Issue.record("no check is asked for")
            return
        }
        try scenario.perform(amended(scenario) { $0.checks[0].name = "load" }, by: "ana")
        try scenario.window(errors: 0)
        #expect(scenario.last.contains(.checksStarted))
        try scenario.perform(.reportCheck(check: "load", isPassed: true, detail: ""), by: "ana")
        #expect(try scenario.migration.phase.step?.position == Position(stage: 1, step: 0))
    }

    @Test("what was recorded before the first step cannot be recorded again")
    func baseline() throws {
        var plan = SamplePlan.plan()
        plan.baseline = .seconds(20)
        let improved = Criterion(condition: Condition(metric: .timeoutRate, test: .improved(by: 500_000)))
        plan.stages[0].criteria = [improved]
        var scenario = try MigrationScenario(plan)
        try scenario.perform(.start(reason: nil), by: "ana")
        for _ in 0..<2 {
            try scenario.window { _, _, _ in
                var counts = MigrationScenario.counts(100)
                counts.timeouts = 10
                return counts
            }
        }
        #expect(try !scenario.migration.baselines.isEmpty)
        try scenario.perform(amended(scenario) { $0.stages[1].criteria = [improved] }, by: "ana")
        #expect(scenario.refusal?.message.contains("no baseline of timeout_rate") ?? false)
        try scenario.perform(amended(scenario) { $0.stages[1].name = "live" }, by: "ana")
        #expect(scenario.refusal?.message.contains("the baseline was recorded for these") ?? false)
        try scenario.perform(amended(scenario) { $0.stages[1].bake = .seconds(60) }, by: "ana")
        #expect(scenario.refusal == nil)
    }

    // MARK: - What refers to the old plan

    @Test("nothing is added to a watch, also while it is halted, and its end moves with the plan")
    func watching() throws {
        for isHalted in [false, true] {
            var scenario = try MigrationScenario()
            try scenario.reach(1, 2, approving: true)
            try scenario.bake()
            #expect(try scenario.migration.phase.name == "watching")
            if isHalted { try scenario.perform(.halt(reason: "wait"), by: "ana") }
            try scenario.perform(
                amended(scenario) { plan in
                    plan.stages.append(plan.stages[1])
                    plan.stages[2].name = "more"
                },
                by: "ana"
            )
            #expect(scenario.refusal?.message.contains("no step comes after it") ?? false)
            try scenario.perform(amended(scenario) { $0.watch = .minutes(10) }, by: "ana")
            if isHalted { try scenario.perform(.resume(reason: "go on"), by: "ana") }
            guard case .watching(let watch) = try scenario.migration.phase else {
                Issue.record("it is not watched")
                return
            }
            #expect(watch.until == watch.since + .minutes(10))
        }
    }

    @Test("what a check has said is that check’s, wherever it stands in the new plan")
    func checkResults() throws {
        var plan = SamplePlan.plan()
        plan.checks = ["e2e", "load"].map { Check(name: $0, how: .reported, timeout: .minutes(5)) }
        plan.stages[0].checks = [0, 1]
        var scenario = try MigrationScenario(plan)
        try scenario.reach(0, 0)
        try scenario.bake()
        try scenario.perform(.reportCheck(check: "e2e", isPassed: true, detail: ""), by: "ana")
        try scenario.perform(
            amended(scenario) { plan in
                plan.checks = [
                    Check(name: "drill", how: .reported, timeout: .minutes(5)), plan.checks[1], plan.checks[0],
                ]
                plan.stages[0].checks = [2, 1]
                plan.stages[1].checks = [0]
            },
            by: "ana"
        )
        let migration = try scenario.migration
        #expect(migration.checks.map { migration.plan.checks[$0.check].name } == ["e2e"])
        #expect(try scenario.migration.phase.step?.position == Position(stage: 0, step: 0))
        try scenario.perform(.reportCheck(check: "load", isPassed: true, detail: ""), by: "ana")
        // The last window was judged by the old plan.
        try scenario.window(errors: 0)
        #expect(try scenario.migration.phase.step?.position == Position(stage: 1, step: 0))
    }

    @Test("a check that a worker ran for an earlier asking says nothing of this one")
    func staleRun() throws {
        var plan = SamplePlan.plan()
        plan.checks = [Check(name: "e2e", how: .process(arguments: ["a"]), timeout: .minutes(5))]
        plan.stages[0].checks = [0]
        var scenario = try MigrationScenario(plan)
        try scenario.reach(0, 0)
        try scenario.bake()
        let old = try #require(scenario.migration.openRuns.first)
        try scenario.perform(amended(scenario) { $0.checks[0].how = .process(arguments: ["b"]) }, by: "ana")
        try scenario.window(errors: 0)
        let new = try #require(scenario.migration.openRuns.first)
        #expect(new != old)
        func report(_ run: CheckRun) -> Command {
            .reportCheck(check: "e2e", isPassed: true, detail: "", since: run.since)
        }
        try scenario.perform(report(old))
        #expect(scenario.refusal?.code == .stale)
        try scenario.perform(report(new))
        #expect(try scenario.migration.phase.step?.position == Position(stage: 1, step: 0))
    }

    @Test("where a rollback happened is told as it was, though the plan has that step no more")
    func places() throws {
        var scenario = try MigrationScenario()
        try scenario.reach(1, 1)
        try scenario.perform(.rollBack(reason: "calls"), by: "ana")
        try scenario.confirmRollback()
        try scenario.perform(.restart(reason: "again"), by: "ana")
        try scenario.perform(
            amended(scenario) { plan in
                plan.stages[1].steps = [.all]
                plan.stages[1].approvals = []
            },
            by: "ana"
        )
        let migration = try scenario.migration
        #expect(migration.plan.stages[1].steps == [.all])
        #expect(migration.place(of: try #require(migration.rollbacks.first)) == "production 50 %")
    }

    @Test("equal conditions each go on with their own streak")
    func twins() throws {
        var patient = SamplePlan.errors
        patient.duration = .seconds(60)
        patient.maxGap = .seconds(60)
        var scenario = try MigrationScenario(SamplePlan.plan(triggers: [SamplePlan.errors, patient]))
        try scenario.reach(0, 0)
        try scenario.window(errors: 10)
        for _ in 0..<4 { try scenario.window(errors: nil) }
        let before = try scenario.migration.guards.map(\.streak)
        #expect(before[0] != before[1])
        try scenario.perform(amended(scenario) { $0.watch = .minutes(10) }, by: "ana")
        #expect(try scenario.migration.guards.map(\.streak) == before)
        try scenario.perform(amended(scenario) { $0.triggers.reverse() }, by: "ana")
        #expect(try scenario.migration.guards.map(\.streak) == before.reversed())
    }
}
