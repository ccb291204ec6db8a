import MigrationCore
import Routing

extension World {
    /// Everything that may happen now.
    func moves(_ mutant: Mutant?) -> [Move] {
        guard let migration = log.migration else { return [] }
        var moves: [Move] = []
        if !isBehind(migration) { moves.append(.timePasses) }
        let qualities = qualities(migration)
        moves += qualities.map { .work(quality: $0) }
        switch slow.state {
        case .idle:
            moves += qualities.map { .look(quality: $0) }
            if left.people > 0, left.crashes > 0 { moves.append(.draft(.repeatable)) }
        case .prepared:
            moves.append(.append(.heard))
            if left.crashes > 0 { moves += [.append(.unheard), .append(.lost)] }
        case .unknown: moves.append(.resolve)
        }
        if mutant == .leaseInsteadOfCompareAndSet || mutant == .fenceOnEpoch { moves.append(.leaseMoves) }
        for router in routers.indices {
            for table in offered.indices where offered[table].environment == routers[router].environment {
                moves.append(.deliver(table: table, router: router))
            }
            if left.restarts > 0 { moves.append(.restart(router: router)) }
            moves.append(.report(router: router))
        }
        if left.people > 0 { moves += Person.all(migration).map { .person($0) } }
        if left.losses > 0, incarnation == 0, history?.before != nil { moves.append(.loseTail) }
        return moves
    }

    /// Nobody waits for windows for ever: time goes on only while fewer than three of them are due.
    private func isBehind(_ migration: Migration) -> Bool {
        guard migration.phase.takesWindows, let next = migration.nextWindow else { return false }
        return window(migration.plan) - next >= 3
    }

    /// What the window that is due may have been like; one where none is due.
    private func qualities(_ migration: Migration) -> [Quality] {
        guard migration.phase.takesWindows, let next = migration.nextWindow,
            now >= migration.plan.clock.end(of: next) + migration.plan.grace
        else { return [.good] }
        let several = migration.guardedEnvironment.map { migration.routers(in: $0).count > 1 } ?? false
        return several ? Quality.allCases : [.good, .bad, .missing]
    }

    /// The route of an environment, as the log has it.
    func table(of environment: String) -> RouteTable? {
        guard let migration = log.migration, let traffic = migration.traffic(in: environment) else { return nil }
        let names = migration.plan.services.map(\.name)
        return RouteTable(
            logID: "log \(incarnation)",
            migration: migration.plan.name,
            environment: environment,
            revision: traffic.revision,
            hash: hash(of: traffic.revision) ?? "",
            weights: Dictionary(zip(names, traffic.effective)) { first, _ in first }
        )
    }

    /// The hash of a commit, as routers are told it.
    private func hash(of version: Int64) -> String? {
        var node = history
        while let current = node {
            if current.commit.version == version { return "\(current.chain)" }
            if current.commit.version < version { return nil }
            node = current.before
        }
        return nil
    }

    /// The world after a move; nil when nothing comes of it.
    ///
    /// - Throws: the invariant that the move broke.
    func after(_ move: Move, _ mutant: Mutant?) throws(Violation) -> World? {
        var next = self
        switch move {
        case .timePasses:
            next.time += 1
            next.expose()
        case .work(let quality):
            guard let prepared = next.decide(quality, ModelWorker.quick, mutant) else { return nil }
            try next.commit(prepared, mutant)
        case .look(let quality):
            guard let prepared = next.decide(quality, ModelWorker.slow, mutant) else { return nil }
            next.slow.state = .prepared(prepared)
        case .draft(let person): guard next.draft(person, mutant) else { return nil }
        case .append(let outcome): try next.finish(outcome, mutant)
        case .resolve: try next.resolve(mutant)
        case .leaseMoves: next.ghost.epoch += 1
        case .deliver(let table, let router): guard try next.deliver(offered[table], router, mutant) else { return nil }
        case .restart(let router):
            guard mutant == .routerForgets, routers[router].table != nil else { return nil }
            next.left.restarts -= 1
            next.routers[router].fence = Fence()
        case .report(let router): guard next.report(router) else { return nil }
        case .person(let person): guard try next.act(person, mutant) else { return nil }
        case .loseTail: guard next.loseTail() else { return nil }
        }
        try next.check(after: self)
        return next
    }

    // MARK: - Workers

