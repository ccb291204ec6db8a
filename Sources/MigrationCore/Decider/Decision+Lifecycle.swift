extension Decision {
    func start() throws(Refusal) -> [Event] {
        try requireNotOver()
        guard case .planned = migration.phase else {
            throw Refusal(.wrongState, "\(plan.name) was already started")
        }
        let first = Position(stage: 0, step: 0)
        try requireMayBegin(first)
        let window = plan.clock.firstIndex(from: at)
        let started = Event.started(firstWindow: window)
        return [started] + (plan.baseline == nil ? enter(first) : [.recordingStarted(firstWindow: window)])
    }

    /// Begins again at the first stage that moves something which was taken back.
    func restart() throws(Refusal) -> [Event] {
        guard case .rolledBack(let rollback) = migration.phase else {
            throw Refusal(
                .wrongState,
                "\(plan.name) is \(migration.phase.name); only a migration that is rolled back is restarted"
            )
        }
        let stage = restartStage(rollback)
        let position = Position(stage: stage, step: 0)
        try requireMayBegin(position)
        // Windows have gone on being judged while something was left at the candidate.
        let fresh = plan.clock.firstIndex(from: at)
        return [.restarted(firstWindow: rollback.isWhole ? fresh : migration.nextWindow ?? fresh)] + enter(position)
    }

    func restartStage(_ rollback: Rollback) -> Int {
        plan.stages.firstIndex { stage in
            rollback.parts.contains { part in
                part.environment == stage.environment && !Set(part.services).isDisjoint(with: stage.services)
            }
        } ?? 0
    }

    private func requireMayBegin(_ position: Position) throws(Refusal) {
        try requireNotExpired()
        try requireApprovals(of: position)
        try requireNotFrozen()
    }

    func requireNotFrozen() throws(Refusal) {
        guard !plan.isFrozen(at: at) else {
            throw Refusal(.blocked, "the plan freezes this time: nothing advances", mend: "try again once it is over")
        }
    }

    private func requireNotExpired() throws(Refusal) {
        guard !migration.isExpired(at: at) else {
            throw Refusal(.wrongState, "\(plan.name) has expired", mend: "create a new migration from its plan")
        }
    }

    /// The events that begin a step: the place, and the weight of the stage's services in its environment. A service that is further
    /// on already, because only others were taken back, stays where it is.
    func enter(_ position: Position) -> [Event] {
        let stage = plan.stage(at: position)
        let weight = plan.weight(at: position)
        guard let traffic = migration.traffic(in: stage.environment) else { return [] }
        var weights = traffic.weights
        var planned = traffic.planned
        for service in stage.services {
            planned[service] = max(planned[service], weight)
            weights[service] = planned[service]
        }
        return [
            .stepEntered(position: position),
            .weightsSet(environment: stage.environment, weights: weights, planned: planned, revision: version),
        ]
    }

    /// The events that end a step, and begin what comes after it.
    func pass(_ position: Position, skipped: Bool) -> [Event] {
        let passed = Event.stepPassed(position: position, skipped: skipped)
        guard let next = plan.next(after: position) else { return [passed, .watchStarted(until: at + plan.watch)] }
        return [passed] + enter(next)
    }

    func requireApprovals(of position: Position) throws(Refusal) {
        let needed = plan.approval(before: position)?.by ?? 0
        let given = migration.approvals(of: position).count
        guard given >= needed else {
            throw Refusal(
                .blocked,
                "\(name(position)) needs \(needed) approvals and has \(given)",
                mend: "approve it first: migrate approve \(plan.name) --stage \(plan.stage(at: position).name)"
                    + " --step \(percent(plan.weight(at: position)))"
            )
        }
    }

    /// A step as people call it: `production 25 %`.
    func name(_ position: Position) -> String { plan.name(at: position) }

    /// A weight as it is typed: `25%`.
    func percent(_ weight: Weight) -> String { Decimals.text(weight.rawValue, scale: 100) + "%" }
}
