import MigrationCore
import TestSupport
import Testing

@Suite("Overrides by people")
struct OverrideTests {
    private static let anyState: [@Sendable (inout MigrationScenario) throws -> Void] = [
        { _ in },
        { try $0.perform(.start(reason: nil), by: "ana") },
        { try $0.reach(1, 0) },
        {
            try $0.reach(0, 0)
            try $0.perform(.halt(reason: "wait"), by: "ana")
        },
        {
            try $0.reach(1, 1)
            try $0.bake()
        },
    ]

    @Test("roll back is accepted in every state that is not final", arguments: anyState.indices)
    func rollBack(_ index: Int) throws {
        var scenario = try MigrationScenario()
        try Self.anyState[index](&scenario)
        try scenario.perform(.rollBack(reason: "calls"), by: "ben")
        #expect(try scenario.migration.phase.rollback?.cause == .person(name: "ben", reason: "calls"))
        let revision = try scenario.migration.phase.rollback?.revision
        try scenario.perform(.rollBack(reason: "again"), by: "ana")
        #expect(scenario.last == [.rollbackAlreadyUnderWay])
        #expect(try scenario.migration.phase.rollback?.revision == revision)
        try scenario.confirmRollback()
        #expect(try scenario.migration.phase.name == "rolledBack")
    }

    @Test("after a rollback nothing raises a weight but a restart with a reason")
    func fenced() throws {
        var scenario = try MigrationScenario()
        try scenario.reach(1, 1)
        try scenario.perform(.rollBack(reason: "calls"), by: "ana")
        let commands: [Command] = [
            .setWeight(weight: .all, service: nil, environment: nil, reason: "x"),
            .setFlag(service: nil, enabled: true, reason: "x"),
            .resume(reason: "x"), .start(reason: nil),
            .skip(stage: "production", step: SamplePlan.weight(5_000), reason: "x"),
            .approve(stage: "production", step: .all, reason: nil), .restart(reason: "too early"),
        ]
        for command in commands {
            try scenario.perform(command, by: "ana")
            #expect(scenario.refusal != nil, "\(command)")
        }
        try scenario.confirmRollback()
        try scenario.perform(.restart(reason: "mended"), by: "ana")
        #expect(try scenario.migration.phase.step?.position == Position(stage: 0, step: 0))
        #expect(try scenario.migration.guards == [Running()])
    }

    @Test("a halt stops advance, and a resume lets it go on")
    func halt() throws {
        var scenario = try MigrationScenario()
        try scenario.reach(0, 0)
        try scenario.perform(.halt(reason: "wait"), by: "ana")
        for _ in 0..<6 { try scenario.window(errors: 0) }
        #expect(try scenario.migration.phase.step?.position == Position(stage: 0, step: 0))
        try scenario.perform(.halt(reason: "wait"), by: "ana")
        #expect(scenario.refusal?.code == .wrongState)
        try scenario.perform(.resume(reason: "go"), by: "ana")
        try scenario.window(errors: 0)
        #expect(try scenario.migration.phase.step?.position == Position(stage: 1, step: 0))
    }

