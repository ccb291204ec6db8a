import MigrationCore
import TestSupport
import Testing

@Suite("A migration from its plan to its end")
struct LifecycleTests {
    @Test("runs through every step, waits for two people, is watched, and completes")
    func completes() throws {
        var scenario = try MigrationScenario()
        try scenario.reach(1, 1)
        try scenario.bake()
        guard case .awaitingApproval = try scenario.migration.phase.step?.progress else {
            Issue.record("no approval is awaited")
            return
        }
        try scenario.perform(.approve(stage: "production", step: .all, reason: nil), by: "ana")
        #expect(try scenario.migration.phase.step?.position == Position(stage: 1, step: 1))
        try scenario.perform(.approve(stage: "production", step: .all, reason: nil), by: "ana")
        #expect(scenario.refusal?.code == .notDistinct)
        try scenario.perform(.approve(stage: "production", step: .all, reason: nil), by: "ben")
        #expect(try scenario.migration.phase.step?.position == Position(stage: 1, step: 2))
        try scenario.acknowledge()
        try scenario.bake()
        #expect(try scenario.migration.phase.name == "watching")
        for _ in 0..<12 where try scenario.migration.phase.name == "watching" { try scenario.window(errors: 0) }
        #expect(try scenario.migration.phase == .completed)
        #expect(try scenario.migration.traffic(in: "production")?.effective == [.all, .all])
    }

    @Test(
        "who approves while nobody has judged for a while opens a gate, and the step goes once what is over is judged and passes",
        arguments: [0, 60]
    )
    func behind(_ errors: Int) throws {
        var scenario = try MigrationScenario()
        try scenario.reach(1, 1)
        try scenario.bake()
        let window = try scenario.migration.plan.window, missed = 20
        scenario.now = scenario.now + window * Int64(missed)
        for person in ["ana", "ben"] {
            try scenario.perform(.approve(stage: "production", step: .all, reason: nil), by: person)
        }
        #expect(try scenario.migration.approvals.count == 2)
        #expect(try scenario.migration.phase.step?.position == Position(stage: 1, step: 1))
        // The windows that are behind: whoever judges them judges all of them before anything goes forward.
        var judged = 0
        while try scenario.migration.phase.step?.position == Position(stage: 1, step: 1), judged < 2 * missed {
            try scenario.window(errors: judged < missed / 2 ? errors : 0)
            judged += 1
        }
        if errors == 0 {
            #expect(try scenario.migration.phase.step?.position == Position(stage: 1, step: 2))
            #expect((missed - 2...missed).contains(judged))
        } else {
            #expect(try scenario.migration.phase.rollback != nil)
            #expect(judged < missed / 2)
        }
    }

    @Test("what is due comes before what goes forward: an approval after its time opens nothing by itself")
    func due() throws {
        var scenario = try MigrationScenario()
        try scenario.reach(1, 1)
        try scenario.bake()
        let deadline = try #require(try scenario.migration.nextDeadline)
        try scenario.perform(.approve(stage: "production", step: .all, reason: nil), by: "ana")
        scenario.now = deadline
        try scenario.perform(.approve(stage: "production", step: .all, reason: nil), by: "ben")
        #expect(scenario.last.count == 1)
        #expect(try scenario.migration.phase.step?.position == Position(stage: 1, step: 1))
    }

    @Test("neither the last step nor the watch ends while a router has not acknowledged its weight")
    func unacknowledged() throws {
        var scenario = try MigrationScenario()
        try scenario.reach(1, 2, approving: true)
        try scenario.perform(.registerRouter(router: "late", environment: "production"))
        for _ in 0..<20 { try scenario.window(errors: 0) }
        #expect(try scenario.migration.phase.step?.position == Position(stage: 1, step: 2))
        try scenario.acknowledge()
        try scenario.window(errors: 0)
        #expect(try scenario.migration.phase.name == "watching")
        try scenario.perform(.registerRouter(router: "later", environment: "production"))
        for _ in 0..<40 { try scenario.window(errors: 0) }
        #expect(try scenario.migration.phase.name == "watching")
        try scenario.perform(.retireRouter(router: "later", reason: "it never began"), by: "ana")
        try scenario.window(errors: 0)
        #expect(try scenario.migration.phase == .completed)
    }

    @Test("a step does not bake before every router has acknowledged its weight")
    func waitsForRouters() throws {
        var scenario = try MigrationScenario()
        try scenario.perform(.start(reason: nil), by: "ana")
        for _ in 0..<10 { try scenario.window(errors: 0) }
        #expect(try scenario.migration.phase.step?.progress == .shifting)
        try scenario.acknowledge()
        #expect(try scenario.migration.phase.step?.bake?.run == 0)
    }

