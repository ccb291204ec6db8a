/// A commit that cannot be folded: its events do not belong to the plan, or its version is not the next.
package struct Misfit: Error, Hashable, Sendable {
    package let version: Int64
    package let message: String
}

extension MigrationState {
    /// Whether an event's indices lie within the plan. Rules are not asked; only that folding is possible.
    func fits(_ event: Event, of commit: Commit) -> Bool {
        guard let migration else {
            if case .planned(let plan, _) = event { return plan.isSound }
            return false
        }
        let plan = migration.plan
        switch event {
        case .planned: return false
        case .planAmended(let amendment), .shadowBegun(let amendment): return migration.fits(amendment)
        case .shadowDecided(let decisions):
            return (try? shadow?.folding(decisions, of: commit)) != nil
        case .shadowParted, .shadowDiffers, .shadowEnded: return shadow != nil
        case .stepEntered(let position), .approvalRecorded(let position, _), .stepPassed(let position, _):
            return plan.contains(position)
        case .weightsSet(let environment, let weights, let planned, _):
            return plan.environments.contains(environment) && weights.count == plan.services.count
                && planned.count == plan.services.count
        case .flagSet(let service, _, _): return plan.services.indices.contains(service)
        case .noDataDetected(let stage, let number, _), .triggerFired(let stage, let number, _, _, _):
            return plan.stages.indices.contains(stage) && plan.guards(at: stage).indices.contains(number)
        case .windowJudged(let judgement): return plan.fits(judgement)
        case .baselineRecorded(let baselines): return baselines.allSatisfy { plan.stages.indices.contains($0.stage) }
        case .checkReported(let result): return plan.checks.indices.contains(result.check)
        case .rollbackStarted(let rollback, _): return plan.fits(rollback)
        case .started, .restarted, .routerRegistered, .routerRetired, .routerAcknowledged, .stepAcknowledged,
            .recordingStarted, .signalLate, .checksStarted, .approvalAwaited, .halted, .resumed,
            .rollbackAlreadyUnderWay, .rollbackAcknowledged, .rollbackReopened, .rollbackConfirmed, .rollbackOverdue,
            .watchStarted,
            .completed, .expired, .quarantined, .quarantinedByCheckpoint, .logRewound, .overrideRefused, .redacted:
            return true
        }
    }
}

extension Migration {
    fileprivate func fits(_ amendment: Amendment) -> Bool {
        let new = amendment.plan
        let positions = steps.map(\.position) + amendment.approvals.map(\.position)
        let left = [phase.step?.position, phase.rollback?.position].compactMap(\.self)
        return new.isSound && new.services.count == plan.services.count && new.environments == plan.environments
            && new.stages.indices.contains(amendment.stage)
            && amendment.gates.count == new.criteria(at: amendment.stage).count
            && amendment.guards.count == new.guards(at: amendment.stage).count
            && amendment.gates.allSatisfy { $0.map(gates.indices.contains) ?? true }
            && amendment.guards.allSatisfy { $0.map(guards.indices.contains) ?? true }
            && amendment.checks.allSatisfy { new.checks.indices.contains($0.check) }
            && (positions + left).allSatisfy(new.contains) && (recording.isEmpty || recording.count == new.stages.count)
    }
}

extension Plan {
    /// Whether the plan has what every rule relies on: a service, a stage with a step, a window, names and thresholds that exist.
    package var isSound: Bool {
        let criteria = self.criteria + stages.flatMap { $0.criteria ?? [] }
        let triggers = self.triggers + stages.flatMap { $0.triggers ?? [] }
        return !services.isEmpty && !stages.isEmpty && window >= .milliseconds(1) && window <= .longest
            && stages.allSatisfy { stage in
                !stage.steps.isEmpty && !stage.services.isEmpty
                    && stage.services.allSatisfy(services.indices.contains)
                    && stage.checks.allSatisfy(checks.indices.contains)
            }
            && criteria.allSatisfy { $0.condition.isSound } && triggers.allSatisfy { $0.condition.isSound }
    }

    func contains(_ position: Position) -> Bool {
        stages.indices.contains(position.stage) && stages[position.stage].steps.indices.contains(position.step)
    }

    fileprivate func fits(_ judgement: Judgement) -> Bool {
        let isCounted = judgement.recorded.map { $0.count == stages.count } ?? true
        guard let stage = judgement.stage else {
            return judgement.triggers.isEmpty && judgement.criteria.isEmpty && isCounted
        }
        return stages.indices.contains(stage) && judgement.triggers.count == guards(at: stage).count
            && judgement.criteria.count == criteria(at: stage).count && isCounted
    }

    fileprivate func fits(_ rollback: Rollback) -> Bool {
        let isKnown: Bool
        switch rollback.cause {
        case .trigger(let stage, let index, let service):
            isKnown =
                stages.indices.contains(stage) && triggers(at: stage).indices.contains(index)
                && service.map(services.indices.contains) ?? true
        case .person, .gate: isKnown = true
        }
        return isKnown && rollback.position.map(contains) ?? true
            && rollback.parts.allSatisfy { $0.services.allSatisfy(services.indices.contains) }
    }
}

extension Condition {
    /// Whether its numbers are ones that can be compared.
    fileprivate var isSound: Bool {
        switch test {
        case .threshold(_, let value): metric.accepts(threshold: value)
        case .improved(let by): (0...1_000_000).contains(by)
        case .compared(let factor, let alpha, let users):
            (users.map { $0 > 0 && metric.countsUsers } ?? true) && (1...1_000_000_000).contains(factor)
                && (1...1_000_000).contains(alpha) && metric.unit == .ratio
        case .ranked(let alpha, let over): (1...1_000_000).contains(alpha) && over > .zero && over <= .longest
        case .burning(let rate, let long, let short, let objective):
            rate > 0 && long > .zero && short > .zero && long <= .longest && short <= .longest
                && (0..<1_000_000).contains(objective) && metric.unit == .ratio
        }
    }
}

extension MigrationState {
    /// Whether a state that was kept somewhere has the shape of its plan, so that every rule can be applied to it.
    package var isSound: Bool {
        guard let migration else { return shadow == nil }
        if let shadow, !shadow.state.isSound { return false }
        let plan = migration.plan
        let positions =
            migration.steps.map(\.position) + migration.approvals.map(\.position)
            + [migration.phase.step?.position, migration.phase.rollback?.position].compactMap(\.self)
        return plan.isSound && migration.flags.count == plan.services.count
            && plan.stages.indices.contains(migration.stage)
            && migration.guards.count == plan.guards(at: migration.stage).count
            && migration.gates.count == plan.criteria(at: migration.stage).count
            && [0, plan.stages.count].contains(migration.recording.count)
            && migration.traffic.map(\.environment) == plan.environments
            && migration.traffic.allSatisfy {
                [$0.planned, $0.weights, $0.effective].allSatisfy { $0.count == plan.services.count }
            }
            && positions.allSatisfy(plan.contains)
            && migration.checks.allSatisfy { plan.checks.indices.contains($0.check) }
    }
}
