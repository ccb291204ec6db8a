import MigrationCore
import Simulation
import TestSupport
import Testing

@Suite("What if the plan had been another")
struct WhatIfTests {
    private static let start = Timestamp(rawValue: 1_767_603_600_000_000)

    /// A migration whose candidate fails a little from the second step of production on.
    private func recorded() throws -> [Commit] {
        var scenario = Scenario(start: Self.start)
        scenario.rate = 100
        var change = Scenario.Change(at: .seconds(170), of: .candidate)
        change.errors = 0.07
        scenario.changes = [change]
        return try Rehearsal(SamplePlan.plan(), .scenario(scenario)).run(seed: 1).commits
    }

    @Test("the same plan decides the same, to the end")
    func same() throws {
        let commits = try recorded()
        let whatIf = try WhatIf(SamplePlan.plan(), hash: "h", recorded: commits)
        #expect(whatIf.divergedAt == nil)
        #expect(whatIf.firstOther == nil)
        var state = MigrationState.initial
        for commit in commits { state = try state.folding(commit) }
        #expect(whatIf.state.migration?.phase.name == state.migration?.phase.name)
        #expect(whatIf.state.migration?.rollbacks.count == 1)
    }

    @Test("a looser trigger goes on where it was rolled back, and says from where on the traffic is not its own")
    func looser() throws {
        let commits = try recorded()
        var plan = SamplePlan.plan()
        plan.triggers[0].condition.test = .threshold(side: .above, value: 200_000)
        plan.triggers[0].exit = 150_000
        let whatIf = try WhatIf(plan, hash: "h", recorded: commits)
        let rolledBack = try #require(
            commits.first { $0.events.contains { if case .rollbackStarted = $0 { true } else { false } } }
        )
        #expect(whatIf.firstOther?.version == rolledBack.version)
        let diverged = try #require(whatIf.divergedAt)
        #expect(diverged.version > rolledBack.version)
        #expect(whatIf.state.migration?.rollbacks.isEmpty == true)
        // What it decided is what its rules decide.
        var state = MigrationState.initial
        for commit in whatIf.commits {
            #expect(try state.decideRecorded(commit.command, by: commit.actor, at: commit.decidedAt) == commit.events)
            state = try state.folding(commit)
        }
    }

    @Test("a shorter trigger would have been sooner")
    func sooner() throws {
        let commits = try recorded()
        var plan = SamplePlan.plan()
        plan.triggers[0].duration = .seconds(10)
        let whatIf = try WhatIf(plan, hash: "h", recorded: commits)
        var state = MigrationState.initial
        for commit in commits { state = try state.folding(commit) }
        let was = try #require(state.migration?.rollbacks.first),
            would = try #require(whatIf.state.migration?.rollbacks.first)
        #expect(was.decidedAt - would.decidedAt == .seconds(20))
    }

    @Test("a plan that cannot be compared is refused")
    func impossible() throws {
        let commits = try recorded()
        for change in [
            { $0.window = .seconds(20) }, { $0.services[0].name = "z" }, { $0.stages[0].environment = "moon" },
        ] as [(inout Plan) -> Void] {
            var plan = SamplePlan.plan()
            change(&plan)
            #expect(throws: WhatIf.Impossible.self) { try WhatIf(plan, hash: "h", recorded: commits) }
        }
    }
}