    @Test("one window that is missing or fails begins the bake again", arguments: [nil, 3] as [Int?])
    func bakeBeginsAgain(_ errors: Int?) throws {
        var scenario = try MigrationScenario()
        try scenario.reach(0, 0)
        try scenario.window(errors: 0)
        try scenario.window(errors: 0)
        try scenario.window(errors: errors)
        #expect(try scenario.migration.phase.step?.bake?.run == 0)
        try scenario.window(errors: 0)
        try scenario.window(errors: 0)
        #expect(try scenario.migration.phase.step?.position == Position(stage: 0, step: 0))
        try scenario.window(errors: 0)
        #expect(try scenario.migration.phase.step?.position == Position(stage: 1, step: 0))
    }

    @Test("what a part of the routers saw can convict, and cannot acquit")
    func partial() throws {
        var scenario = try MigrationScenario()
        try scenario.reach(0, 0)
        try scenario.perform(.registerRouter(router: "r3", environment: "staging"))
        for errors in [0, 10] {
            let k = try #require(try scenario.migration.nextWindow)
            var window = try MigrationScenario.window(k, scenario.migration, errors: errors)
            window.environments[0].routers = ["r1"]
            scenario.now = try scenario.migration.plan.clock.end(of: k + 1)
            try scenario.perform(.sealWindow(window: window))
            let judged = try #require(try scenario.migration.judgement)
            #expect(judged.triggers[0].verdict == (errors == 0 ? .missing : .breach))
            #expect(judged.criteria[0].verdict == .missing)
        }
    }

    @Test("a rollback is claimed only when every router has acknowledged and a later window shows no candidate traffic")
    func rollbackIsConfirmed() throws {
        var scenario = try MigrationScenario()
        try scenario.reach(1, 1)
        for _ in 0..<3 { try scenario.window(errors: 10) }
        let rollback = try #require(try scenario.migration.phase.rollback)
        #expect(rollback.cause == .trigger(stage: 1, index: 0, service: nil))
        #expect(rollback.from == SamplePlan.weight(5_000))
        #expect(
            try scenario.migration.traffic.allSatisfy {
                $0.effective == [.zero, .zero] && $0.revision == rollback.revision
            }
        )
        try scenario.window(errors: 0)
        #expect(try scenario.migration.phase.name == "rollingBack")
        try scenario.acknowledge()
        #expect(try scenario.migration.phase.rollback?.acknowledgedAt == scenario.now)
        // A window in which nobody reported shows nothing.
        try scenario.window(errors: nil)
        try scenario.window(errors: nil)
        #expect(try scenario.migration.phase.name == "rollingBack")
        try scenario.window(errors: 0)
        #expect(try scenario.migration.phase.name == "rolledBack")
    }

    @Test("a rollback that nobody confirms is alarmed once")
    func overdue() throws {
        var scenario = try MigrationScenario()
        try scenario.reach(0, 0)
        try scenario.perform(.rollBack(reason: "calls"), by: "ana")
        #expect(try scenario.migration.nextDeadline == scenario.now + .minutes(1))
        scenario.now = scenario.now + .minutes(1)
        try scenario.perform(.tick)
        #expect(scenario.last == [.rollbackOverdue])
        try scenario.perform(.tick)
        #expect(scenario.last.isEmpty)
    }

    @Test("expiry halts, and only a rollback or an abandon goes on from there")
    func expires() throws {
        var scenario = try MigrationScenario()
        try scenario.reach(0, 0)
        scenario.now = scenario.now + .days(2)
        try scenario.perform(.tick)
        #expect(try scenario.migration.phase.name == "halted")
        try scenario.perform(.resume(reason: "please"), by: "ana")
        #expect(scenario.refusal?.code == .blocked)
        try scenario.perform(.rollBack(reason: "over"), by: "ana")
        #expect(try scenario.migration.phase.name == "rollingBack")
    }

    @Test("a gate that stands closed too long halts")
    func approvalTimesOut() throws {
        var scenario = try MigrationScenario()
        try scenario.reach(1, 1)
        try scenario.bake()
        scenario.now = try #require(try scenario.migration.nextDeadline)
        try scenario.perform(.tick)
        guard case .halted(let halt) = try scenario.migration.phase else {
            Issue.record("not halted")
            return
        }
        #expect(halt.cause == .approvalTimedOut)
    }

    @Test("the window that fires is judged once: the next one is judged after it")
    func judgedOnce() throws {
        var scenario = try MigrationScenario()
        try scenario.reach(1, 1)
        for _ in 0..<3 { try scenario.window(errors: 10) }
        let k = try #require(try scenario.migration.judgement?.k)
        #expect(try scenario.migration.phase.name == "rollingBack")
        #expect(try scenario.migration.nextWindow == k + 1)
    }
}
