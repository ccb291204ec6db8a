import MigrationCore
import TestSupport
import Testing

@Suite("Services by stage, and what goes back")
struct ScopeTests {
    /// Service a moves first, then b, in one environment; each is guarded by itself.
    private static func plan(_ scope: Trigger.Scope) -> Plan {
        var plan = SamplePlan.plan()
        plan.triggers[0].scope = scope
        plan.stages = [
            Stage(name: "first", environment: "production", services: [0], steps: [.all], bake: .seconds(30)),
            Stage(
                name: "second",
                environment: "production",
                services: [1],
                steps: [SamplePlan.weight(5_000), .all],
                bake: .seconds(30)
            ),
        ]
        return plan
    }

    /// The second stage bakes at 50 %.
    private func second(_ scope: Trigger.Scope) throws -> MigrationScenario {
        var scenario = try MigrationScenario(Self.plan(scope))
        try scenario.perform(.start(reason: nil), by: "ana")
        try scenario.acknowledge()
        for _ in 0..<6 where try scenario.migration.phase.step?.position.stage == 0 { try good(&scenario) }
        try scenario.acknowledge()
        #expect(try weights(scenario) == [.all, SamplePlan.weight(5_000)])
        return scenario
    }

    private func weights(_ scenario: MigrationScenario) throws -> [Weight] {
        try #require(try scenario.migration.traffic(in: "production")).effective
    }

    private func good(_ scenario: inout MigrationScenario, failing: Int? = nil) throws {
        let weights = try weights(scenario)
        try scenario.window { _, service, side in
            guard side == .candidate else { return MigrationScenario.counts(100) }
            return weights[service] > .zero
                ? MigrationScenario.counts(100, errors: service == failing ? 20 : 0) : Counts()
        }
    }

    @Test("a stage moves its own services and leaves the others")
    func own() throws {
        var scenario = try second(.all)
        for _ in 0..<10 {
            if case .watching = try scenario.migration.phase { break }
            try good(&scenario)
            try scenario.acknowledge()
        }
        #expect(try scenario.migration.phase.name == "watching")
        #expect(try weights(scenario) == [.all, .all])
    }

    @Test("scope all takes everything back")
    func all() throws {
        var scenario = try second(.all)
        for _ in 0..<3 { try good(&scenario, failing: 1) }
        #expect(try weights(scenario) == [.zero, .zero])
        #expect(try scenario.migration.phase.rollback?.isWhole == true)
    }

    @Test("scope stage takes back what the stage moves; the rest stays, guarded")
    func stage() throws {
        var scenario = try second(.stage)
        for _ in 0..<3 { try good(&scenario, failing: 0) }
        #expect(try weights(scenario) == [.all, .zero])
        try confirm(&scenario)
        #expect(try scenario.migration.phase.name == "partlyRolledBack")
        // What is left fails on: it goes back too.
        for _ in 0..<3 { try good(&scenario, failing: 0) }
        #expect(try weights(scenario) == [.all, .zero], "the stage’s services are back already")
    }

    @Test("scope service takes back the one at fault, everywhere, and nothing else", arguments: [0, 1])
    func service(_ failing: Int) throws {
        var scenario = try second(.service)
        for _ in 0..<3 { try good(&scenario, failing: failing) }
        var expected = [Weight.all, SamplePlan.weight(5_000)]
        expected[failing] = .zero
        #expect(try weights(scenario) == expected)
        let cause = try scenario.migration.phase.rollback?.cause
        #expect(cause == .trigger(stage: 1, index: 0, service: failing))
        try confirm(&scenario)
        #expect(try scenario.migration.phase.name == "partlyRolledBack")
        #expect(try scenario.migration.phase.isOver == false)
    }

    @Test("what is left after a part went back is guarded, and goes back too when it fails")
    func rest() throws {
        var scenario = try second(.service)
        for _ in 0..<3 { try good(&scenario, failing: 1) }
        // Even before the first rollback is confirmed.
        for _ in 0..<3 { try good(&scenario, failing: 0) }
        #expect(try weights(scenario) == [.zero, .zero])
        #expect(try scenario.migration.rollbacks.count == 2)
        #expect(try scenario.migration.phase.rollback?.isWhole == true)
        try confirm(&scenario)
        #expect(try scenario.migration.phase.name == "rolledBack")
    }

    @Test("nothing moves after a part went back but more rollback, until a restart begins where it was taken back")
    func restart() throws {
        var scenario = try second(.service)
        for _ in 0..<3 { try good(&scenario, failing: 1) }
        try confirm(&scenario)
        let weight = Command.setWeight(weight: .all, service: "b", environment: nil, reason: "now")
        for command in [weight, .resume(reason: "now"), .skip(stage: "second", step: .all, reason: "now")] {
            try scenario.perform(command, by: "ana")
            #expect(scenario.refusal != nil, "\(command)")
        }
        for _ in 0..<10 { try good(&scenario) }
        #expect(try weights(scenario) == [.all, .zero])
        try scenario.perform(.restart(reason: "mended"), by: "ana")
        #expect(try scenario.migration.phase.step?.position == Position(stage: 1, step: 0))
        #expect(try weights(scenario) == [.all, SamplePlan.weight(5_000)])
    }

    @Test("a person takes back one service, and then all of it")
    func person() throws {
        var scenario = try second(.all)
        try scenario.perform(.rollBack(reason: "calls", services: ["a"]), by: "ana")
        #expect(try weights(scenario) == [.zero, SamplePlan.weight(5_000)])
        try scenario.perform(.rollBack(reason: "calls", services: ["a"]), by: "ana")
        #expect(scenario.last == [.rollbackAlreadyUnderWay])
        try scenario.perform(.rollBack(reason: "more calls"), by: "ana")
        #expect(try weights(scenario) == [.zero, .zero])
        #expect(try scenario.migration.phase.rollback?.isWhole == true)
        try scenario.perform(.rollBack(reason: "x", services: ["c"]), by: "ana")
        #expect(scenario.refusal?.code == .unknownName)
    }

    @Test("a restart from the first stage leaves a service where it is that was not taken back")
    func ahead() throws {
        var scenario = try second(.all)
        try scenario.perform(.rollBack(reason: "calls", services: ["a"]), by: "ana")
        try confirm(&scenario)
        try scenario.perform(.restart(reason: "mended"), by: "ana")
        #expect(try scenario.migration.phase.step?.position == Position(stage: 0, step: 0))
        #expect(try weights(scenario) == [.all, SamplePlan.weight(5_000)])
    }

    private func confirm(_ scenario: inout MigrationScenario) throws {
        try scenario.acknowledge()
        for _ in 0..<4 where try scenario.migration.phase.name == "rollingBack" { try good(&scenario) }
    }
}