    /// What a worker decides next; nil for nothing.
    private mutating func decide(_ quality: Quality, _ actor: String, _ mutant: Mutant?) -> ModelWorker.Prepared? {
        guard let migration = log.migration else { return nil }
        var machine = WorkerMachine()
        let sight = WorkerMachine.Sight(
            now: now,
            state: log,
            reports: routers.map { router in
                // A revision of another incarnation of the log says nothing about this one.
                let isOurs = router.reported?.incarnation == incarnation
                return RouterReport(
                    router: router.name,
                    environment: router.environment,
                    revision: isOurs ? router.reported?.revision : nil,
                    isForked: isOurs && isForked(router.reported),
                    seenAt: now
                )
            },
            signals: signals(quality, migration),
            late: []
        )
        for effect in machine.step(sight) {
            guard case .append(var command) = effect else { continue }
            if mutant == .lossUnnoticed, case .quarantine = command { return nil }
            if mutant == .judgedTwice, case .sealWindow(let window) = command, let last = ghost.lastJudged {
                command = .sealWindow(window: Window(k: last, environments: window.environments))
            }
            let at = mutant == .workersClock ? now + .minutes(5) : now
            var state = log
            if mutant == .judgedTwice, let last = ghost.lastJudged { state.migration?.nextWindow = last }
            guard let events = try? state.decide(command, by: actor, at: at, mutant), !events.isEmpty else {
                return nil
            }
            let prepared = ModelWorker.Prepared(
                id: ghost.nextID,
                actor: actor,
                command: command,
                events: events,
                expected: log.version,
                at: now,
                quality: quality
            )
            ghost.nextID += 1
            return prepared
        }
        return nil
    }

    /// What the routers handed in of the next window; it shows a candidate's requests where, and only where, one was served.
    private func signals(_ quality: Quality, _ migration: Migration) -> [RouterSignal] {
        guard let k = migration.nextWindow, quality != .missing else { return [] }
        let reporting = quality == .partial ? Array(routers.prefix(1)) : routers
        return reporting.map { router in
            let services = migration.plan.services.indices.map { service in
                var window = ServiceWindow()
                window.legacy.requests = 100
                let exposure = Ghost.Exposure(k: k, environment: router.environment, service: service)
                if ghost.exposed.contains(exposure) {
                    window.candidate.requests = 100
                    window.candidate.errors = quality == .bad ? 100 : 0
                }
                return window
            }
            return RouterSignal(k: k, router: router.name, environment: router.environment, services: services)
        }
    }

    private mutating func draft(_ person: Person, _ mutant: Mutant?) -> Bool {
        guard let events = try? log.decide(person.command, by: person.name, at: now, mutant), !events.isEmpty
        else {
            return false
        }
        if case .overrideRefused? = events.first { return false }
        left.people -= 1
        let prepared = ModelWorker.Prepared(
            id: ghost.nextID,
            actor: person.name,
            command: person.command,
            events: events,
            expected: log.version,
            at: now,
            quality: .good
        )
        ghost.nextID += 1
        slow.state = .prepared(prepared)
        return true
    }

    private mutating func finish(_ outcome: Move.Outcome, _ mutant: Mutant?) throws(Violation) {
        guard case .prepared(let prepared) = slow.state else { return }
        switch outcome {
        case .heard:
            slow.state = .idle
            try commit(prepared, mutant)
        case .unheard:
            left.crashes -= 1
            slow.state = .unknown(prepared)
            try commit(prepared, mutant)
        case .lost:
            left.crashes -= 1
            slow.state = .unknown(prepared)
        }
    }

    /// A commit whose outcome is not known is looked up by its ID before anything else is done.
    private mutating func resolve(_ mutant: Mutant?) throws(Violation) {
        guard case .unknown(let prepared) = slow.state else { return }
        slow.state = .idle
        if ghost.done.contains(prepared.id), mutant != .retryWithoutLookup { return }
        guard let events = try? log.decide(prepared.command, by: prepared.actor, at: now, mutant),
            !events.isEmpty
        else { return }
        if case .overrideRefused? = events.first { return }
        var again = prepared
        again.events = events
        again.expected = log.version
        again.at = now
        try commit(again, mutant)
    }

    /// Compare-and-set: what was decided on another version than the head's is refused.
    private mutating func commit(_ prepared: ModelWorker.Prepared, _ mutant: Mutant?) throws(Violation) {
        if mutant == .leaseInsteadOfCompareAndSet {
            // Whoever believes to hold the lease may append; a stopped process believes it for ever.
            guard prepared.expected <= log.version else { return }
        } else {
            guard prepared.expected == log.version else { return }
        }
        if prepared.expected != log.version {
            throw Violation(
                invariant: 14,
                message:
                    "\(prepared.actor) appends what it decided on version \(prepared.expected) after version \(log.version)"
            )
        }
        guard !ghost.done.contains(prepared.id) else {
            throw Violation(invariant: 3, message: "command \(prepared.id) is in the log twice")
        }
        ghost.done = Array((ghost.done + [prepared.id]).suffix(4))
        let before = self
        try append(prepared.command, prepared.events, by: prepared.actor, at: prepared.at, mutant)
        try checkCommit(after: before, quality: prepared.quality, mutant)
    }

    // MARK: - Routers

