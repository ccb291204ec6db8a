extension Decision {
    /// Judges the next window. Guards come first; only when none fires is an advance considered.
    func seal(_ window: Window) throws(Refusal) -> [Event] {
        try requireFits(window)
        let judgement = judge(window)
        let judged = Event.windowJudged(judgement: judgement)
        if case .rollingBack(let rollback) = migration.phase {
            return [judged] + confirm(rollback, judgement)
        }
        let outcomes = outcomes(judgement)
        let silent = outcomes.indices.filter { outcomes[$0].noData }.map {
            Event.noDataDetected(trigger: $0, k: window.k)
        }
        if let firing = outcomes.indices.first(where: { outcomes[$0].fires }) {
            return [judged] + silent + fire(firing, window.k, outcomes[firing].streak)
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

    private func judge(_ window: Window) -> Judgement {
        let observed = plan.environments.compactMap { observe($0, window) }
        guard let name = migration.guardedEnvironment else {
            return Judgement(k: window.k, criteria: [], triggers: [], run: 0, observed: observed)
        }
        let environment = window.environments.first { $0.environment == name }
        let candidate = environment?.total(.candidate) ?? Counts()
        let legacy = environment?.total(.legacy) ?? Counts()
        let isWhole =
            observed.first { $0.environment == name }.map { $0.reported >= $0.expected && $0.expected > 0 } ?? false
        let criteria = plan.criteria.map { criterion in
            let measured = criterion.condition.metric.measure(candidate)
            let verdict = criterion.judge(measured)
            return Judged(
                verdict: isWhole ? verdict : .missing,
                candidate: measured,
                legacy: criterion.condition.metric.measure(legacy)
            )
        }
        let triggers = zip(plan.triggers, migration.streaks).map { trigger, streak in
            let measured = trigger.condition.metric.measure(candidate)
            var verdict = trigger.judge(measured)
            // What some of the routers saw can convict, and cannot acquit.
            if !isWhole, verdict == .pass { verdict = .missing }
            let next = streak.after(verdict, k: window.k, trigger: trigger, window: plan.window)
            return JudgedTrigger(verdict: verdict, candidate: measured, streak: next.streak)
        }
        return Judgement(
            k: window.k,
            criteria: criteria,
            triggers: triggers,
            run: run(after: criteria, isWhole: isWhole, k: window.k),
            observed: observed
        )
    }

    private func observe(_ environment: String, _ window: Window) -> Observed? {
        let expected = migration.routers(in: environment)
        guard !expected.isEmpty else { return nil }
        let seen = window.environments.first { $0.environment == environment }
        let reported = expected.filter { seen?.routers.contains($0.name) ?? false }
        let shares = (seen?.services ?? plan.services.map { _ in ServiceWindow() }).map {
            Measurement(value: $0.candidate.requests, of: $0.candidate.requests + $0.legacy.requests)
        }
        return Observed(environment: environment, reported: reported.count, expected: expected.count, shares: shares)
    }

    /// Windows passed in a row; one that fails, or is not whole, begins the bake again.
    private func run(after criteria: [Judged], isWhole: Bool, k: Int64) -> Int {
        guard let bake = migration.phase.step?.bake, k >= bake.firstWindow else { return 0 }
        return isWhole && criteria.allSatisfy { $0.verdict == .pass } ? bake.run + 1 : 0
    }

    /// What each trigger's window did, worked out again from the judgement's own verdicts.
    private func outcomes(_ judgement: Judgement) -> [Streak.Outcome] {
        judgement.triggers.indices.map { index in
            migration.streaks[index].after(
                judgement.triggers[index].verdict,
                k: judgement.k,
                trigger: plan.triggers[index],
                window: plan.window
            )
        }
    }

    private func fire(_ index: Int, _ k: Int64, _ streak: Streak) -> [Event] {
        let onset = plan.clock.start(of: streak.onset ?? k)
        let due = plan.clock.end(of: k) + plan.grace
        let fired = Event.triggerFired(trigger: index, k: k, onset: onset, due: due)
        return [fired] + rollBack(.trigger(index: index), .rolledBack, onset: onset, detectedAt: due)
    }

    private func confirm(_ rollback: Rollback, _ judgement: Judgement) -> [Event] {
        guard let acknowledgedAt = rollback.acknowledgedAt, plan.clock.start(of: judgement.k) >= acknowledgedAt,
            judgement.observed.allSatisfy({ $0.reported == $0.expected && $0.shares.allSatisfy { $0.value == 0 } })
        else { return [] }
        return [.rollbackConfirmed(k: judgement.k, at: plan.clock.end(of: judgement.k))]
    }

    private func advance(after judgement: Judgement) -> [Event] {
        switch migration.phase {
        case .running(var step):
            switch step.progress {
            case .shifting: return []
            case .baking(let first, _): step.progress = .baking(firstWindow: first, run: judgement.run)
            case .awaitingApproval(let first, _, let since):
                step.progress = .awaitingApproval(firstWindow: first, run: judgement.run, since: since)
            }
            return hasBaked(step) ? passOrAwait(step) : []
        case .watching(let watch):
            return endWatch(watch, judgement)
        case .planned, .halted, .rollingBack, .rolledBack, .completed, .abandoned:
            return []
        }
    }

    /// Whether a step has passed for as long as its stage asks, at the weight that the plan asks, with every flag on.
    func hasBaked(_ step: Step) -> Bool {
        guard let bake = step.bake, isAsPlanned(step.position) else { return false }
        return bake.run >= max(1, plan.stage(at: step.position).bake.windows(of: plan.window))
    }

    /// Whether every service has the weight of the step, none set otherwise by hand and no flag off.
    func isAsPlanned(_ position: Position) -> Bool {
        let weight = plan.weight(at: position)
        let traffic = migration.traffic(in: plan.stage(at: position).environment)
        return traffic?.effective.allSatisfy { $0 == weight } ?? false
    }

    private func passOrAwait(_ step: Step) -> [Event] {
        guard let next = plan.next(after: step.position) else { return pass(step.position, skipped: false) }
        guard migration.approvals(of: next).count < plan.approvalsNeeded(before: next) else {
            return pass(step.position, skipped: false)
        }
        if case .awaitingApproval = step.progress { return [] }
        return [.approvalAwaited]
    }

    /// A watch ends on a window that was wholly seen, with nothing missing, no trigger on its way and no flag off.
    private func endWatch(_ watch: Watch, _ judgement: Judgement) -> [Event] {
        let isQuiet = judgement.triggers.allSatisfy {
            $0.streak.breaches == 0 && $0.verdict != .missing && $0.verdict != .error
        }
        let isSeen = judgement.observed.contains {
            $0.environment == migration.guardedEnvironment && $0.reported == $0.expected
        }
        guard plan.clock.end(of: judgement.k) >= watch.until, isQuiet, isSeen, migration.flags.allSatisfy({ $0 }) else {
            return []
        }
        return [.completed]
    }

    /// Measurements that came after their window's seal are kept, and change no verdict.
    func recordLate(_ k: Int64, _ router: String, _ requests: Int) throws(Refusal) -> [Event] {
        guard let next = migration.nextWindow, k < next else {
            throw Refusal(.window, "window \(k) has not been sealed")
        }
        return [.signalLate(k: k, router: router, requests: requests)]
    }
}
