extension MigrationState {
    /// Decides a command: every rule of a migration is below this function and nowhere else (1-core.md).
    ///
    /// Precedence when several things are due in one decision:
    /// roll back and flag (person) > breach > halt > set weight (person) > advance.
    ///
    /// - Parameters:
    ///   - command: what is asked.
    ///   - actor: who asks it.
    ///   - at: the database's time, read together with this state.
    ///   - rules: those of the release that decided it first.
    /// - Returns: the events that it brings about; none when there is nothing to record.
    /// - Throws: a ``Refusal`` that names the rule.
    package func decide(_ command: Command, by actor: String, at: Timestamp, rules: Rules = .current) throws(Refusal)
        -> [Event]
    {
        guard at >= decidedAt else {
            throw Refusal(.wrongState, "the time of a decision may not go back within a migration")
        }
        if command.isForPeople, actor.hasPrefix(Command.workerPrefix) {
            throw Refusal(.notAllowed, "\(actor) is a worker, and this is for people to decide")
        }
        guard let migration else { return try plan(command) }
        let decision = Decision(migration: migration, version: version + 1, actor: actor, at: at, rules: rules)
        try decision.requireNoQuarantine(against: command)
        switch command {
        case .plan:
            throw Refusal(
                .alreadyPlanned,
                "\(migration.plan.name) already exists",
                mend: "choose another name for the new plan"
            )
        case .amend(let plan, let hash, _): return try decision.amend(plan, hash)
        case .start: return try decision.start()
        case .halt(let reason): return try decision.halt(reason)
        case .resume: return try decision.resume()
        case .rollBack(let reason, let services): return try decision.rollBack(reason, services)
        case .setWeight(let weight, let service, let environment, _):
            return try decision.setWeight(weight, service, environment)
        case .setFlag(let service, let enabled, _): return try decision.setFlag(service, enabled)
        case .approve(let stage, let step, _): return try decision.approve(stage, step)
        case .skip(let stage, let step, _): return try decision.skip(stage, step)
        case .reportCheck(let check, let isPassed, let detail, let since):
            return try decision.report(check, isPassed: isPassed, detail, since)
        case .abandon(let reason): return try decision.abandon(reason)
        case .restart: return try decision.restart()
        case .retireRouter(let router, _): return try decision.retire(router)
        case .evictRouter(let router, let silent): return try decision.evict(router, silent)
        case .beginShadow(let plan, let hash, _): return try decision.beginShadow(plan, hash)
        case .endShadow: return try endShadow(of: migration)
        case .redact(let texts, _): return try decision.redact(texts)
        case .registerRouter(let router, let environment): return try decision.register(router, environment)
        case .acknowledge(let router, let revision): return try decision.acknowledge(router, revision)
        case .quarantine(let router, let revision, let isForked):
            return try decision.quarantine(router, revision, isForked: isForked)
        case .quarantineByCheckpoint(let place, let size, let root): return decision.quarantine(place, size, root)
        case .declareRewound: return try decision.declareRewound()
        case .sealWindow(let window): return try decision.seal(window)
        case .recordLate(let k, let router, let requests): return try decision.recordLate(k, router, requests)
        case .tick: return decision.tick()
        }
    }

    /// Decides a command as it is recorded: a person's refused command is an event too, a worker's is nothing. What a shadow plan decides on
    /// it comes after what was decided.
    ///
    /// - Parameters:
    ///   - forbidden: why whoever gives it may not, by the keys of the log.
    ///   - rules: those of the release that decided it first.
    /// - Throws: the refusal of a worker's command, or of any command before the plan.
    package func decideRecorded(
        _ command: Command,
        by actor: String,
        at: Timestamp,
        forbidden: Refusal? = nil,
        rules: Rules = .current
    ) throws(Refusal) -> [Event] {
        var events: [Event]
        do throws(Refusal) {
            if let forbidden { throw forbidden }
            events = try decide(command, by: actor, at: at, rules: rules)
        } catch {
            guard command.isOverride, migration != nil, at >= decidedAt else { throw error }
            events = [.overrideRefused(refusal: error)]
        }
        guard shadow != nil else { return events }
        let commit = Commit(
            version: version + 1,
            actor: actor,
            decidedAt: at,
            command: command,
            events: events,
            rules: rules
        )
        return events + shadowEvents(on: commit, forbidden: forbidden)
    }

    private func plan(_ command: Command) throws(Refusal) -> [Event] {
        guard case .plan(let plan, let hash) = command else {
            throw Refusal(.unplanned, "there is no migration of this name", mend: "create it from its plan first")
        }
        return [.planned(plan: plan, hash: hash)]
    }
}

/// One decision's surroundings: what is known, whose command it is, when, and the version that it will have.
struct Decision {
    let migration: Migration
    let version: Int64
    let actor: String
    let at: Timestamp
    let rules: Rules

    var plan: Plan { migration.plan }

    /// Refuses what a migration that is over cannot do.
    func requireNotOver() throws(Refusal) {
        guard !migration.phase.isOver else {
            throw Refusal(.finished, "\(plan.name) is \(migration.phase.name)", mend: finishedMend)
        }
    }

    private var finishedMend: String? {
        if case .rolledBack = migration.phase { return "restart it, with a reason, to begin again" }
        return "create a new migration from its plan"
    }
}
