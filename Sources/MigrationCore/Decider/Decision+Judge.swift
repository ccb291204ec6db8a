extension Decision {
    /// What a window says of the guarded stage's criteria and guards.
    func judge(_ window: Window) -> Judgement {
        let observed = plan.environments.compactMap { observe($0, window) }
        guard let number = migration.guardedStage, number == migration.stage else {
            return Judgement(k: window.k, observed: observed)
        }
        let stage = plan.stages[number]
        let seen = window.environments.first { $0.environment == stage.environment }
        let isWhole = observed.first { $0.environment == stage.environment }?.isWhole ?? false
        let claims = plan.criteria(at: number)
        let comparisons = claims.count { $0.condition.isCompared }
        let criteria = zip(claims, migration.gates).map { criterion, running in
            var sight = sight(seen, stage.services, criterion.condition, window.k)
            sight.comparisons = comparisons
            return judge(criterion, running, number, sight, isWhole: isWhole)
        }
        let watches = plan.guards(at: number)
        let guards = zip(watches, migration.guards).map { guarded, running in
            let services = guarded.service.map { [$0] } ?? Array(plan.services.indices)
            var sight = sight(seen, services, guarded.trigger.condition, window.k)
            sight.comparisons = watches.count { $0.trigger.condition.isCompared }
            return judge(guarded.trigger, running, sight, isWhole: isWhole)
        }
        return Judgement(
            k: window.k,
            stage: number,
            criteria: criteria,
            triggers: guards,
            run: run(after: criteria, number, isWhole: isWhole, k: window.k),
            observed: observed,
            recorded: recorded(window, observed)
        )
    }

    /// What a condition looks at: of legacy what it has of the services, and where it compares, no more of the candidate.
    private func sight(_ seen: EnvironmentWindow?, _ services: [Int], _ condition: Condition, _ k: Int64) -> Sight {
        let comparable = plan.comparable(services)
        func sample(_ implementation: Implementation) -> Sample {
            let services = implementation == .legacy || condition.needsLegacy ? comparable : services
            return Sample(
                seen?.total(implementation, services) ?? Counts(),
                implementation,
                span: plan.window,
                readings: seen?.readings ?? [:]
            )
        }
        return Sight(candidate: sample(.candidate), legacy: sample(.legacy), k: k, window: plan.window)
    }

    private func judge(_ criterion: Criterion, _ running: Running, _ stage: Int, _ sight: Sight, isWhole: Bool)
        -> Judged
    {
        var sight = sight
        sight.baseline = migration.baseline(criterion.condition.metric, at: stage)
        var judged = criterion.condition.judge(
            sight,
            minimum: criterion.minimum,
            exit: nil,
            direction: .noWorse,
            running: running
        )
        if !isWhole, judged.verdict != .error { judged.verdict = .missing }
        return judged
    }

    private func judge(_ trigger: Trigger, _ running: Running, _ sight: Sight, isWhole: Bool) -> Judged {
        var judged = trigger.condition.judge(
            sight,
            minimum: trigger.minimum,
            exit: trigger.exit,
            direction: .worse,
            running: running
        )
        // What some of the routers saw can convict, and cannot acquit.
        if !isWhole, judged.verdict == .pass { judged.verdict = .missing }
        let next = running.streak.after(judged.verdict, k: sight.k, trigger: trigger, window: plan.window)
        judged.streak = next.streak
        return judged
    }

    private func observe(_ environment: String, _ window: Window) -> Observed? {
        let expected = migration.routers(in: environment)
        guard !expected.isEmpty else { return nil }
        let seen = window.environments.first { $0.environment == environment }
        let reported = expected.filter { seen?.routers.contains($0.name) ?? false }
        let shares = (seen?.services ?? plan.services.map { _ in ServiceWindow() }).map {
            Measurement(value: $0.candidate.requests, of: $0.candidate.requests.saturating($0.legacy.requests))
        }
        return Observed(environment: environment, reported: reported.count, expected: expected.count, shares: shares)
    }

    /// Windows passed in a row; one that fails, or is not whole, begins the bake again. A cumulative criterion need not have its
    /// evidence before the bake's end, so it only breaks the row by a breach. At weight 0 there is no traffic to be judged.
    private func run(after criteria: [Judged], _ stage: Int, isWhole: Bool, k: Int64) -> Int {
        guard let step = migration.phase.step, let bake = step.bake, k >= bake.firstWindow else { return 0 }
        let isIdle = plan.weight(at: step.position) == .zero
        let passes = zip(criteria, plan.criteria(at: stage)).allSatisfy { judged, criterion in
            if isIdle, criterion.condition.metric.needsTraffic { return true }
            return criterion.condition.isCumulative ? judged.verdict != .breach : judged.verdict == .pass
        }
        return isWhole && passes ? bake.run + 1 : 0
    }

    /// What legacy did for each stage that compares with the baseline; nil when none is being recorded, or not everything was seen.
    private func recorded(_ window: Window, _ observed: [Observed]) -> [Counts]? {
        guard case .recording(let first, _) = migration.phase.step?.progress, window.k >= first,
            !observed.isEmpty, observed.allSatisfy(\.isWhole)
        else { return nil }
        let counts = plan.stages.map { stage in
            window.environments.first { $0.environment == stage.environment }?.total(
                .legacy,
                plan.comparable(stage.services)
            ) ?? Counts()
        }
        // A window without traffic says nothing of the time before.
        let isSeen = plan.stages.indices.allSatisfy { counts[$0].requests > 0 || !plan.usesBaseline(at: $0) }
        return isSeen ? counts : nil
    }
}
