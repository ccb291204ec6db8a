import MigrationCore
import TestSupport
import Testing

@Suite("Gates: checks, people, limits, freezes")
struct GateTests {
    /// Production at 10 % and 100 %, with two checks at each step.
    private static func plan(_ how: Check.How = .reported, then: GateAction = .halt) -> Plan {
        var plan = SamplePlan.plan()
        plan.checks = [
            Check(name: "e2e", how: how, timeout: .minutes(5), then: then),
            Check(name: "drill", how: .reported, timeout: .minutes(10)),
        ]
        plan.stages[0].checks = [0, 1]
        return plan
    }

    private func checking(_ plan: Plan = plan()) throws -> MigrationScenario {
        var scenario = try MigrationScenario(plan)
        try scenario.reach(0, 0)
        try scenario.bake()
        #expect(scenario.last.contains(.checksStarted))
        return scenario
    }

    private func report(_ name: String, _ isPassed: Bool = true) -> Command {
        .reportCheck(check: name, isPassed: isPassed, detail: "seen")
    }

    @Test("a step waits for all its checks, and goes on with the last")
    func checks() throws {
        var scenario = try checking()
        for _ in 0..<3 { try scenario.window(errors: 0) }
        try scenario.perform(report("e2e"), by: "ana")
        #expect(try scenario.migration.phase.step?.position == Position(stage: 0, step: 0))
        try scenario.perform(report("e2e"), by: "ben")
        #expect(scenario.refusal?.code == .stale)
        // A worker says what it has run; this one is for a person to say.
        try scenario.perform(report("drill"), by: "worker:w")
        #expect(scenario.refusal?.code == .notAllowed)
        try scenario.perform(report("drill"), by: "ben")
        #expect(try scenario.migration.phase.step?.position == Position(stage: 1, step: 0))
        try scenario.perform(report("drill"), by: "ana")
        #expect(scenario.refusal?.code == .stale)
        try scenario.perform(report("dril"), by: "ana")
        #expect(scenario.refusal?.code == .unknownName)
    }

    @Test("a step that has passed its checks goes only while its windows pass")
    func checksWhileFailing() throws {
        var scenario = try checking()
        try scenario.window(errors: 3)
        try scenario.perform(report("e2e"), by: "ana")
        try scenario.perform(report("drill"), by: "ana")
        #expect(try scenario.migration.phase.step?.position == Position(stage: 0, step: 0))
        try scenario.bake()
        for _ in 0..<3 where try scenario.migration.phase.step?.position.stage == 0 { try scenario.window(errors: 0) }
        #expect(try scenario.migration.phase.step?.position == Position(stage: 1, step: 0))
    }

    @Test("a check that fails, or takes too long, does what the plan says", arguments: [GateAction.halt, .rollBack])
    func failing(_ then: GateAction) throws {
        let expected = then == .halt ? "halted" : "rollingBack"
        var scenario = try checking(Self.plan(then: then))
        try scenario.perform(report("e2e", false), by: "ana")
        #expect(try scenario.migration.phase.name == expected)
        var late = try checking(Self.plan(then: then))
        let deadline = try #require(try late.migration.nextDeadline)
        #expect(deadline == late.now + .minutes(5))
        late.now = deadline
        try late.perform(.tick)
        #expect(try late.migration.phase.name == expected)
    }

    @Test("after a halt checks are asked for anew")
    func again() throws {
        var scenario = try checking()
        try scenario.perform(report("drill"), by: "ana")
        try scenario.perform(report("e2e", false), by: "ana")
        try scenario.perform(.resume(reason: "flaky"), by: "ana")
        #expect(try scenario.migration.phase.step?.progress != .shifting)
        try scenario.window(errors: 0)
        #expect(scenario.last.contains(.checksStarted))
        #expect(try scenario.migration.checks.isEmpty)
    }

    @Test("guards fire while a check is awaited, and nobody's report stops them")
    func guardsFirst() throws {
        var scenario = try checking()
        for _ in 0..<3 { try scenario.window(errors: 10) }
        #expect(try scenario.migration.phase.name == "rollingBack")
        try scenario.perform(report("e2e"), by: "ana")
        #expect(scenario.refusal?.code == .stale)
    }

    @Test("a worker runs the checks that it can, each once")
    func worker() throws {
        let scenario = try checking(Self.plan(.process(arguments: ["/bin/true"])))
        var machine = WorkerMachine()
        let sight = WorkerMachine.Sight(now: scenario.now, state: scenario.state, reports: [], signals: [], late: [])
        let run = CheckRun(check: 0, name: "e2e", position: Position(stage: 0, step: 0), since: scenario.now)
        #expect(machine.step(sight).contains(.run(check: run)))
        #expect(!machine.step(sight).contains(.run(check: run)))
        var next = WorkerMachine()
        #expect(next.step(sight).contains(.run(check: run)))
    }

