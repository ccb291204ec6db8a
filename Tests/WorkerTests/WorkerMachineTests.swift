import MigrationCore
import TestSupport
import Testing

@Suite("What a worker does next")
struct WorkerMachineTests {
    private static let start = Timestamp(rawValue: 1_700_000_000_000_000)

    /// A started migration with a router in staging that has acknowledged nothing.
    private func state(_ plan: Plan = SamplePlan.plan()) throws -> MigrationState {
        var state = MigrationState.initial
        let commands: [Command] = [
            .plan(plan: plan, hash: "h"), .registerRouter(router: "r1", environment: "staging"), .start(reason: nil),
        ]
        for command in commands { try fold(command, into: &state) }
        return state
    }

    private func fold(_ command: Command, into state: inout MigrationState) throws {
        let events = try state.decide(command, by: "ana", at: Self.start)
        state = try state.folding(
            Commit(version: state.version + 1, actor: "ana", decidedAt: Self.start, command: command, events: events)
        )
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

    @Test(
        "evicts a silent router where the plan says so, but not the last of its environment, and not during a rollback"
    )
    func evicts() throws {
        /// Whether r1 is evicted at one of the looks, and that it is decided so.
        ///
        /// - Parameters:
        ///   - silent: since when r1 has been so at the last look.
        ///   - looks: minutes after the beginning.
        func evicts(
            _ plan: Plan,
            silent: Int64,
            looks: [Int64] = [0, 5, 10, 15, 20],
            alone: Bool = false,
            rollingBack: Bool = false
        ) throws -> Bool {
            var state = try state(plan)
            var commands: [Command] = [.registerRouter(router: "r2", environment: alone ? "production" : "staging")]
            if rollingBack { commands.append(.rollBack(reason: "test")) }
            for command in commands { try fold(command, into: &state) }
            var machine = WorkerMachine()
            for look in looks {
                let now = Self.start + .minutes(look),
                    heard = Self.start + .minutes(min(look, (looks.last ?? 0) - silent))
                let effects = machine.step(
                    sight(
                        state,
                        at: now,
                        reports: [
                            RouterReport(router: "r1", environment: "staging", revision: nil, seenAt: heard),
                            RouterReport(
                                router: "r2",
                                environment: alone ? "production" : "staging",
                                revision: nil,
                                seenAt: now - .seconds(1)
                            ),
                        ]
                    )
                )
                for case .append(let command) in effects {
                    guard case .evictRouter("r1", _) = command else { continue }
                    #expect(try state.decide(command, by: "worker:w", at: now).first == .routerRetired(router: "r1"))
                    return true
                }
            }
            return false
        }
        var plan = SamplePlan.plan()
        plan.evictAfter = .minutes(10)
        #expect(try evicts(plan, silent: 10))
        #expect(try !evicts(plan, silent: 9))
        #expect(try !evicts(plan, silent: 19, alone: true))
        #expect(try !evicts(plan, silent: 19, rollingBack: true))
        #expect(try !evicts(SamplePlan.plan(), silent: 19))
        // Nobody could be heard while nobody looked.
        #expect(try !evicts(plan, silent: 19, looks: [20]))
        #expect(try !evicts(plan, silent: 19, looks: [0, 20]))
        #expect(try !evicts(plan, silent: 28, looks: [0, 20, 25, 29]))
        #expect(try evicts(plan, silent: 29, looks: [0, 20, 25, 30]))
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

    // MARK: - Sources

    private static let quality = Source(
        name: "quality",
        url: "http://127.0.0.1:1/",
        unit: .ratio,
        isBadWhenHigh: false,
        timeout: .seconds(5)
    )

    /// A started migration whose plan has a source, and the end of its first window.
    private func measured() throws -> (MigrationState, k: Int64, end: Timestamp) {
        var state = try state()
        state.migration?.plan.sources = [Self.quality]
        let migration = try #require(state.migration)
        let k = try #require(migration.nextWindow)
        return (state, k, migration.plan.clock.end(of: k))
    }

    private func reading(_ k: Int64, environment: String = "staging", isFailed: Bool = false) -> SourceReading {
        let value = isFailed ? nil : Measurement(value: 97, of: 100)
        return SourceReading(
            k: k,
            environment: environment,
            source: "quality",
            reading: Reading(candidate: value, legacy: nil, isFailed: isFailed)
        )
    }

    @Test("asks its sources once, at a window's end, and looks again then")
    func asks() throws {
        var machine = WorkerMachine(pollEvery: .minutes(10))
        let (state, k, end) = try measured()
        #expect(machine.step(sight(state, at: end - .seconds(1))).last == .wait(until: end))
        let asked = machine.step(sight(state, at: end))
        #expect(asked.contains(.ask(k: k, environment: "staging")))
        #expect(!machine.step(sight(state, at: end + .milliseconds(1))).contains(.ask(k: k, environment: "staging")))
    }

    @Test("seals with what the sources said; one that has not answered by then has failed")
    func sealsReadings() throws {
        let (state, k, end) = try measured()
        let due = end + .seconds(10)
        for answer in [reading(k), reading(k, isFailed: true), nil] {
            var machine = WorkerMachine()
            _ = machine.step(sight(state, at: end))
            var sight = sight(state, at: due)
            // Another window's answer, and another environment's, say nothing of this one.
            sight.readings = [reading(k - 1), reading(k, environment: "production")] + [answer].compactMap(\.self)
            guard case .append(.sealWindow(let window))? = machine.step(sight).last else {
                Issue.record("no window is sealed")
                return
            }
            let said = try #require(window.environments.first { $0.environment == "staging" }?.readings?["quality"])
            #expect(said == answer?.reading ?? Reading(candidate: nil, legacy: nil, isFailed: true))
        }
    }

    @Test("a worker that finds a window due asks first, and waits no longer than its sources may take")
    func catchesUp() throws {
        let (state, k, end) = try measured()
        let late = end + .hours(2)
        var machine = WorkerMachine(pollEvery: .minutes(10))
        let effects = machine.step(sight(state, at: late))
        #expect(effects.contains(.ask(k: k, environment: "staging")))
        #expect(effects.last == .wait(until: late + .seconds(5)))
        #expect(machine.step(sight(state, at: late + .seconds(4))).last == .wait(until: late + .seconds(5)))
        var answered = sight(state, at: late + .seconds(4))
        answered.readings = [reading(k)]
        guard case .append(.sealWindow)? = machine.step(answered).first else {
            Issue.record("an answer does not seal")
            return
        }
        guard case .append(.sealWindow)? = machine.step(sight(state, at: late + .seconds(5))).first else {
            Issue.record("it waits for ever")
            return
        }
    }

    @Test("after an outage many windows are asked for at once, so that a source that hangs costs the time of one")
    func asksAhead() throws {
        var (state, k, end) = try measured()
        var machine = WorkerMachine()
        let late = end + .minutes(10)
        let asked = machine.step(sight(state, at: late)).filter { if case .ask = $0 { true } else { false } }
        #expect(asked.count == 16)
        #expect(
            machine.step(sight(state, at: late + .seconds(1))).allSatisfy { if case .ask = $0 { false } else { true } }
        )
        // Nobody answers: all sixteen are sealed once the patience with the first is over, one at each look.
        for _ in 0..<16 {
            guard case .append(let command)? = machine.step(sight(state, at: late + .seconds(5))).last,
                case .sealWindow(let window) = command
            else {
                Issue.record("window \(k) is not sealed")
                return
            }
            #expect(window.k == k)
            let events = try state.decide(command, by: "worker:w", at: late + .seconds(5))
            state = try state.folding(
                Commit(
                    version: state.version + 1,
                    actor: "worker:w",
                    decidedAt: late + .seconds(5),
                    command: command,
                    events: events
                )
            )
            k += 1
        }
    }

    @Test("counts beyond all measure are no measurement, and never too large to be read again")
    func implausible() throws {
        let (state, k, end) = try measured()
        var machine = WorkerMachine()
        _ = machine.step(sight(state, at: end))
        var sight = sight(state, at: end + .seconds(10))
        sight.readings = [reading(k)]
        func signal(_ router: String, _ requests: Int) -> RouterSignal {
            var counts = Counts()
            counts.requests = requests
            let services = (state.migration?.plan.services ?? []).map { _ in ServiceWindow(candidate: counts) }
            return RouterSignal(k: k, router: router, environment: "staging", services: services)
        }
        for (requests, isTaken) in [(Counts.largest, true), (Counts.largest + 1, false), (Int.max, false)] {
            var machine = machine
            sight.signals = [signal("r1", requests)]
            guard case .append(.sealWindow(let window))? = machine.step(sight).last else {
                Issue.record("no window is sealed")
                return
            }
            let environment = try #require(window.environments.first { $0.environment == "staging" })
            #expect(environment.routers == (isTaken ? ["r1"] : []))
        }
    }

    @Test("another environment that is guarded is asked for anew")
    func asksAnew() throws {
        var (state, k, end) = try measured()
        var machine = WorkerMachine()
        #expect(machine.step(sight(state, at: end)).contains(.ask(k: k, environment: "staging")))
        let moved = Step(position: Position(stage: 1, step: 0), enteredAt: end, progress: .shifting)
        state.migration?.phase = .running(step: moved)
        state.migration?.stage = 1
        #expect(machine.step(sight(state, at: end + .seconds(1))).contains(.ask(k: k, environment: "production")))
    }
}
