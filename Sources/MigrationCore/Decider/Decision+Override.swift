extension Decision {
    func halt(_ reason: String) throws(Refusal) -> [Event] {
        try requireNotOver()
        switch migration.phase {
        case .running, .watching: return [.halted(cause: .person, reason: reason)]
        case .halted: throw Refusal(.wrongState, "\(plan.name) is halted already")
        case .rollingBack: throw Refusal(.blocked, "\(plan.name) is rolling back, which a halt does not stop")
        case .rolledBack: throw Refusal(.wrongState, "\(plan.name) is rolled back, and advances only after a restart")
        case .planned, .completed, .abandoned:
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

    /// Accepted in every state that is not final; a second one is the same rollback, unless it takes more back.
    func rollBack(_ reason: String, _ names: [String]?) throws(Refusal) -> [Event] {
        switch migration.phase {
        case .completed, .abandoned: try requireNotOver()
        case .planned, .running, .halted, .watching, .rollingBack, .rolledBack: break
        }
        var parts = wholeParts
        // Before the start nothing is at the candidate, and a part of nothing would leave something to guard.
        if let names, migration.phase != .planned {
            var services: [Int] = []
            for name in names { services += try self.services(name) }
            parts = plan.environments.map { Rollback.Part(environment: $0, services: services) }
        }
        parts = merged(parts)
        if let under = migration.phase.rollback {
            let all = merged(parts + under.parts)
            guard all != under.parts else { return [.rollbackAlreadyUnderWay] }
            parts = all
        }
        return rollBack(.person(name: actor, reason: reason), .rolledBack, parts)
    }

    /// Ends the migration; like a rollback, it is only claimed once no candidate traffic was seen.
    func abandon(_ reason: String) throws(Refusal) -> [Event] {
        try requireNotOver()
        if case .rollingBack(let rollback) = migration.phase, rollback.isWhole {
            throw Refusal(.blocked, "\(plan.name) is rolling back", mend: "wait until the rollback is confirmed")
        }
        return rollBack(.person(name: actor, reason: reason), .abandoned, wholeParts)
    }

    /// Every service in every environment.
    var wholeParts: [Rollback.Part] {
        plan.environments.map { Rollback.Part(environment: $0, services: Array(plan.services.indices)) }
    }

    /// Each environment once, in the plan's order, with each service once.
    func merged(_ parts: [Rollback.Part]) -> [Rollback.Part] {
        plan.environments.compactMap { environment in
            let services = Set(parts.filter { $0.environment == environment }.flatMap(\.services))
            return services.isEmpty ? nil : Rollback.Part(environment: environment, services: services.sorted())
        }
    }

    /// The events of a return to legacy: weight 0 for what goes back, at one revision.
    ///
    /// - Parameter judged: the window whose breach it is, and which is judged with it.
    func rollBack(
        _ cause: Rollback.Cause,
        _ outcome: Rollback.Outcome,
        _ parts: [Rollback.Part],
        onset: Timestamp? = nil,
        detectedAt: Timestamp? = nil,
        judged: Int64? = nil
    ) -> [Event] {
        let position = migration.phase.step?.position ?? migration.steps.last?.position
        let rollback = Rollback(
            number: migration.rollbacks.count + 1,
            cause: cause,
            outcome: outcome,
            position: position,
            parts: parts,
            isWhole: parts == wholeParts,
            from: position.flatMap { migration.traffic(in: plan.stage(at: $0).environment)?.effective.max() } ?? .zero,
            revision: version,
            onset: onset,
            detectedAt: detectedAt,
            decidedAt: at,
            unheard: unheard(parts)
        )
        let weights = parts.compactMap { part -> Event? in
            guard let traffic = migration.traffic(in: part.environment) else { return nil }
            var weights = traffic.weights
            var planned = traffic.planned
            for service in part.services {
                weights[service] = .zero
                planned[service] = .zero
            }
            return .weightsSet(environment: part.environment, weights: weights, planned: planned, revision: version)
        }
        let start = Event.rollbackStarted(
            rollback: rollback,
            firstWindow: judged.map { $0 + 1 } ?? migration.nextWindow ?? plan.clock.firstIndex(from: at)
        )
        return [start] + weights + (isRouted(parts) ? [] : [.rollbackAcknowledged])
    }

    /// The routers that the plan has evicted where something goes back: nobody waits for them, and they may send users to the candidate.
    private func unheard(_ parts: [Rollback.Part]) -> [String]? {
        let names = (migration.evicted ?? []).filter { router in
            parts.contains { $0.environment == router.environment }
        }.map(\.name)
        return names.isEmpty ? nil : names
    }

    /// Whether a router has to hear of what goes back.
    func isRouted(_ parts: [Rollback.Part]) -> Bool {
        migration.routers.contains { router in parts.contains { $0.environment == router.environment } }
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
        case .rollingBack, .rolledBack:
            throw Refusal(
                .blocked,
                "\(plan.name) is \(migration.phase.name): no weight changes before a restart",
                mend: "restart it, or take more back: migrate rollback"
            )
        case .planned, .completed, .abandoned:
            throw Refusal(.wrongState, "\(plan.name) has not been started", mend: "start it first")
        }
        let environment = environment ?? plan.stage(at: current.position).environment
        guard let traffic = migration.traffic(in: environment) else {
            throw unknown("environment", environment, plan.environments)
        }
        var weights = traffic.weights
        for index in try services(service) { weights[index] = weight }
        return [.weightsSet(environment: environment, weights: weights, planned: traffic.planned, revision: version)]
    }

    private var watchingRefusal: Refusal {
        Refusal(.wrongState, "\(plan.name) is at 100 % and watched", mend: "roll it back, or disable a service's flag")
    }

    func setFlag(_ service: String?, _ enabled: Bool) throws(Refusal) -> [Event] {
        try requireNotOver()
        if case .rollingBack(let rollback) = migration.phase, rollback.isWhole {
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
        guard let approval = plan.approval(before: position) else {
            throw Refusal(.unknownName, "\(name(position)) needs no approval")
        }
        guard approval.of?.contains(actor) ?? true else {
            throw Refusal(
                .notAllowed,
                "\(actor) may not approve \(name(position))",
                mend: "these may: \((approval.of ?? []).joined(separator: ", "))"
            )
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
        guard given >= approval.by, case .running(let running) = migration.phase else { return [recorded] }
        return [recorded] + proceed(from: running, criteria: migration.judgement?.criteria ?? [], approvals: given)
    }

    /// The step that would begin next: the first one before the start.
    private var nextPosition: Position? {
        switch migration.phase {
        case .planned: return Position(stage: 0, step: 0)
        case .rolledBack(let rollback): return Position(stage: restartStage(rollback), step: 0)
        case .running, .halted, .watching, .rollingBack, .completed, .abandoned: break
        }
        if case .recording = migration.phase.step?.progress { return Position(stage: 0, step: 0) }
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
        if case .recording = current.progress {
            throw Refusal(.wrongState, "the baseline is being recorded, and \(name(position)) has not begun")
        }
        try requireNotFrozen()
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

    /// What people wrote may be taken away in every state, the last one too: it decides nothing.
    func redact(_ texts: [String]) throws(Refusal) -> [Event] {
        guard !texts.isEmpty else { throw Refusal(.unknownName, "no text is named that could be dropped") }
        return [.redacted(texts: texts)]
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