    @Test("only those approve who may, and a gate that stays closed does what the plan says")
    func people() throws {
        var plan = SamplePlan.plan()
        plan.stages[1].approvals = [
            Approval(before: .all, by: 2, of: ["ana", "ben"], timeout: .hours(1), then: .rollBack)
        ]
        var scenario = try MigrationScenario(plan)
        try scenario.reach(1, 1)
        try scenario.bake()
        let approve = Command.approve(stage: "production", step: .all, reason: nil)
        try scenario.perform(approve, by: "eve")
        #expect(scenario.refusal?.code == .notAllowed)
        try scenario.perform(approve, by: "ana")
        try scenario.perform(approve, by: "ana")
        #expect(scenario.refusal?.code == .notDistinct)
        scenario.now = scenario.now + .hours(1)
        try scenario.perform(.tick)
        #expect(try scenario.migration.phase.name == "rollingBack")
    }

    @Test("a step that takes longer than its limit does what the plan says; a resume gives it its time again")
    func limit() throws {
        var plan = SamplePlan.plan()
        plan.stages[0].limit = .minutes(5)
        var scenario = try MigrationScenario(plan)
        try scenario.perform(.start(reason: nil), by: "ana")
        let deadline = try #require(try scenario.migration.nextDeadline)
        #expect(deadline == scenario.now + .minutes(5))
        scenario.now = deadline
        try scenario.perform(.tick)
        #expect(try scenario.migration.phase.name == "halted")
        scenario.now = scenario.now + .minutes(1)
        try scenario.perform(.resume(reason: "more time"), by: "ana")
        #expect(try scenario.migration.nextDeadline == scenario.now + .minutes(5))
    }

    @Test("nothing advances in a freeze, guards go on, and the first window after it lets the step go")
    func freeze() throws {
        var plan = SamplePlan.plan()
        var scenario = try MigrationScenario(plan)
        plan.freezes = [.once(from: scenario.now + .seconds(20), to: scenario.now + .minutes(10))]
        scenario = try MigrationScenario(plan)
        try scenario.reach(0, 0)
        for _ in 0..<30 { try scenario.window(errors: 0) }
        #expect(try scenario.migration.phase.step?.position == Position(stage: 0, step: 0))
        let skip = Command.skip(stage: "staging", step: .all, reason: "now")
        try scenario.perform(skip, by: "ana")
        #expect(scenario.refusal?.code == .blocked)
        var guarded = scenario
        for _ in 0..<3 { try guarded.window(errors: 10) }
        #expect(try guarded.migration.phase.name == "rollingBack")
        for _ in 0..<40 where try scenario.migration.phase.step?.position.stage == 0 { try scenario.window(errors: 0) }
        #expect(try scenario.migration.phase.step?.position == Position(stage: 1, step: 0))
        #expect(!plan.isFrozen(at: scenario.now))
    }

    /// 2023-11-14 22:13:20 UTC, a Tuesday.
    @Test(
        "freezes hold in their time and not outside it",
        arguments: [
            (Freeze.daily(from: 22 * 60, to: 6 * 60, offset: 0), true),
            (.daily(from: 6 * 60, to: 22 * 60, offset: 0), false),
            (.daily(from: 0, to: 60, offset: 120), true), (.weekly(from: 1_440, to: 2_880, offset: 0), true),
            (.weekly(from: 2_880, to: 1_440, offset: 0), false), (.weekly(from: 5_000, to: 1_441, offset: 0), false),
            (.weekly(from: 2_880, to: 3_000, offset: 120), true),
        ]
    )
    func freezeTimes(_ freeze: Freeze, _ holds: Bool) {
        #expect(freeze.contains(Timestamp(rawValue: 1_700_000_000_000_000)) == holds)
    }

    @Test("a step at 0 % bakes without traffic, and its checks open the way: blue-green")
    func blueGreen() throws {
        var plan = Self.plan()
        plan.stages = [
            Stage(
                name: "production",
                environment: "production",
                services: [0, 1],
                steps: [.zero, .all],
                bake: .seconds(30),
                checks: [0]
            )
        ]
        var scenario = try MigrationScenario(plan)
        try scenario.perform(.start(reason: nil), by: "ana")
        try scenario.acknowledge()
        try scenario.bake()
        #expect(try scenario.migration.phase.step?.position.step == 0)
        try scenario.perform(report("e2e"), by: "ana")
        #expect(try scenario.migration.phase.step?.position.step == 1)
        try scenario.acknowledge()
        // At 100 % silence is no health any more.
        for _ in 0..<5 { try scenario.window { _, _, side in MigrationScenario.counts(side == .legacy ? 10 : 0) } }
        #expect(try scenario.migration.phase.step?.bake?.run == 0)
    }
}
