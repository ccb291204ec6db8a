extension Decision {
    func start() throws(Refusal) -> [Event] {
        try requireNotOver()
        guard case .planned = migration.phase else {
            throw Refusal(.wrongState, "\(plan.name) was already started")
        }
        try requireNotExpired()
        let first = Position(stage: 0, step: 0)
        try requireApprovals(of: first)
        return [.started(firstWindow: plan.clock.firstIndex(from: at))] + enter(first)
    }

    func restart() throws(Refusal) -> [Event] {
        guard case .rolledBack = migration.phase else {
            throw Refusal(
                .wrongState,
                "\(plan.name) is \(migration.phase.name); only a migration that is rolled back is restarted"
            )
        }
        try requireNotExpired()
        try requireApprovals(of: Position(stage: 0, step: 0))
        return [.restarted(firstWindow: plan.clock.firstIndex(from: at))] + enter(Position(stage: 0, step: 0))
    }

    private func requireNotExpired() throws(Refusal) {
        guard !migration.isExpired(at: at) else {
            throw Refusal(.wrongState, "\(plan.name) has expired", mend: "create a new migration from its plan")
        }
    }

    /// The events that begin a step: the place, and the weight of all services in its environment.
    func enter(_ position: Position) -> [Event] {
        let weights = plan.services.map { _ in plan.weight(at: position) }
        let environment = plan.stage(at: position).environment
        return [
            .stepEntered(position: position),
            .weightsSet(environment: environment, weights: weights, revision: version),
        ]
    }

    /// The events that end a step, and begin what comes after it.
    func pass(_ position: Position, skipped: Bool) -> [Event] {
        let passed = Event.stepPassed(position: position, skipped: skipped)
        guard let next = plan.next(after: position) else { return [passed, .watchStarted(until: at + plan.watch)] }
        return [passed] + enter(next)
    }

    func requireApprovals(of position: Position) throws(Refusal) {
        let needed = plan.approvalsNeeded(before: position)
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
    func name(_ position: Position) -> String {
        "\(plan.stage(at: position).name) \(plan.weight(at: position))"
    }

    /// A weight as it is typed: `25%`.
    func percent(_ weight: Weight) -> String { Decimals.text(weight.rawValue, scale: 100) + "%" }
}
