import MigrationCore

extension MigrationState {
    /// Decides as the log does, with a mutant's mistake.
    func decide(_ command: Command, by actor: String, at: Timestamp, _ mutant: Mutant?) throws(Refusal) -> [Event] {
        var state = self
        var command = command
        switch mutant {
        case .advanceWhileHalted:
            if case .sealWindow = command, case .halted(let halt)? = state.migration?.phase, let step = halt.held.step {
                state.migration?.phase = .running(step: step)
            }
        case .advanceOnMissing: command = filled(command)
        case .bakeBeforeAcknowledgement: if case .sealWindow = command { state.forgetAcknowledgement() }
        case .overrideLost: if case .setFlag = command { return [] }
        case .rollbackRefusedWhileHalted:
            if case .rollBack = command, case .halted? = state.migration?.phase {
                return [.overrideRefused(refusal: Refusal(.blocked, "halted"))]
            }
        case .approvalOfAnybody: state.letAnybodyApprove()
        default: break
        }
        var events = try state.decideRecorded(command, by: actor, at: at)
        switch mutant {
        case .advanceFirst:
            if events.contains(where: { if case .triggerFired = $0 { true } else { false } }) {
                events.removeAll { event in
                    switch event {
                    case .triggerFired, .rollbackStarted, .weightsSet, .rollbackAcknowledged: true
                    default: false
                    }
                }
            }
        case .stepTwice: events = events.flatMap { if case .stepEntered = $0 { [$0, $0] } else { [$0] } }
        case .leap:
            events = events.map { event in
                guard case .stepEntered(let position) = event, let plan = state.migration?.plan,
                    let next = plan.next(after: position)
                else { return event }
                return .stepEntered(position: next)
            }
        case .approvalTwice:
            if case .approve(let stage, let step, _) = command, case .overrideRefused(let refusal)? = events.first,
                refusal.code == .notDistinct, let plan = state.migration?.plan,
                let index = plan.stages.firstIndex(where: { $0.name == stage }),
                let place = plan.stages[index].steps.firstIndex(of: step)
            {
                events = [.approvalRecorded(position: Position(stage: index, step: place), by: actor)]
            }
        case .acknowledgedUnheard:
            if case .acknowledge = command, case .rollingBack(let rollback)? = state.migration?.phase,
                rollback.acknowledgedAt == nil, !events.contains(.rollbackAcknowledged), !events.isEmpty
            {
                events.append(.rollbackAcknowledged)
            }
        default: break
        }
        return events
    }

    /// A window of nothing, as if it had been good.
    fileprivate func filled(_ command: Command) -> Command {
        guard case .sealWindow(let window) = command, window.environments.isEmpty, let migration else { return command }
        let environments = migration.plan.environments.map { name in
            EnvironmentWindow(
                environment: name,
                routers: migration.routers(in: name).map(\.name),
                services: migration.plan.services.map { _ in
                    var counts = Counts()
                    counts.requests = 100
                    return ServiceWindow(candidate: counts)
                }
            )
        }
        return .sealWindow(window: Window(k: window.k, environments: environments))
    }

    fileprivate mutating func forgetAcknowledgement() {
        guard var step = migration?.phase.step, case .shifting = step.progress, let next = migration?.nextWindow else {
            return
        }
        step.progress = .baking(firstWindow: next, run: 0)
        migration?.phase.step = step
    }

    fileprivate mutating func letAnybodyApprove() {
        guard let stages = migration?.plan.stages else { return }
        for stage in stages.indices {
            for index in stages[stage].approvals.indices { migration?.plan.stages[stage].approvals[index].of = nil }
        }
    }
}