    @Test("a flag takes one service to legacy whatever its weight is, and blocks advance")
    func flag() throws {
        var scenario = try MigrationScenario()
        try scenario.reach(1, 0)
        try scenario.perform(.setFlag(service: "b", enabled: false, reason: "totals"), by: "ana")
        #expect(try scenario.migration.traffic(in: "production")?.effective == [SamplePlan.weight(1_000), .zero])
        #expect(try scenario.migration.traffic(in: "staging")?.effective == [.all, .zero])
        try scenario.acknowledge()
        for _ in 0..<6 { try scenario.window(errors: 0) }
        #expect(try scenario.migration.phase.step?.position == Position(stage: 1, step: 0))
        try scenario.perform(.setFlag(service: "b", enabled: true, reason: "mended"), by: "ana")
        #expect(
            try scenario.migration.traffic(in: "production")?.effective == [
                SamplePlan.weight(1_000), SamplePlan.weight(1_000),
            ]
        )
    }

    @Test("a stale approval is refused with the reason, and recorded")
    func staleApproval() throws {
        var scenario = try MigrationScenario()
        try scenario.reach(0, 0)
        let version = scenario.state.version
        try scenario.perform(.approve(stage: "production", step: .all, reason: nil), by: "ana")
        #expect(scenario.refusal?.code == .stale)
        #expect(scenario.state.version == version + 1)
        try scenario.perform(.approve(stage: "production", step: SamplePlan.weight(5_000), reason: nil), by: "ana")
        #expect(scenario.refusal?.code == .unknownName)
        try scenario.perform(.approve(stage: "prod", step: .all, reason: nil), by: "ana")
        #expect(scenario.refusal?.mend?.contains("production") == true)
    }

    @Test("a skip names its step and does not open a gate")
    func skip() throws {
        var scenario = try MigrationScenario()
        try scenario.reach(1, 0)
        try scenario.perform(.skip(stage: "staging", step: .all, reason: "late"), by: "ana")
        #expect(scenario.refusal?.code == .stale)
        try scenario.perform(.skip(stage: "production", step: SamplePlan.weight(1_000), reason: "tested"), by: "ana")
        #expect(try scenario.migration.phase.step?.position == Position(stage: 1, step: 1))
        #expect(try scenario.migration.steps.first { $0.end == .skipped }?.position == Position(stage: 1, step: 0))
        try scenario.perform(.skip(stage: "production", step: SamplePlan.weight(5_000), reason: "hurry"), by: "ana")
        #expect(scenario.refusal?.code == .blocked)
    }

    @Test("an abandon takes weights to legacy first, and is final")
    func abandon() throws {
        var scenario = try MigrationScenario()
        try scenario.reach(1, 0)
        try scenario.perform(.abandon(reason: "withdrawn"), by: "ana")
        #expect(try scenario.migration.phase.name == "rollingBack")
        try scenario.confirmRollback()
        #expect(try scenario.migration.phase.name == "abandoned")
        for command in [
            Command.rollBack(reason: "x"), .restart(reason: "x"), .halt(reason: "x"), .abandon(reason: "x"),
        ] {
            try scenario.perform(command, by: "ana")
            #expect([.finished, .wrongState].contains(try #require(scenario.refusal).code))
        }
    }

    @Test("a step whose weight was set by hand does not advance at another weight than the plan's")
    func setByHand() throws {
        var scenario = try MigrationScenario()
        try scenario.reach(1, 0)
        let other = Command.setWeight(weight: SamplePlan.weight(2_000), service: nil, environment: nil, reason: "look")
        try scenario.perform(other, by: "ana")
        try scenario.acknowledge()
        for _ in 0..<8 { try scenario.window(errors: 0) }
        #expect(try scenario.migration.phase.step?.position == Position(stage: 1, step: 0))
        let planned = Command.setWeight(
            weight: SamplePlan.weight(1_000),
            service: nil,
            environment: nil,
            reason: "back"
        )
        try scenario.perform(planned, by: "ana")
        try scenario.acknowledge()
        try scenario.bake()
        #expect(try scenario.migration.phase.step?.position == Position(stage: 1, step: 1))
    }

    @Test("a resumed gate has its whole time again")
    func resumedGate() throws {
        var scenario = try MigrationScenario()
        try scenario.reach(1, 1)
        try scenario.bake()
        scenario.now = try #require(try scenario.migration.nextDeadline)
        try scenario.perform(.tick)
        #expect(try scenario.migration.phase.name == "halted")
        try scenario.perform(.resume(reason: "people are back"), by: "ana")
        try scenario.perform(.tick)
        #expect(scenario.last.isEmpty)
        #expect(try scenario.migration.phase.name == "running")
    }

    @Test("what has expired is neither started nor restarted")
    func expired() throws {
        var scenario = try MigrationScenario()
        scenario.now = scenario.now + .days(2)
        try scenario.perform(.start(reason: nil), by: "ana")
        #expect(scenario.refusal?.message.contains("expired") == true)
        var second = try MigrationScenario()
        try second.reach(0, 0)
        try second.perform(.rollBack(reason: "calls"), by: "ana")
        try second.confirmRollback()
        second.now = second.now + .days(2)
        try second.perform(.restart(reason: "again"), by: "ana")
        #expect(second.refusal?.message.contains("expired") == true)
    }

    @Test("a watch does not end with a flag off or with data missing")
    func watch() throws {
        var scenario = try MigrationScenario()
        try scenario.reach(1, 2, approving: true)
        try scenario.bake()
        #expect(try scenario.migration.phase.name == "watching")
        try scenario.perform(.setFlag(service: "a", enabled: false, reason: "totals"), by: "ana")
        for _ in 0..<12 { try scenario.window(errors: 0) }
        #expect(try scenario.migration.phase.name == "watching")
        try scenario.perform(.setFlag(service: "a", enabled: true, reason: "mended"), by: "ana")
        try scenario.acknowledge()
        try scenario.window(errors: nil)
        #expect(try scenario.migration.phase.name == "watching")
        try scenario.window(errors: 0)
        #expect(try scenario.migration.phase == .completed)
    }

    @Test("a router that acknowledges what was never decided is refused; an old word is nothing new")
    func acknowledgements() throws {
        var scenario = try MigrationScenario()
        try scenario.reach(0, 0)
        let version = scenario.state.version
        try scenario.perform(.acknowledge(router: "r1", revision: 1))
        #expect(scenario.last.isEmpty)
        #expect(throws: Refusal.self) { try scenario.perform(.acknowledge(router: "r1", revision: version + 1)) }
        #expect(throws: Refusal.self) { try scenario.perform(.acknowledge(router: "nobody", revision: 1)) }
    }

    @Test("a retired router is no longer waited for")
    func retire() throws {
        var scenario = try MigrationScenario()
        try scenario.perform(.registerRouter(router: "r3", environment: "staging"))
        try scenario.perform(.start(reason: nil), by: "ana")
        let revision = try #require(try scenario.migration.traffic(in: "staging")).revision
        try scenario.perform(.acknowledge(router: "r1", revision: revision))
        #expect(try scenario.migration.phase.step?.progress == .shifting)
        try scenario.perform(.retireRouter(router: "r3", reason: "gone"), by: "ana")
        #expect(try scenario.migration.phase.step?.bake != nil)
    }

    @Test("who may still have a weight that was taken back is not evicted, however the plan stands")
    func evictLowered() throws {
        var plan = SamplePlan.plan()
        plan.evictAfter = .minutes(10)
        var scenario = try MigrationScenario(plan)
        try scenario.perform(.registerRouter(router: "r3", environment: "production"))
        try scenario.reach(1, 0)
        let planned = try #require(try scenario.migration.traffic(in: "production")).effective[0]
        func set(_ weight: Weight) throws -> Int64 {
            let command = Command.setWeight(weight: weight, service: nil, environment: "production", reason: "test")
            try scenario.perform(command, by: "ana")
            #expect(scenario.refusal == nil)
            return try #require(try scenario.migration.traffic(in: "production")).revision
        }
        let high = try set(SamplePlan.weight(8_000))
        try scenario.perform(.acknowledge(router: "r2", revision: high))
        try scenario.perform(.acknowledge(router: "r3", revision: high))
        let low = try set(planned)
        try scenario.perform(.acknowledge(router: "r2", revision: low))
        let evict = Command.evictRouter(router: "r3", silent: .minutes(10))
        #expect(throws: Refusal.self) { try scenario.perform(evict) }
        try scenario.perform(.acknowledge(router: "r3", revision: low))
        try scenario.perform(evict)
        #expect(scenario.last.first == .routerRetired(router: "r3"))
    }

    @Test("a worker evicts a router where the plan says so, and retires none; not the last, and none during a rollback")
    func evict() throws {
        func scenario(_ limit: TimeSpan?) throws -> MigrationScenario {
            var plan = SamplePlan.plan()
            plan.evictAfter = limit
            var scenario = try MigrationScenario(plan)
            try scenario.perform(.registerRouter(router: "r3", environment: "staging"))
            try scenario.perform(.start(reason: nil), by: "ana")
            let revision = try #require(try scenario.migration.traffic(in: "staging")).revision
            try scenario.perform(.acknowledge(router: "r1", revision: revision))
            return scenario
        }
        let silent = Command.evictRouter(router: "r3", silent: .minutes(10))
        var evicting = try scenario(.minutes(10))
        #expect(throws: Refusal.self) {
            try evicting.perform(.evictRouter(router: "r3", silent: .milliseconds(599_999)))
        }
        try evicting.perform(silent)
        #expect(evicting.last.first == .routerRetired(router: "r3"))
        #expect(try evicting.migration.phase.step?.bake != nil)
        #expect(throws: Refusal.self) { try evicting.perform(.evictRouter(router: "r1", silent: .minutes(10))) }
        #expect(throws: Refusal.self) { try evicting.perform(.evictRouter(router: "nobody", silent: .minutes(10))) }

        // A later rollback does not wait for it, and knows that it has not said anything.
        try evicting.perform(.rollBack(reason: "test"), by: "ana")
        let first = try #require(try evicting.migration.rollbacks.last)
        for router in try evicting.migration.routers.map(\.name) {
            try evicting.perform(.acknowledge(router: router, revision: first.revision))
        }
        #expect(try evicting.migration.rollbacks.last?.acknowledgedAt != nil)
        #expect(try evicting.migration.rollbacks.last?.unheard == ["r3"])
        // It comes back, and is waited for until it has it.
        try evicting.perform(.registerRouter(router: "r3", environment: "staging"))
        #expect(evicting.last.contains(.rollbackReopened))
        #expect(try evicting.migration.evicted == nil)
        #expect(try evicting.migration.rollbacks.last?.unheard == ["r3"])
        try evicting.perform(.acknowledge(router: "r3", revision: first.revision))
        #expect(try evicting.migration.rollbacks.last?.unheard == nil)

        var holding = try scenario(nil)
        #expect(throws: Refusal.self) { try holding.perform(silent) }
        // It may not have heard what a person has taken back.
        var lowered = try scenario(.minutes(10))
        try lowered.perform(.setFlag(service: nil, enabled: false, reason: "test"), by: "ana")
        #expect(throws: Refusal.self) { try lowered.perform(silent) }
        let revision = try #require(try lowered.migration.traffic(in: "staging")).revision
        try lowered.perform(.acknowledge(router: "r3", revision: revision))
        try lowered.perform(silent)
        #expect(lowered.last.first == .routerRetired(router: "r3"))
        // It had everything up to then, and not what came after.
        #expect(try lowered.migration.evicted?.map(\.revision) == [revision])
        try lowered.perform(.rollBack(reason: "test"), by: "ana")
        #expect(try lowered.migration.rollbacks.last?.unheard == ["r3"])
        // Of one that a person retires he says that it is gone, also where the plan has evicted it before.
        try lowered.perform(.retireRouter(router: "r3", reason: "gone"), by: "ana")
        #expect(lowered.last == [.routerRetired(router: "r3")])
        #expect(try lowered.migration.rollbacks.last?.unheard == nil)
        #expect(try lowered.migration.evicted == nil)
        var returning = try scenario(.minutes(10))
        try returning.perform(.rollBack(reason: "test"), by: "ana")
        #expect(throws: Refusal.self) { try returning.perform(silent) }
        // What people decide a worker does not, whatever the plan says.
        try returning.perform(.retireRouter(router: "r3", reason: "gone"))
        guard case .overrideRefused? = returning.last.first else {
            Issue.record("a worker retired a router")
            return
        }
    }
}
