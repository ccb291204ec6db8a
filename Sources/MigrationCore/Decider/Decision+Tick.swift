extension Decision {
    /// What time alone brings about: expiry, a gate that stood closed too long, a step that took too long, a rollback that is not
    /// confirmed.
    func tick() -> [Event] {
        if migration.expiresAt.map({ at >= $0 }) ?? false {
            let expired = Event.expired
            switch migration.phase {
            case .running, .watching: return [expired, .halted(cause: .expired, reason: "\(plan.expires) have passed")]
            case .planned, .halted, .rollingBack, .rolledBack, .completed, .abandoned: return [expired]
            }
        }
        if let (deadline, position, approval) = migration.approvalDeadline, at >= deadline {
            return act(approval.then, .approvalTimedOut, "\(name(position)) was not approved in time")
        }
        if let (deadline, check) = migration.checkDeadline, at >= deadline {
            return act(check.then, .checkTimedOut, "the check \(check.name) took longer than \(check.timeout)")
        }
        if let (deadline, stage) = migration.stepDeadline, at >= deadline, let step = migration.phase.step {
            return act(stage.then, .stepTimedOut, "\(name(step.position)) took longer than \(stage.limit ?? .zero)")
        }
        if migration.rollbackDeadline.map({ at >= $0 }) ?? false { return [.rollbackOverdue] }
        return []
    }
}

extension Migration {
    /// The next moment at which ``Command/tick`` has something to decide; nil when time alone changes nothing.
    package var nextDeadline: Timestamp? {
        [expiresAt, approvalDeadline?.0, checkDeadline?.0, stepDeadline?.0, rollbackDeadline].compactMap { $0 }.min()
    }

    fileprivate var expiresAt: Timestamp? {
        hasExpired || phase.isOver ? nil : plannedAt + plan.expires
    }

    /// Whether the time that the plan gives the whole is over.
    func isExpired(at: Timestamp) -> Bool { hasExpired || at >= plannedAt + plan.expires }

    fileprivate var approvalDeadline: (Timestamp, Position, Approval)? {
        guard case .running(let step) = phase, case .awaitingApproval(_, _, let since) = step.progress,
            let next = plan.next(after: step.position), let approval = plan.approval(before: next),
            approvals(of: next).count < approval.by
        else { return nil }
        return (since + approval.timeout, next, approval)
    }

    /// The check of the current step that has the least time left.
    fileprivate var checkDeadline: (Timestamp, Check)? {
        guard case .running(let step) = phase, case .checking(_, _, let since) = step.progress else { return nil }
        return plan.stage(at: step.position).checks
            .filter { check in !checks.contains { $0.check == check && $0.isPassed } }
            .map { (since + plan.checks[$0].timeout, plan.checks[$0]) }
            .min { $0.0 < $1.0 }
    }

    fileprivate var stepDeadline: (Timestamp, Stage)? {
        guard case .running(let step) = phase, let limit = plan.stage(at: step.position).limit else { return nil }
        if case .awaitingApproval = step.progress { return nil }
        return (step.enteredAt + limit, plan.stage(at: step.position))
    }

    fileprivate var rollbackDeadline: Timestamp? {
        guard case .rollingBack(let rollback) = phase, !rollback.isOverdue else { return nil }
        return (rollback.reopenedAt ?? rollback.decidedAt) + plan.rollbackLimit
    }
}
