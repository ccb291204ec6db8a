import MigrationCore
import TestSupport
import Testing

@Suite("A shadow plan")
struct ShadowTests {
    /// The sample plan with a trigger that takes one bad window, where the one in force takes three.
    private func strict(_ plan: Plan) -> Plan {
        var plan = plan
        plan.triggers[0].duration = plan.window
        return plan
    }

    private func begun() throws -> MigrationScenario {
        var scenario = try MigrationScenario()
        try scenario.reach(0, 0)
        try begin(strict(scenario.migration.plan), &scenario)
        return scenario
    }

    private func begin(_ plan: Plan, _ scenario: inout MigrationScenario) throws {
        try scenario.perform(.beginShadow(plan: plan, hash: "strict", reason: "would it be too strict?"), by: "ana")
    }

    private func decisions(_ events: [Event]) -> [Event] {
        events.flatMap { event -> [Event] in
            guard case .shadowDecided(let decisions) = event else { return [] }
            return decisions.flatMap(\.events)
        }
    }

    @Test("would roll back where the plan in force goes on, and no weight changes")
    func suppressed() throws {
        var scenario = try begun()
        #expect(scenario.refusal == nil)
        let weights = try scenario.migration.traffic.map(\.effective)
        try scenario.window(errors: 20)
        let shadow = try #require(scenario.state.shadow)
        #expect(shadow.migration.phase.name == "rollingBack")
        #expect(shadow.migration.rollbacks.count == 1)
        #expect(shadow.differsFrom == scenario.state.version)
        #expect(shadow.partedFrom == nil)
        #expect(scenario.last.contains(.shadowDiffers))
        #expect(
            decisions(scenario.last).contains { if case .rollbackStarted = $0 { true } else { false } },
            "\(scenario.last)"
        )
        #expect(try scenario.migration.phase.name == "running")
        #expect(try scenario.migration.traffic.map(\.effective) == weights)
        // The next window was measured while the plan in force had its weights, which the shadow would not have had.
        try scenario.window(errors: 0)
        #expect(scenario.last.contains(.shadowParted))
        #expect(scenario.state.shadow?.partedFrom == scenario.state.version)
    }

    @Test("changes nothing of what is decided: with it and without it, the same events and the same state")
    func same() throws {
        var plain = try MigrationScenario()
        try plain.reach(0, 0)
        var shadowed = try begun()
        for errors in [0, 20, 0, 20, 20, 20, 0, 0] {
            try plain.window(errors: errors)
            try shadowed.window(errors: errors)
            try plain.acknowledge()
            try shadowed.acknowledge()
            let phases = (try plain.migration.phase.name, try shadowed.migration.phase.name)
            #expect(phases.0 == phases.1)
            #expect(try plain.migration.guards == shadowed.migration.guards)
            #expect(try plain.migration.traffic.map(\.effective) == shadowed.migration.traffic.map(\.effective))
        }
        #expect(try plain.migration.rollbacks.count == 1)
        // It ends where no more windows come.
        #expect(try shadowed.migration.phase.isOver)
        #expect(shadowed.state.shadow?.endedAt == shadowed.state.version)
    }

    @Test("hears the same people: a halt halts it too, and what time brings about comes to it in time")
    func people() throws {
        var scenario = try begun()
        try scenario.perform(.halt(reason: "wait"), by: "ben")
        #expect(scenario.state.shadow?.migration.phase.name == "halted")
        try scenario.perform(.resume(reason: "on"), by: "ben")
        #expect(scenario.state.shadow?.migration.phase.name == "running")
        var soon = try scenario.migration.plan
        soon.expires = scenario.now - (try scenario.migration.plannedAt) + .seconds(5)
        try begin(soon, &scenario)
        #expect(scenario.state.shadow?.migration.plan.expires == soon.expires)
        let expiry = try scenario.migration.plannedAt + soon.expires
        try scenario.window(errors: 0)
        let shadow = try #require(scenario.state.shadow)
        #expect(shadow.migration.hasExpired)
        let decided = scenario.last.compactMap { if case .shadowDecided(let decisions) = $0 { decisions } else { nil } }
        #expect(decided.first?.first?.command == .tick)
        #expect(decided.first?.first?.at == expiry)
        #expect(try !scenario.migration.hasExpired)
    }

    @Test("does not do what somebody may not, by the keys of the log")
    func forbidden() throws {
        let scenario = try begun()
        let unsigned = Refusal(.unsigned, "by no key")
        let events = try scenario.state.decideRecorded(
            .rollBack(reason: "x"),
            by: "eve",
            at: scenario.now,
            forbidden: unsigned
        )
        #expect(events.first == .overrideRefused(refusal: unsigned))
        #expect(decisions(events) == [.overrideRefused(refusal: unsigned)])
    }

    @Test("has to be a plan that could amend the one in force, and ends when a person says so")
    func refused() throws {
        var scenario = try begun()
        var other = try scenario.migration.plan
        other.services[0].name = "z"
        try begin(other, &scenario)
        #expect(scenario.refusal?.code == .blocked)
        #expect(scenario.state.shadow?.migration.planHash == "strict")
        try scenario.perform(.endShadow(reason: "seen enough"), by: "ana")
        #expect(scenario.last == [.shadowEnded])
        try scenario.window(errors: 20)
        #expect(scenario.state.shadow?.migration.rollbacks.isEmpty == true)
        #expect(scenario.last.count == 1)
        try scenario.perform(.endShadow(reason: "again"), by: "ana")
        #expect(scenario.refusal?.code == .wrongState)
        try scenario.perform(.beginShadow(plan: try strict(scenario.migration.plan), hash: "h", reason: "r"))
        #expect(scenario.refusal?.code == .notAllowed)
    }

    @Test("the recorded decisions have to fold: a forged one is a misfit")
    func forged() throws {
        let scenario = try begun()
        let position = Position(stage: 9, step: 0)
        let decision = ShadowDecision(at: scenario.now, command: nil, events: [.stepEntered(position: position)])
        let commit = Commit(
            version: scenario.state.version + 1,
            actor: "worker:w",
            decidedAt: scenario.now,
            command: .tick,
            events: [.shadowDecided(decisions: [decision])]
        )
        #expect(throws: Misfit.self) { try scenario.state.folding(commit) }
    }
}
