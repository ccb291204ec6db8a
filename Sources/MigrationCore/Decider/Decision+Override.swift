extension Decision {
    func halt(_ reason: String) throws(Refusal) -> [Event] {
        try requireNotOver()
        switch migration.phase {
        case .running, .watching: return [.halted(cause: .person, reason: reason)]
        case .halted: throw Refusal(.wrongState, "\(plan.name) is halted already")
        case .rollingBack: throw Refusal(.blocked, "\(plan.name) is rolling back, which a halt does not stop")
        case .planned, .rolledBack, .completed, .abandoned:
            throw Refusal(.wrongState, "\(plan.name) has not been started", mend: "there is nothing to halt yet")
        }
    }

    func resume() throws(Refusal) -> [Event] {
        try requireNotOver()
        guard case .halted = migration.phase else {
            throw Refusal(.wrongState, "\(plan.name) is \(migration.phase.name), not halted")
        }
        guard !migration.hasExpired else {
            throw Refusal(
                .blocked,
                "\(plan.name) has expired",
                mend: "roll it back or abandon it, and create a new one"
            )
        }
        return [.resumed]
    }

    /// Accepted in every state that is not final; a second one is the same rollback.
    func rollBack(_ reason: String) throws(Refusal) -> [Event] {
        switch migration.phase {
        case .rollingBack, .rolledBack: return [.rollbackAlreadyUnderWay]
        case .completed, .abandoned: try requireNotOver()
        case .planned, .running, .halted, .watching: break
        }
        return rollBack(.person(name: actor, reason: reason), .rolledBack)
    }

    /// Ends the migration; like a rollback, it is only claimed once no candidate traffic was seen.
    func abandon(_ reason: String) throws(Refusal) -> [Event] {
        try requireNotOver()
        if case .rollingBack = migration.phase {
            throw Refusal(.blocked, "\(plan.name) is rolling back", mend: "wait until the rollback is confirmed")
        }
        return rollBack(.person(name: actor, reason: reason), .abandoned)
    }

    /// The events of a return to legacy: weight 0 for every service everywhere, at one revision.
    func rollBack(
        _ cause: Rollback.Cause,
        _ outcome: Rollback.Outcome,
        onset: Timestamp? = nil,
        detectedAt: Timestamp? = nil
    ) -> [Event] {
        let position = migration.phase.step?.position ?? migration.steps.last?.position
        let rollback = Rollback(
            number: migration.rollbacks.count + 1,
            cause: cause,
            outcome: outcome,
            position: position,
            from: position.flatMap { migration.traffic(in: plan.stage(at: $0).environment)?.effective.max() } ?? .zero,
            revision: version,
            onset: onset,
            detectedAt: detectedAt,
            decidedAt: at
        )
        let weights = migration.traffic.map { traffic in
            Event.weightsSet(
                environment: traffic.environment,
                weights: plan.services.map { _ in .zero },
                revision: version
            )
        }
        let start = Event.rollbackStarted(
            rollback: rollback,
            firstWindow: migration.nextWindow ?? plan.clock.firstIndex(from: at)
        )
        return [start] + weights + (migration.routers.isEmpty ? [.rollbackAcknowledged] : [])
    }

    func setWeight(_ weight: Weight, _ service: String?, _ environment: String?) throws(Refusal) -> [Event] {
        try requireNotOver()
        let current: Step
        switch migration.phase {
        case .running(let step): current = step
        case .halted(let halt):
            guard let step = halt.held.step else { throw watchingRefusal }
            current = step
        case .watching: throw watchingRefusal
        case .rollingBack: throw Refusal(.blocked, "\(plan.name) is rolling back: no weight above 0 before a restart")
        case .planned, .rolledBack, .completed, .abandoned:
            throw Refusal(.wrongState, "\(plan.name) has not been started", mend: "start it first")
        }
        let environment = environment ?? plan.stage(at: current.position).environment
        guard let traffic = migration.traffic(in: environment) else {
            throw unknown("environment", environment, plan.environments)
        }
        var weights = traffic.weights
        for index in try services(service) { weights[index] = weight }
        return [.weightsSet(environment: environment, weights: weights, revision: version)]
    }

    private var watchingRefusal: Refusal {
        Refusal(.wrongState, "\(plan.name) is at 100 % and watched", mend: "roll it back, or disable a service's flag")
    }

    func setFlag(_ service: String?, _ enabled: Bool) throws(Refusal) -> [Event] {
        try requireNotOver()
        if case .rollingBack = migration.phase {
            throw Refusal(.blocked, "\(plan.name) is rolling back: every service is at legacy already")
        }
        let changed = try services(service).filter { migration.flags[$0] != enabled }
        guard !changed.isEmpty else {
            throw Refusal(.wrongState, "the flag of \(service ?? "every service") is \(enabled ? "on" : "off") already")
        }
        return changed.map { .flagSet(service: $0, enabled: enabled, revision: version) }
    }

    func approve(_ stage: String, _ step: Weight) throws(Refusal) -> [Event] {
        if case .rolledBack = migration.phase {} else { try requireNotOver() }
        let position = try position(stage, step)
        let needed = plan.approvalsNeeded(before: position)
        guard needed > 0 else {
            throw Refusal(.unknownName, "\(name(position)) needs no approval")
        }
        guard position == nextPosition else {
            let place = migration.phase.step.map { "at \(name($0.position))" } ?? migration.phase.name
            throw Refusal(.stale, "an approval of \(name(position)) does not fit: \(plan.name) is \(place)")
        }
        guard !migration.approvals(of: position).contains(actor) else {
            throw Refusal(
                .notDistinct,
                "\(actor) has already approved \(name(position))",
                mend: "another person must approve it too"
            )
        }
        let recorded = Event.approvalRecorded(position: position, by: actor)
        let given = migration.approvals(of: position).count + 1
        guard given >= needed, case .running(let running) = migration.phase, hasBaked(running) else {
            return [recorded]
        }
        return [recorded] + pass(running.position, skipped: false)
    }

    /// The step that would begin next: the first one before the start.
    private var nextPosition: Position? {
        switch migration.phase {
        case .planned, .rolledBack: return Position(stage: 0, step: 0)
        case .running, .halted, .watching, .rollingBack, .completed, .abandoned: break
        }
        return migration.phase.step.flatMap { plan.next(after: $0.position) }
    }

    func skip(_ stage: String, _ step: Weight) throws(Refusal) -> [Event] {
        try requireNotOver()
        let position = try position(stage, step)
        guard case .running(let current) = migration.phase else {
            throw Refusal(.wrongState, "\(plan.name) is \(migration.phase.name); a step is skipped while running")
        }
        guard current.position == position else {
            throw Refusal(.stale, "\(plan.name) is at \(name(current.position)), not at \(name(position))")
        }
        if let next = plan.next(after: position) {
            try requireApprovals(of: next)
        } else if !isAsPlanned(position) {
            throw Refusal(
                .blocked,
                "\(name(position)) is the last step, and not every service has its weight",
                mend: "set the weight and the flags as the plan has them first"
            )
        }
        return pass(position, skipped: true)
    }

    private func services(_ name: String?) throws(Refusal) -> [Int] {
        guard let name else { return Array(plan.services.indices) }
        guard let index = plan.services.firstIndex(where: { $0.name == name }) else {
            throw unknown("service", name, plan.services.map(\.name))
        }
        return [index]
    }

    private func position(_ stage: String, _ step: Weight) throws(Refusal) -> Position {
        guard let index = plan.stages.firstIndex(where: { $0.name == stage }) else {
            throw unknown("stage", stage, plan.stages.map(\.name))
        }
        guard let step = plan.stages[index].steps.firstIndex(of: step) else {
            throw unknown("step", percent(step), plan.stages[index].steps.map(percent))
        }
        return Position(stage: index, step: step)
    }

    func unknown(_ kind: String, _ name: String, _ known: [String]) -> Refusal {
        Refusal(.unknownName, "\(plan.name) has no \(kind) “\(name)”", mend: "it has: \(known.joined(separator: ", "))")
    }
}
