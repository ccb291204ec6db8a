import MigrationCore
import TestSupport
import Testing

@Suite("What a worker does next")
struct WorkerMachineTests {
    private static let start = Timestamp(rawValue: 1_700_000_000_000_000)

    /// A started migration with a router in staging that has acknowledged nothing.
    private func state() throws -> MigrationState {
        var state = MigrationState.initial
        let commands: [Command] = [
            .plan(plan: SamplePlan.plan(), hash: "h"), .registerRouter(router: "r1", environment: "staging"),
            .start(reason: nil),
        ]
        for command in commands {
            let events = try state.decide(command, by: "ana", at: Self.start)
            state = try state.folding(
                Commit(
                    version: state.version + 1,
                    actor: "ana",
                    decidedAt: Self.start,
                    command: command,
                    events: events
                )
            )
        }
        return state
    }

    private func sight(
        _ state: MigrationState,
        at now: Timestamp = start,
        reports: [RouterReport] = [],
        signals: [RouterSignal] = [],
        late: [RouterSignal] = []
    ) -> WorkerMachine.Sight {
        WorkerMachine.Sight(now: now, state: state, reports: reports, signals: signals, late: late)
    }

    @Test("registers a router that it has not seen, unless its environment is none of the plan's")
    func registers() throws {
        var machine = WorkerMachine()
        let known = RouterReport(router: "r2", environment: "production", revision: nil, seenAt: Self.start)
        let strange = RouterReport(router: "r3", environment: "moon", revision: nil, seenAt: Self.start)
        let effects = machine.step(sight(try state(), reports: [strange, known]))
        #expect(effects == [.append(command: .registerRouter(router: "r2", environment: "production"))])
    }

    @Test("records an acknowledgement once, and quarantines when one lies beyond the log")
    func acknowledges() throws {
        var machine = WorkerMachine()
        let state = try state()
        let report = RouterReport(router: "r1", environment: "staging", revision: 3, seenAt: Self.start)
        #expect(
            machine.step(sight(state, reports: [report])) == [.append(command: .acknowledge(router: "r1", revision: 3))]
        )
        let beyond = RouterReport(router: "r1", environment: "staging", revision: 99, seenAt: Self.start)
        #expect(
            machine.step(sight(state, reports: [beyond])) == [.append(command: .quarantine(router: "r1", revision: 99))]
        )
    }

    @Test("tells a silent router again, but not all the time")
    func reasserts() throws {
        var machine = WorkerMachine()
        let state = try state()
        #expect(machine.step(sight(state)).contains(.reassert(router: "r1")))
        #expect(!machine.step(sight(state, at: Self.start + .milliseconds(500))).contains(.reassert(router: "r1")))
        #expect(machine.step(sight(state, at: Self.start + .seconds(1))).contains(.reassert(router: "r1")))
    }

    @Test("seals a window once its grace is over, from the routers that are registered")
    func seals() throws {
        var machine = WorkerMachine()
        let state = try state()
        let migration = try #require(state.migration)
        let k = try #require(migration.nextWindow)
        var counts = Counts()
        counts.requests = 5
        func signal(_ router: String, _ environment: String) -> RouterSignal {
            RouterSignal(
                k: k,
                router: router,
                environment: environment,
                services: [ServiceWindow(legacy: counts), ServiceWindow(candidate: counts)]
            )
        }
        let signals = [signal("r1", "staging"), signal("stranger", "staging")]
        let due = migration.plan.clock.end(of: k) + migration.plan.grace
        let early = machine.step(sight(state, at: due - .milliseconds(1), signals: signals))
        #expect(!early.contains { if case .append = $0 { true } else { false } })
        guard case .append(.sealWindow(let window))? = machine.step(sight(state, at: due, signals: signals)).first
        else {
            Issue.record("no window was sealed")
            return
        }
        #expect(window.environments.map(\.routers) == [["r1"]])
        #expect(window.environments[0].services[1].candidate.requests == 5)
    }

    @Test("rests when a migration is over")
    func rests() throws {
        var machine = WorkerMachine()
        var state = try state()
        state.migration?.phase = .completed
        #expect(machine.step(sight(state)) == [.rest])
    }

    @Test("a lease is trusted from the start of its renewal for less than its life")
    func lease() {
        var lease = LeaseMachine(life: .seconds(10))
        #expect(lease.step(now: .zero) == .renew)
        #expect(!lease.isTrusted(now: .zero))
        lease.renewed(started: .seconds(1))
        #expect(lease.isTrusted(now: .seconds(9)))
        #expect(!lease.isTrusted(now: .seconds(10)))
        #expect(lease.step(now: .seconds(2)) == .wait(until: .seconds(4)))
        #expect(lease.step(now: .seconds(4)) == .renew)
        lease.refused(now: .seconds(4), lost: false)
        #expect(lease.isTrusted(now: .seconds(9)))
        lease.refused(now: .seconds(5), lost: true)
        #expect(!lease.isTrusted(now: .seconds(5)))
    }

    @Test("a worker that goes moves only its own migrations")
    func rendezvous() {
        let workers = ["w1", "w2", "w3"]
        let names = (0..<300).map { "migration-\($0)" }
        let before = names.map { Rendezvous.owner(of: $0, among: workers) }
        let after = names.map { Rendezvous.owner(of: $0, among: ["w3", "w1"]) }
        for (old, new) in zip(before, after) where old != "w2" { #expect(old == new) }
        #expect(Set(before.compactMap(\.self)) == Set(workers))
        #expect(Rendezvous.owner(of: "x", among: []) == nil)
    }
}
