extension Decision {
    /// Judges the next window. Guards come first; only when none fires is an advance considered.
    func seal(_ window: Window) throws(Refusal) -> [Event] {
        try requireFits(window)
        let judgement = judge(window)
        let judged = Event.windowJudged(judgement: judgement)
        let outcomes = outcomes(judgement)
        let stage = judgement.stage ?? 0
        let silent = outcomes.indices.filter { outcomes[$0].noData }.map {
            Event.noDataDetected(stage: stage, number: $0, k: window.k)
        }
        let firing = outcomes.indices.filter { outcomes[$0].fires && isNews(of: plan.guards(at: stage)[$0], stage) }
        if !firing.isEmpty {
            return [judged] + silent + fire(firing.map { ($0, outcomes[$0].streak) }, stage, window.k)
        }
        if case .rollingBack(let rollback) = migration.phase {
            return [judged] + silent + confirm(rollback, judgement)
        }
        return [judged] + silent + advance(after: judgement)
    }

    private func requireFits(_ window: Window) throws(Refusal) {
        guard migration.phase.takesWindows, let next = migration.nextWindow else {
            throw Refusal(.window, "\(plan.name) is \(migration.phase.name) and takes no windows")
        }
        guard window.k == next else {
            throw Refusal(.window, "window \(window.k) is not the next one, which is \(next)")
        }
        guard at >= plan.clock.end(of: window.k) + plan.grace else {
            throw Refusal(.window, "window \(window.k) and its grace are not over yet")
        }
        let known = Set(plan.environments)
        let names = Set(window.environments.map(\.environment))
        guard names.isSubset(of: known), names.count == window.environments.count,
            window.environments.allSatisfy({ $0.services.count == plan.services.count })
        else {
            throw Refusal(.window, "window \(window.k) does not have the shape of the plan's environments and services")
        }
    }

    /// What each guard's window did, worked out again from the judgement's own verdicts.
    private func outcomes(_ judgement: Judgement) -> [Streak.Outcome] {
        guard let stage = judgement.stage else { return [] }
        return zip(zip(judgement.triggers, migration.guards), plan.guards(at: stage)).map { pair, guarded in
            pair.1.streak.after(pair.0.verdict, k: judgement.k, trigger: guarded.trigger, window: plan.window)
        }
    }

    /// Whether a guard that fires would take back anything that is not on its way back already.
    private func isNews(of guarded: Guard, _ stage: Int) -> Bool {
        guard let under = migration.phase.rollback else { return true }
        let wanted = parts(of: guarded, stage)
        return !wanted.allSatisfy { part in
            under.parts.contains {
                $0.environment == part.environment && Set(part.services).isSubset(of: $0.services)
            }
        }
    }

    private func parts(of guarded: Guard, _ stage: Int) -> [Rollback.Part] {
        switch guarded.trigger.scope {
        case .all: wholeParts
        case .stage: [Rollback.Part(environment: plan.stages[stage].environment, services: plan.stages[stage].services)]
        case .service:
            guarded.service.map { service in
                plan.environments.map { Rollback.Part(environment: $0, services: [service]) }
            } ?? wholeParts
        }
    }

    /// All that fire in one window go back together, as far as the widest of them says.
    private func fire(_ firing: [(Int, Streak)], _ stage: Int, _ k: Int64) -> [Event] {
        let due = plan.clock.end(of: k) + plan.grace
        let guards = plan.guards(at: stage)
        let fired = firing.map { number, streak in
            Event.triggerFired(
                stage: stage,
                number: number,
                k: k,
                onset: plan.clock.start(of: streak.onset ?? k),
                due: due
            )
        }
        let onset = firing.map { plan.clock.start(of: $0.1.onset ?? k) }.min()
        let parts = merged(
            firing.flatMap { self.parts(of: guards[$0.0], stage) } + (migration.phase.rollback?.parts ?? [])
        )
        let first = guards[firing[0].0]
        let cause = Rollback.Cause.trigger(stage: stage, index: first.index, service: first.service)
        return fired + rollBack(cause, .rolledBack, parts, onset: onset, detectedAt: due, judged: k)
    }

    private func confirm(_ rollback: Rollback, _ judgement: Judgement) -> [Event] {
        guard let acknowledgedAt = rollback.acknowledgedAt, plan.clock.start(of: judgement.k) >= acknowledgedAt
        else { return [] }
        let isSeen = rollback.parts.allSatisfy { part in
            guard let seen = judgement.observed.first(where: { $0.environment == part.environment }) else {
                // No router was ever there, so no request was.
                return migration.routers(in: part.environment).isEmpty
            }
            return seen.isWhole && part.services.allSatisfy { seen.shares[$0].value == 0 }
        }
        return isSeen ? [.rollbackConfirmed(k: judgement.k, at: plan.clock.end(of: judgement.k))] : []
    }

    /// Measurements that came after their window's seal are kept, and change no verdict.
    func recordLate(_ k: Int64, _ router: String, _ requests: Int) throws(Refusal) -> [Event] {
        guard let next = migration.nextWindow, k < next else {
            throw Refusal(.window, "window \(k) has not been sealed")
        }
        return [.signalLate(k: k, router: router, requests: requests)]
    }
}
