extension Decision {
    /// What time alone brings about: expiry, a gate that stood closed too long, a rollback that is not confirmed.
    func tick() -> [Event] {
        if migration.expiresAt.map({ at >= $0 }) ?? false {
            let expired = Event.expired
            switch migration.phase {
            case .running, .watching: return [expired, .halted(cause: .expired, reason: "\(plan.expires) have passed")]
            case .planned, .halted, .rollingBack, .rolledBack, .completed, .abandoned: return [expired]
            }
        }
        if let (deadline, position) = migration.approvalDeadline, at >= deadline {
            return [.halted(cause: .approvalTimedOut, reason: "\(name(position)) was not approved in time")]
        }
        if migration.rollbackDeadline.map({ at >= $0 }) ?? false { return [.rollbackOverdue] }
        return []
    }
}

extension Migration {
    /// The next moment at which ``Command/tick`` has something to decide; nil when time alone changes nothing.
    package var nextDeadline: Timestamp? {
        [expiresAt, approvalDeadline?.0, rollbackDeadline].compactMap { $0 }.min()
    }

    fileprivate var expiresAt: Timestamp? {
        hasExpired || phase.isOver ? nil : plannedAt + plan.expires
    }

    /// Whether the time that the plan gives the whole is over.
    func isExpired(at: Timestamp) -> Bool { hasExpired || at >= plannedAt + plan.expires }

    fileprivate var approvalDeadline: (Timestamp, Position)? {
        guard case .running(let step) = phase, case .awaitingApproval(_, _, let since) = step.progress,
            let next = plan.next(after: step.position), let approval = plan.stage(at: next).approval,
            approvals(of: next).count < plan.approvalsNeeded(before: next)
        else { return nil }
        return (since + approval.timeout, next)
    }

    fileprivate var rollbackDeadline: Timestamp? {
        guard case .rollingBack(let rollback) = phase, !rollback.isOverdue else { return nil }
        return rollback.decidedAt + plan.rollbackLimit
    }
}
