import Foundation
import MigrationCore
import TestSupport
import Testing

@Suite("Quarantine: the log went back in time")
struct QuarantineTests {
    private func quarantined(_ reach: (Int, Int) = (1, 0)) throws -> MigrationScenario {
        var scenario = try MigrationScenario()
        try scenario.reach(reach.0, reach.1)
        try scenario.perform(.quarantine(router: "r2", revision: scenario.state.version + 5))
        #expect(
            try scenario.migration.quarantine?.evidence
                == .router(name: "r2", revision: scenario.state.version + 4)
        )
        return scenario
    }

    @Test("weights hold and nothing advances, whoever asks")
    func holds() throws {
        var scenario = try quarantined()
        let before = try scenario.migration.traffic
        for _ in 0..<10 { try scenario.window(errors: 0) }
        let approve = Command.approve(stage: "production", step: SamplePlan.weight(5_000), reason: nil)
        let weight = Command.setWeight(weight: .all, service: nil, environment: nil, reason: "now")
        let skip = Command.skip(stage: "production", step: SamplePlan.weight(1_000), reason: "now")
        for command in [approve, weight, skip, .resume(reason: "now"), .start(reason: nil), .restart(reason: "now")] {
            try scenario.perform(command, by: "ana")
            #expect(scenario.refusal?.code == .blocked, "\(command)")
        }
        #expect(try scenario.migration.traffic == before)
    }

    @Test("guards and people still take traffic back")
    func back() throws {
        var guarded = try quarantined()
        for _ in 0..<3 { try guarded.window(errors: 10) }
        #expect(try guarded.migration.phase.name == "rollingBack")
        var person = try quarantined()
        try person.perform(.rollBack(reason: "calls"), by: "ana")
        #expect(try person.migration.phase.name == "rollingBack")
    }

    @Test("declared rewound, routers take everything anew, and a person resumes")
    func rewound() throws {
        var scenario = try quarantined()
        try scenario.perform(.declareRewound(reason: "backup of Monday"), by: "ana")
        #expect(try scenario.migration.phase.name == "halted")
        #expect(try scenario.migration.unacknowledged.count == 2)
        try scenario.acknowledge()
        try scenario.perform(.resume(reason: "go on"), by: "ana")
        try scenario.bake()
        #expect(try scenario.migration.phase.step?.position == Position(stage: 1, step: 1))
        try scenario.perform(.declareRewound(reason: "again"), by: "ana")
        #expect(scenario.refusal?.code == .wrongState)
    }

    @Test("a rollback under way has to be acknowledged anew")
    func rollingBack() throws {
        var scenario = try MigrationScenario()
        try scenario.reach(1, 0)
        try scenario.perform(.rollBack(reason: "calls"), by: "ana")
        try scenario.acknowledge()
        #expect(try scenario.migration.phase.rollback?.acknowledgedAt != nil)
        try scenario.perform(.quarantine(router: "r1", revision: 99))
        try scenario.perform(.declareRewound(reason: "backup"), by: "ana")
        #expect(try scenario.migration.phase.rollback?.acknowledgedAt == nil)
        try scenario.confirmRollback()
        #expect(try scenario.migration.phase.name == "rolledBack")
    }

    @Test("a rollback that was confirmed is no longer so when the log lost a restart, and has to be seen again")
    func rolledBack() throws {
        var scenario = try MigrationScenario()
        try scenario.reach(1, 0)
        try scenario.perform(.rollBack(reason: "calls"), by: "ana")
        try scenario.confirmRollback()
        #expect(try scenario.migration.phase.name == "rolledBack")
        // A worker that looks notices a router that was restarted in the part that is lost.
        var machine = WorkerMachine()
        let report = RouterReport(router: "r2", environment: "production", revision: 99, seenAt: scenario.now)
        let sight = WorkerMachine.Sight(
            now: scenario.now,
            state: scenario.state,
            reports: [report],
            signals: [],
            late: []
        )
        #expect(machine.step(sight) == [.append(command: .quarantine(router: "r2", revision: 99))])
        try scenario.perform(.quarantine(router: "r2", revision: 99))
        #expect(try scenario.migration.quarantine != nil)
        let quarantined = WorkerMachine.Sight(
            now: scenario.now,
            state: scenario.state,
            reports: [report],
            signals: [],
            late: []
        )
        #expect(machine.step(quarantined).contains { if case .wait = $0 { true } else { false } })
        scenario.now = scenario.now + .days(2)
        try scenario.perform(.declareRewound(reason: "backup"), by: "ana")
        #expect(try scenario.migration.phase.name == "rollingBack")
        #expect(try scenario.migration.phase.rollback?.confirmedAt == nil)
        // Nothing was judged in those days, and nothing is judged for them now.
        #expect(try scenario.migration.nextWindow == scenario.migration.plan.clock.firstIndex(from: scenario.now))
        try scenario.confirmRollback()
        #expect(try scenario.migration.phase.name == "rolledBack")
    }

    @Test("a router that the log does not know any more is heard of too, once everything was rolled back")
    func unknownRouter() throws {
        var scenario = try MigrationScenario()
        try scenario.reach(1, 0)
        try scenario.perform(.rollBack(reason: "calls"), by: "ana")
        try scenario.confirmRollback()
        var machine = WorkerMachine()
        func step(_ revision: Int64?) -> [WorkerMachine.Effect] {
            let report = RouterReport(router: "r9", environment: "production", revision: revision, seenAt: scenario.now)
            return machine.step(
                WorkerMachine.Sight(now: scenario.now, state: scenario.state, reports: [report], signals: [], late: [])
            )
        }
        #expect(step(nil) == [.rest])
        #expect(step(99) == [.append(command: .registerRouter(router: "r9", environment: "production"))])
        try scenario.perform(.registerRouter(router: "r9", environment: "production"))
        #expect(try scenario.migration.phase.name == "rolledBack")
        #expect(step(99) == [.append(command: .quarantine(router: "r9", revision: 99))])
    }

    @Test("a rollback that is opened again has its whole time again before it is overdue")
    func reopenedInTime() throws {
        var scenario = try MigrationScenario()
        try scenario.reach(1, 0)
        try scenario.perform(.rollBack(reason: "calls"), by: "ana")
        try scenario.acknowledge()
        scenario.now = scenario.now + .minutes(5)
        try scenario.perform(.tick)
        #expect(scenario.last == [.rollbackOverdue])
        try scenario.perform(.registerRouter(router: "r9", environment: "production"))
        #expect(try scenario.migration.phase.rollback?.isOverdue == false)
        #expect(try scenario.migration.nextDeadline == scenario.now + .minutes(1))
    }

    @Test("a retired router that is back opens the rollback again until it has acknowledged it")
    func retiredRouter() throws {
        var scenario = try MigrationScenario()
        try scenario.reach(1, 0)
        try scenario.perform(.retireRouter(router: "r2", reason: "gone"), by: "ana")
        try scenario.perform(.registerRouter(router: "r3", environment: "production"))
        try scenario.perform(.rollBack(reason: "calls"), by: "ana")
        try scenario.acknowledge()
        #expect(try scenario.migration.phase.rollback?.acknowledgedAt != nil)
        try scenario.perform(.registerRouter(router: "r2", environment: "production"))
        #expect(scenario.last.contains(.rollbackReopened))
        #expect(try scenario.migration.phase.rollback?.acknowledgedAt == nil)
        for _ in 0..<3 { try scenario.window(errors: 0) }
        #expect(try scenario.migration.phase.name == "rollingBack")
        try scenario.confirmRollback()
        #expect(try scenario.migration.phase.name == "rolledBack")
    }

    @Test("a revision that the log has quarantines nothing")
    func known() throws {
        var scenario = try MigrationScenario()
        try scenario.reach(0, 0)
        let version = scenario.state.version
        #expect(throws: Refusal.self) { try scenario.perform(.quarantine(router: "r1", revision: version)) }
    }

    @Test(
        "a checkpoint that the log does not go on from holds it; once people have answered that one, only another does"
    )
    func checkpoint() throws {
        var scenario = try MigrationScenario()
        try scenario.reach(1, 0)
        func found(_ size: Int64, in place: String = "a") -> Command {
            .quarantineByCheckpoint(place: place, size: size, root: "r\(size)")
        }
        try scenario.perform(found(9))
        #expect(try scenario.migration.quarantine?.evidence == .checkpoint(place: "a", size: 9, root: "r9"))
        let version = scenario.state.version
        try scenario.perform(found(8))
        #expect(scenario.state.version == version)
        try scenario.perform(.declareRewound(reason: "backup of Monday"), by: "ana")
        #expect(try scenario.migration.quarantine == nil)
        try scenario.perform(found(9, in: "b"))
        #expect(try scenario.migration.quarantine == nil)
        try scenario.perform(found(10))
        #expect(try scenario.migration.quarantine != nil)
        try scenario.perform(.declareRewound(reason: "and that one"), by: "ana")
        for size in [9, 10] as [Int64] { try scenario.perform(found(size)) }
        #expect(try scenario.migration.quarantine == nil)
    }

    @Test("a state that is kept says who knew more, a router as ever")
    func kept() throws {
        let at = Timestamp(rawValue: 5)
        for evidence in [
            Quarantine.Evidence.router(name: "r", revision: 7), .checkpoint(place: "p", size: 3, root: "x"),
        ] {
            let data = try JSONEncoder().encode(Quarantine(evidence, since: at))
            #expect(try JSONDecoder().decode(Quarantine.self, from: data) == Quarantine(evidence, since: at))
        }
        let old = Data(#"{"router":"r","revision":7,"since":5}"#.utf8)
        let same = Quarantine(.router(name: "r", revision: 7), since: at)
        #expect(try JSONDecoder().decode(Quarantine.self, from: old) == same)
    }
}
