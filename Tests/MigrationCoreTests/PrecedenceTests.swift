import MigrationCore
import TestSupport
import Testing

/// roll back, flag off (person) > breach > halt > set weight (person) > advance: every pair of causes that are due at the same time.
@Suite("Precedence")
struct PrecedenceTests {
    enum Cause: String, CaseIterable, CustomTestStringConvertible {
        case rollBack, flagOff, breach, halt, setWeight, advance
        var testDescription: String { rawValue }
    }

    /// A window that lets a step pass ends a streak, so an advance is followed by no breach; one window that does both is a test below.
    private static let pairs: [(Cause, Cause)] = Cause.allCases.flatMap { first in
        Cause.allCases.filter { $0 != first && (first, $0) != (.advance, .breach) }.map { (first, $0) }
    }

    /// At 10 % in production, one breaching window before the trigger fires and one passing window before the step ends, as it is needed.
    private func ready(for causes: [Cause]) throws -> MigrationScenario {
        var plan = SamplePlan.plan()
        plan.triggers[0].duration = .seconds(20)
        plan.stages[1].approvals = []
        var scenario = try MigrationScenario(plan)
        try scenario.reach(1, 0)
        try reachBake(&scenario)
        if causes.contains(.breach) {
            try bring(.breach, &scenario)
        } else if causes.contains(.advance) {
            for _ in 0..<2 { try scenario.window(errors: 0) }
        }
        return scenario
    }

    /// Seals what is before the step's bake.
    private func reachBake(_ scenario: inout MigrationScenario) throws {
        let first = try #require(try scenario.migration.phase.step?.bake).firstWindow
        while try scenario.migration.nextWindow ?? first < first { try scenario.window(errors: 0) }
    }

    private func bring(_ cause: Cause, _ scenario: inout MigrationScenario) throws {
        switch cause {
        case .rollBack: try scenario.perform(.rollBack(reason: "x"), by: "ana")
        case .flagOff: try scenario.perform(.setFlag(service: nil, enabled: false, reason: "x"), by: "ana")
        case .halt: try scenario.perform(.halt(reason: "x"), by: "ana")
        case .setWeight:
            let command = Command.setWeight(
                weight: SamplePlan.weight(3_000),
                service: nil,
                environment: nil,
                reason: "x"
            )
            try scenario.perform(command, by: "ana")
        // Requests that were sent before anything changed are judged too.
        case .breach:
            try scenario.window { _, _, side in MigrationScenario.counts(100, errors: side == .candidate ? 10 : 0) }
        case .advance: try scenario.window(errors: 0)
        }
    }

    @Test("whichever of two comes first, the one that goes before decides", arguments: pairs)
    func pair(_ first: Cause, _ second: Cause) throws {
        var scenario = try ready(for: [first, second])
        try bring(first, &scenario)
        if try scenario.migration.phase.takesWindows || ![.breach, .advance].contains(second) {
            try bring(second, &scenario)
        }
        let migration = try scenario.migration
        let effective = try #require(migration.traffic(in: "production")).effective
        let both: Set<Cause> = [first, second]
        if both.contains(.rollBack) || both.contains(.breach) {
            #expect(migration.phase.name == "rollingBack")
            #expect(effective == [.zero, .zero])
        } else if both.contains(.flagOff) {
            // Nothing is served by the candidate, whatever was set or passed before or after.
            #expect(effective == [.zero, .zero])
            #expect(migration.phase.name == (both.contains(.halt) ? "halted" : "running"))
        } else if both.contains(.halt) {
            // An advance that was decided before the halt stands; none follows it.
            #expect(migration.phase.name == "halted")
            let isAdvanced = first == .advance
            #expect(migration.phase.step?.position == Position(stage: 1, step: isAdvanced ? 1 : 0))
            if both.contains(.setWeight) { #expect(effective[0] == SamplePlan.weight(3_000)) }
        } else {
            // A weight by hand keeps a step from going on; one that came after the advance is the next step's.
            #expect(effective == [SamplePlan.weight(3_000), SamplePlan.weight(3_000)])
            #expect(migration.phase.step?.position == Position(stage: 1, step: first == .advance ? 1 : 0))
        }
    }

    @Test("a window that fires and would let the step pass rolls back, and does not advance")
    func breachAndAdvanceInOneWindow() throws {
        // A trigger on staging's metric that a passing criterion does not see.
        var plan = SamplePlan.plan()
        plan.triggers = [
            Trigger(
                condition: Condition(metric: .timeoutRate, side: .above, threshold: 50_000),
                duration: .seconds(30),
                exit: 40_000,
                maxGap: .seconds(20),
                noData: nil
            )
        ]
        var scenario = try MigrationScenario(plan)
        try scenario.reach(1, 0)
        try reachBake(&scenario)
        for _ in 0..<3 {
            #expect(try scenario.migration.phase.step?.position == Position(stage: 1, step: 0))
            try scenario.window { _, _, side in
                var counts = MigrationScenario.counts(100)
                counts.timeouts = side == .candidate ? 10 : 0
                return counts
            }
        }
        #expect(try scenario.migration.judgement?.run == 3)
        #expect(try scenario.migration.phase.name == "rollingBack")
        #expect(!scenario.last.contains { if case .stepPassed = $0 { true } else { false } })
    }

    @Test("a window that is due at the migration's end of time is judged before the end")
    func windowBeforeExpiry() throws {
        var scenario = try ready(for: [.breach])
        scenario.now = try scenario.migration.plannedAt + .days(1)
        // The worker's machine looks at windows before deadlines.
        var machine = WorkerMachine()
        let window = try #require(try scenario.migration.nextWindow)
        let sight = WorkerMachine.Sight(now: scenario.now, state: scenario.state, reports: [], signals: [], late: [])
        guard case .append(.sealWindow(let sealed))? = machine.step(sight).first else {
            Issue.record("no window is sealed")
            return
        }
        #expect(sealed.k == window)
    }
}
