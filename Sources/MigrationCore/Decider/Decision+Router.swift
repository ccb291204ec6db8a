extension Decision {
    func register(_ router: String, _ environment: String) throws(Refusal) -> [Event] {
        guard plan.environments.contains(environment) else {
            throw unknown("environment", environment, plan.environments)
        }
        guard !migration.phase.isFinal, !migration.routers.contains(where: { $0.name == router }) else { return [] }
        let registered = Event.routerRegistered(router: router, environment: environment)
        // One that was retired, and is back, may serve what it was told last.
        let isOpen = migration.phase.rollback.map { rollback in
            rollback.acknowledgedAt == nil || !rollback.parts.contains { $0.environment == environment }
        }
        return isOpen ?? true || migration.phase.isOver ? [registered] : [registered, .rollbackReopened]
    }

    func retire(_ router: String) throws(Refusal) -> [Event] {
        // Of one that the plan has evicted a person knows that it is gone.
        if migration.evicted?.contains(where: { $0.name == router }) ?? false {
            return [.routerRetired(router: router)]
        }
        guard migration.routers.contains(where: { $0.name == router }) else {
            throw unknown("router", router, migration.routers.map(\.name))
        }
        let rest = migration.routers.filter { $0.name != router }
        return [.routerRetired(router: router)] + completeAcknowledgement(rest)
    }

    /// A worker stops waiting for a router, where the plan says so and everybody else of its environment can go on. Never while a rollback is under way, a person's
    /// lower weight has not reached it, or the log is doubted: a router that is only cut off may still send users to the candidate.
    func evict(_ name: String, _ silent: TimeSpan) throws(Refusal) -> [Event] {
        guard let router = migration.routers.first(where: { $0.name == name }) else {
            throw unknown("router", name, migration.routers.map(\.name))
        }
        guard let limit = plan.evictAfter, silent >= limit else {
            throw Refusal(
                .notAllowed,
                "\(plan.name) does not say that a router is evicted that is silent for \(silent)",
                mend: "retire it: migrate retire-router"
            )
        }
        guard migration.mayEvict(router) else {
            throw Refusal(
                .notAllowed,
                "a router is not evicted that is the last of its environment or may still have a higher weight than is asked, and none is while a rollback is under way or the log is doubted"
            )
        }
        return try retire(name)
    }

    /// A router says that a revision is in force. An older or repeated one is nothing new; one that was never decided means that
    /// the log has lost what the router remembers.
    func acknowledge(_ router: String, _ revision: Int64) throws(Refusal) -> [Event] {
        guard let index = migration.routers.firstIndex(where: { $0.name == router }) else {
            throw unknown("router", router, migration.routers.map(\.name))
        }
        guard revision < version else {
            throw Refusal(
                .unknownRevision,
                "\(router) acknowledges revision \(revision), and the log ends at \(version - 1)",
                mend: "find out whether an old backup of the log was restored"
            )
        }
        guard revision > migration.routers[index].revision ?? 0 else { return [] }
        var routers = migration.routers
        routers[index].revision = revision
        return [.routerAcknowledged(router: router, revision: revision)] + completeAcknowledgement(routers)
    }

    /// What is complete once these routers stand where they stand: the current step's shift, or the rollback's.
    private func completeAcknowledgement(_ routers: [Router]) -> [Event] {
        if case .rollingBack(let rollback) = migration.phase, rollback.acknowledgedAt == nil {
            let concerned = routers.filter { router in
                rollback.parts.contains { $0.environment == router.environment }
            }
            return concerned.allSatisfy { ($0.revision ?? 0) >= rollback.revision } ? [.rollbackAcknowledged] : []
        }
        guard let step = migration.phase.step, step.progress == .shifting else { return [] }
        let environment = plan.stage(at: step.position).environment
        let concerned = routers.filter { $0.environment == environment }
        guard let traffic = migration.traffic(in: environment), !concerned.isEmpty,
            concerned.allSatisfy({ ($0.revision ?? 0) >= traffic.revision })
        else { return [] }
        return [.stepAcknowledged(firstWindow: plan.clock.firstIndex(from: at))]
    }
}

extension Migration {
    /// Whether a router that is silent may be waited for no longer.
    func mayEvict(_ router: Router) -> Bool {
        guard phase.rollback == nil, quarantine == nil, !phase.isOver,
            routers.contains(where: { $0.name != router.name && $0.environment == router.environment }),
            let traffic = traffic(in: router.environment)
        else { return false }
        // What was taken back it may not have heard.
        let isRaised = zip(traffic.effective, traffic.planned).allSatisfy { $0 >= $1 }
        let revision = router.revision ?? 0
        return (isRaised || revision >= traffic.revision) && revision >= traffic.loweredAt ?? 0
    }
}
