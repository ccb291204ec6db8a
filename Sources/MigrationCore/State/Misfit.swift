/// A commit that cannot be folded: its events do not belong to the plan, or its version is not the next.
package struct Misfit: Error, Hashable, Sendable {
    package let version: Int64
    package let message: String
}

extension MigrationState {
    /// Whether an event's indices lie within the plan. Rules are not asked; only that folding is possible.
    func fits(_ event: Event) -> Bool {
        guard let migration else {
            if case .planned(let plan, _) = event { return plan.isSound }
            return false
        }
        let plan = migration.plan
        switch event {
        case .planned: return false
        case .stepEntered(let position), .approvalRecorded(let position, _), .stepPassed(let position, _):
            return plan.contains(position)
        case .weightsSet(let environment, let weights, _):
            return plan.environments.contains(environment) && weights.count == plan.services.count
        case .flagSet(let service, _, _): return plan.services.indices.contains(service)
        case .noDataDetected(let trigger, _), .triggerFired(let trigger, _, _, _):
            return plan.triggers.indices.contains(trigger)
        case .windowJudged(let judgement):
            return [0, plan.triggers.count].contains(judgement.triggers.count)
                && [0, plan.criteria.count].contains(judgement.criteria.count)
        case .rollbackStarted(let rollback, _):
            let isKnown: Bool
            switch rollback.cause {
            case .trigger(let index): isKnown = plan.triggers.indices.contains(index)
            case .person: isKnown = true
            }
            return isKnown && rollback.position.map(plan.contains) ?? true
        case .started, .restarted, .routerRegistered, .routerRetired, .routerAcknowledged, .stepAcknowledged,
            .signalLate,
            .approvalAwaited, .halted, .resumed, .rollbackAlreadyUnderWay, .rollbackAcknowledged, .rollbackConfirmed,
            .rollbackOverdue, .watchStarted, .completed, .expired, .overrideRefused:
            return true
        }
    }
}

extension Plan {
    /// Whether the plan has what every rule relies on: a service, a stage with a step, a window, comparable thresholds.
    package var isSound: Bool {
        !services.isEmpty && !stages.isEmpty && stages.allSatisfy { !$0.steps.isEmpty } && window > .zero
            && criteria.allSatisfy { $0.condition.metric.accepts(threshold: $0.condition.threshold) }
            && triggers.allSatisfy {
                $0.condition.metric.accepts(threshold: $0.condition.threshold)
                    && $0.condition.metric.accepts(threshold: $0.exit)
            }
    }

    func contains(_ position: Position) -> Bool {
        stages.indices.contains(position.stage) && stages[position.stage].steps.indices.contains(position.step)
    }
}

extension MigrationState {
    /// Whether a state that was kept somewhere has the shape of its plan, so that every rule can be applied to it.
    package var isSound: Bool {
        guard let migration else { return true }
        let plan = migration.plan
        let positions =
            migration.steps.map(\.position) + migration.approvals.map(\.position)
            + [migration.phase.step?.position, migration.phase.rollback?.position].compactMap(\.self)
        return plan.isSound && migration.flags.count == plan.services.count
            && migration.streaks.count == plan.triggers.count
            && migration.traffic.map(\.environment) == plan.environments
            && migration.traffic.allSatisfy {
                $0.weights.count == plan.services.count && $0.effective.count == plan.services.count
            }
            && positions.allSatisfy(plan.contains)
    }
}
