import MigrationCore
import Routing

extension Fleet {
    /// Lets a worker look at a migration at a moment; an earlier wish of the same kind is forgotten.
    mutating func schedule(_ worker: Int, _ migration: Int, at: Timestamp) {
        workers[worker].posts[migration].turn &+= 1
        let turn = workers[worker].posts[migration].turn
        queue.push(.turn(worker: worker, migration: migration, turn: turn), at: at.rawValue)
    }

    /// Calls the workers of a migration: something that they wait for may have come.
    mutating func ring(_ migration: Int) {
        for worker in workers.indices where workers[worker].posts[migration].isLeading {
            guard workers[worker].isUp, !workers[worker].posts[migration].isWaiting else { continue }
            // A notification that is lost costs time and nothing else.
            if conditions.isNetworkBad > 0, chance(0.5) { continue }
            schedule(worker, migration, at: Timestamp(rawValue: arrival()))
        }
    }

    private func isReachable(_ worker: Int) -> Bool {
        conditions.isDatabaseAway == 0 && !workers[worker].isCut
    }

    mutating func turn(_ worker: Int, _ migration: Int, _ turn: UInt32) throws(Violation) {
        guard workers[worker].isUp, workers[worker].posts[migration].turn == turn else { return }
        guard workers[worker].pausedUntil <= now else {
            return schedule(worker, migration, at: workers[worker].pausedUntil)
        }
        renew(worker, migration)
        let steady = workers[worker].steady(now)
        let isTrusted = workers[worker].posts[migration].lease.isTrusted(now: steady)
        workers[worker].posts[migration].isLeading = isTrusted
        guard isTrusted else {
            let wait = TimeSpan(rawValue: setting.pollEvery.rawValue / 2)
            return schedule(worker, migration, at: now + wait)
        }
        guard isReachable(worker) else { return schedule(worker, migration, at: now + .seconds(5)) }
        var sight = logs[migration].sight(at: now)
        sight.readings = workers[worker].posts[migration].readings
        let effects = workers[worker].posts[migration].machine.step(sight)
        for effect in effects {
            switch effect {
            case .append(let command): prepare(command, worker, migration, sight)
            case .reassert(let name): reassert(name, migration)
            case .run(let check): run(check, worker, migration)
            case .ask(let k, let environment): ask(k, environment, worker, migration)
            case .wait(let until): schedule(worker, migration, at: nextTurn(until, worker, migration))
            case .rest: break
            }
        }
    }

    private func nextTurn(_ until: Timestamp, _ worker: Int, _ migration: Int) -> Timestamp {
        var next = max(until, now + .milliseconds(1))
        let steady = workers[worker].steady(now)
        if case .wait(let renewal) = workers[worker].posts[migration].lease.step(now: steady) {
            next = min(next, now + max(.milliseconds(1), renewal - steady))
        }
        return next
    }

    private mutating func renew(_ worker: Int, _ migration: Int) {
        let steady = workers[worker].steady(now)
        guard workers[worker].posts[migration].lease.step(now: steady) == .renew else { return }
        guard isReachable(worker) else {
            return workers[worker].posts[migration].lease.refused(now: steady, lost: false)
        }
        let lease = logs[migration].lease
        guard lease.map({ $0.holder == worker || $0.until < now }) ?? true else {
            return workers[worker].posts[migration].lease.refused(now: steady, lost: true)
        }
        if let lease, lease.holder != worker {
            tally.count(.leaseTaken)
            tell("\(workers[worker].name) takes over \(logs[migration].name)")
        }
        logs[migration].lease = (worker, now + setting.leaseLife)
        workers[worker].posts[migration].lease.renewed(started: steady)
    }

    /// Decides, and sends what was decided on its way.
    private mutating func prepare(
        _ command: Command,
        _ worker: Int,
        _ migration: Int,
        _ sight: WorkerMachine.Sight
    ) {
        var command = command
        if setting.mutant == .lossUnnoticed, case .quarantine = command {
            return schedule(worker, migration, at: now + setting.pollEvery)
        }
        if setting.mutant == .judgedTwice, case .sealWindow(let window) = command,
            let last = sight.state.migration?.judgement?.k
        {
            command = .sealWindow(window: Window(k: last, environments: window.environments))
        }
        let at = setting.mutant == .workersClock ? sight.now + .minutes(5) : sight.now
        var state = sight.state
        if setting.mutant == .judgedTwice, let last = state.migration?.judgement?.k {
            state.migration?.nextWindow = last
        }
        guard let events = try? state.decide(command, by: workers[worker].actor, at: at, setting.mutant),
            !events.isEmpty
        else { return schedule(worker, migration, at: now + .seconds(1)) }
        let attempt = VirtualWorker.Attempt(
            command: command,
            events: events,
            expected: sight.state.version,
            at: sight.now,
            session: conditions.session
        )
        workers[worker].posts[migration].isWaiting = true
        workers[worker].posts[migration].turn &+= 1
        let turn = workers[worker].posts[migration].turn
        var arrival = arrival()
        // Now and then a process is stopped for long between its decision and the sending of it.
        if !isFair, chance(0.002) {
            let pause = waiting(setting.leaseLife)
            workers[worker].pausedUntil = max(workers[worker].pausedUntil, now + TimeSpan(rawValue: pause))
            arrival += pause
        }
        queue.push(.arrive(worker: worker, migration: migration, turn: turn, attempt: attempt), at: arrival)
    }