    private mutating func deliver(_ table: RouteTable, _ index: Int, _ mutant: Mutant?) throws(Violation) -> Bool {
        let before = routers[index].fence
        var fence = before
        let isForeign = before.table.map { $0.logID != table.logID } ?? false
        if mutant == .noFence {
            fence = Fence(table)
        } else if mutant == .fenceOnEpoch {
            // Whatever comes from the present holder of the lease is taken.
            fence = ghost.epoch > 0 ? Fence(table) : fence
            if ghost.epoch == 0, (try? fence.admit(table)) != true { return false }
        } else if isForeign {
            // A new incarnation of the log takes its routers over.
            guard table.logID > before.table?.logID ?? "" else { return false }
            fence = Fence(table)
        } else {
            guard (try? fence.admit(table)) == true else { return false }
        }
        if mutant == .weightOfAnother, let other = offered.first(where: { $0.weights != table.weights }) {
            var mixed = table
            mixed.weights = other.weights
            fence = Fence(mixed)
        }
        guard fence != before else { return false }
        routers[index].fence = fence
        expose()
        try checkDelivery(index, before: before, mutant)
        settle()
        return true
    }

    private mutating func report(_ index: Int) -> Bool {
        guard let table = routers[index].table, let number = Int(table.logID.dropFirst(4)) else { return false }
        let said = ModelRouter.Report(incarnation: number, revision: table.revision, hash: table.hash)
        guard routers[index].reported != said else { return false }
        routers[index].reported = said
        return true
    }

    private func isForked(_ report: ModelRouter.Report?) -> Bool {
        guard let report, let ours = hash(of: report.revision) else { return false }
        return ours != report.hash
    }

    /// Notes in which windows a candidate is served.
    private mutating func expose() {
        guard let migration = log.migration else { return }
        let k = window(migration.plan)
        for router in routers {
            for (index, service) in migration.plan.services.enumerated() where router.weight(service.name) > .zero {
                ghost.exposed.insert(Ghost.Exposure(k: k, environment: router.environment, service: index))
            }
        }
        let next = migration.nextWindow ?? k
        ghost.exposed = ghost.exposed.filter { $0.k >= next }
    }

    /// Notes when every router of the step's environment really has the step's weights.
    private mutating func settle() {
        guard ghost.acknowledgedAt == nil, let migration = log.migration, let step = migration.phase.step else {
            return
        }
        let environment = migration.plan.stage(at: step.position).environment
        guard let table = table(of: environment) else { return }
        if routers.filter({ $0.environment == environment }).allSatisfy({ $0.table == table }) {
            ghost.acknowledgedAt = now
        }
    }

    /// The step's bake is counted anew.
    mutating func unsettle() {
        ghost.acknowledgedAt = nil
        ghost.goodRun = 0
        settle()
    }

    // MARK: - People, and the loss of a commit

    private mutating func act(_ person: Person, _ mutant: Mutant?) throws(Violation) -> Bool {
        let before = self
        guard let events = try? log.decide(person.command, by: person.name, at: now, mutant) else {
            return false
        }
        guard !events.isEmpty else {
            throw Violation(
                invariant: 15,
                message: "“\(person.command)” by \(person.name) is neither applied nor refused"
            )
        }
        if case .overrideRefused(let refusal)? = events.first {
            if case .rollBack = person.command, let phase = log.migration?.phase, !phase.isOver, person.name == "ana" {
                throw Violation(invariant: 16, message: "a rollback is refused: \(refusal.message)")
            }
            // Recorded, and nothing else: no new world.
            return false
        }
        if person.name == "worker:w" {
            throw Violation(invariant: 21, message: "a worker gives a person's command")
        }
        left.people -= 1
        try append(person.command, events, by: person.name, at: now, mutant)
        try checkCommit(after: before, quality: nil, mutant)
        return true
    }

    /// A failover to a standby that had not got the last commit.
    private mutating func loseTail() -> Bool {
        guard let last = history, let kept = last.before, kept.before != nil else { return false }
        var state = MigrationState.initial
        for commit in kept.commits {
            guard let folded = try? state.folding(commit) else { return false }
            state = folded
        }
        log = state
        history = kept
        left.losses -= 1
        ghost.hasLost = true
        ghost.done = []
        // What was true of the commits that are left is true still.
        let bake = log.migration?.phase.step?.bake
        ghost.acknowledgedAt = bake == nil ? nil : log.migration?.steps.last?.acknowledgedAt
        ghost.goodRun = bake?.run ?? 0
        ghost.badRun = log.migration?.guards.first?.streak.breaches ?? 0
        ghost.lastJudged = log.migration?.judgement?.k
        ghost.entered = log.migration?.steps.map(\.position) ?? []
        // What was decided on the lost head belongs to connections that are gone with it.
        slow.state = .idle
        if ghost.acknowledgedAt == nil { settle() }
        return true
    }
}