    /// What was decided reaches the log.
    mutating func arrive(
        _ worker: Int,
        _ migration: Int,
        _ turn: UInt32,
        _ attempt: VirtualWorker.Attempt
    ) throws(Violation) {
        var isHeard = true
        if conditions.isDatabaseAway == 0, attempt.session == conditions.session {
            let isLost = conditions.areBackendsKilled > 0 && chance(0.3)
            if !isLost { try append(attempt, worker, migration) }
            isHeard = !isLost && (conditions.areBackendsKilled == 0 || chance(0.5))
        } else {
            isHeard = false
        }
        if !isHeard { tally.count(.unheard) }
        // A process that has died since does not hear either.
        guard workers[worker].isUp, workers[worker].posts[migration].turn == turn else { return }
        workers[worker].posts[migration].isWaiting = false
        schedule(worker, migration, at: now + (isHeard ? .milliseconds(1) : .seconds(1)))
    }

    private mutating func append(_ attempt: VirtualWorker.Attempt, _ worker: Int, _ migration: Int) throws(Violation) {
        let before = logs[migration].state
        if attempt.expected != before.version, setting.mutant == .leaseInsteadOfCompareAndSet,
            attempt.expected < before.version
        {
            throw Violation(
                invariant: 14,
                message:
                    "\(workers[worker].name) appends what it decided on version \(attempt.expected) after version \(before.version)"
            )
        }
        let outcome = try logs[migration].append(
            attempt.command,
            attempt.events,
            by: workers[worker].actor,
            decidedAt: attempt.at,
            expected: attempt.expected,
            id: nil,
            at: now,
            setting.mutant
        )
        switch outcome {
        case .appended: try follow(migration, before)
        case .conflict: tally.count(.conflict)
        case .tooOld: tally.count(.tooOld)
        case .repeated: tally.count(.repeated)
        }
    }

    /// What follows from a commit: routes are announced, workers called, and the invariants looked at.
    mutating func follow(_ migration: Int, _ before: MigrationState) throws(Violation) {
        commits += 1
        guard let commit = logs[migration].entries.last?.commit else { return }
        tell("\(logs[migration].name) v\(commit.version) by \(commit.actor): \(commit.command.brief)")
        try referees[migration].committed(logs[migration], before: before, migrationRouters(migration), at: now)
        count(commit, before)
        var changed = false
        for event in commit.events {
            switch event {
            case .weightsSet, .flagSet, .logRewound: changed = true
            case .routerRetired: referees[migration].changed(logs[migration], migrationRouters(migration), at: now)
            default: break
            }
        }
        if case .declareRewound = commit.command, changed { wipeAll(migration) }
        if changed { announce(migration) }
        ring(migration)
    }

    private mutating func announce(_ migration: Int) {
        for router in fleets[migration] where routers[router].isUp && !routers[router].isCut {
            guard let table = logs[migration].table(of: routers[router].environment) else { continue }
            send(.route(router: router, life: routers[router].life, table: table))
        }
    }

    private mutating func reassert(_ name: String, _ migration: Int) {
        guard setting.mutant != .toldOnce, let router = fleets[migration].first(where: { routers[$0].name == name }),
            let table = logs[migration].table(of: routers[router].environment), !routers[router].isCut
        else { return }
        send(.route(router: router, life: routers[router].life, table: table))
    }

    /// Sources are asked, and answer in their time or never.
    private mutating func ask(_ k: Int64, _ environment: String, _ worker: Int, _ migration: Int) {
        guard let plan = logs[migration].migration?.plan else { return }
        for source in plan.sources {
            let from = plan.clock.start(of: k)
            guard let answer = traffic.read(source, in: environment, from: from, &random) else { continue }
            let reading = SourceReading(k: k, environment: environment, source: source.name, reading: answer.reading)
            queue.push(
                .answer(worker: worker, migration: migration, reading: reading),
                at: (now + answer.after).rawValue
            )
        }
    }

    /// A source's answer reaches the worker that asked; one that is dead or has sealed the window meanwhile has no use for it.
    mutating func answer(_ worker: Int, _ migration: Int, _ reading: SourceReading) {
        guard workers[worker].isUp, logs[migration].migration?.nextWindow ?? .max <= reading.k else {
            return tally.count(.sourceLate)
        }
        workers[worker].posts[migration].readings.removeAll { $0.k < reading.k }
        workers[worker].posts[migration].readings.append(reading)
        guard !workers[worker].posts[migration].isWaiting else { return }
        schedule(worker, migration, at: now)
    }

    /// A check that a worker runs itself.
    private mutating func run(_ check: CheckRun, _ worker: Int, _ migration: Int) {
        guard let plan = logs[migration].migration?.plan,
            let result = crew.result(of: plan.checks[check.check], isFair, &random)
        else { return }
        let given = PersonsCommand(
            command: .reportCheck(
                check: plan.checks[check.check].name,
                isPassed: result.isPassed,
                detail: "run",
                since: check.since
            ),
            actor: workers[worker].actor
        )
        queue.push(.command(migration: migration, id: newID(), given: given), at: (now + result.after).rawValue)
    }
}

extension Command {
    /// A few words for a story.
    var brief: String {
        switch self {
        case .sealWindow(let window):
            let routers = window.environments.map { "\($0.environment): \($0.routers.joined(separator: ", "))" }
            return "window \(window.k) (\(routers.joined(separator: "; ")))"
        case .plan: return "the plan"
        case .amend: return "an amended plan"
        default: return "\(self)"
        }
    }
}
