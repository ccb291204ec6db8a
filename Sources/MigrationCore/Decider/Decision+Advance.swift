extension Decision {
    /// What a window that no guard minds brings about: the end of a recording, of a step, or of the watch.
    func advance(after judgement: Judgement) -> [Event] {
        guard migration.quarantine == nil else { return [] }
        switch migration.phase {
        case .running(var step):
            switch step.progress {
            case .recording(_, let windows): return endRecording(windows, judgement)
            case .shifting: return []
            case .baking(let first, _): step.progress = .baking(firstWindow: first, run: judgement.run)
            case .checking(let first, _, let since):
                step.progress = .checking(firstWindow: first, run: judgement.run, since: since)
            case .awaitingApproval(let first, _, let since):
                step.progress = .awaitingApproval(firstWindow: first, run: judgement.run, since: since)
            }
            return proceed(from: step, criteria: judgement.criteria, judged: judgement.k)
        case .watching(let watch): return endWatch(watch, judgement)
        case .planned, .halted, .rollingBack, .rolledBack, .completed, .abandoned: return []
        }
    }

    /// Takes a step through its gates, one after the other: bake, checks, people, freezes.
    ///
    /// - Parameters:
    ///   - step: where it stands.
    ///   - criteria: the last window's verdicts.
    ///   - results: what the checks have said.
    ///   - approvals: how many people have approved the step after it.
    ///   - judged: the window that is judged with it; nil for none.
    func proceed(
        from step: Step,
        criteria: [Judged],
        results: [CheckResult]? = nil,
        approvals: Int? = nil,
        judged: Int64? = nil
    ) -> [Event] {
        guard migration.quarantine == nil, hasBaked(step, criteria) else { return [] }
        let results = results ?? migration.checks
        let checks = plan.stage(at: step.position).checks
        let isChecked = checks.allSatisfy { check in results.contains { $0.check == check && $0.isPassed } }
        if !isChecked {
            if case .baking = step.progress { return [.checksStarted] }
            return []
        }
        guard let next = plan.next(after: step.position) else { return leave(step.position, judged) }
        let given = approvals ?? migration.approvals(of: next).count
        guard given >= plan.approval(before: next)?.by ?? 0 else {
            if case .awaitingApproval = step.progress { return [] }
            return [.approvalAwaited]
        }
        return leave(step.position, judged)
    }

    private func leave(_ position: Position, _ judged: Int64?) -> [Event] {
        guard !plan.isFrozen(at: at), !isBehind(judged), plan.next(after: position) != nil || isAcknowledged else {
            return []
        }
        return pass(position, skipped: false)
    }

    /// Whether something is over that nobody has judged, or due that nobody has done: no worker has looked for a while. What was judged last says nothing of
    /// the time since, so nothing goes forward before that has been looked at.
    ///
    /// A window is judged once its grace is over; one more window is what that may take.
    ///
    /// - Parameter judged: the window that this decision judges; nil for none.
    private func isBehind(_ judged: Int64?) -> Bool {
        guard rules.areStrict else { return false }
        if let deadline = migration.nextDeadline, at >= deadline { return true }
        guard let next = judged.map({ $0 + 1 }) ?? migration.nextWindow else { return false }
        return at >= plan.clock.end(of: next) + plan.grace + plan.window
    }

    /// Whether every router has what is asked: one that came late may serve legacy still.
    private var isAcknowledged: Bool { !rules.areStrict || migration.unacknowledged.isEmpty }

    /// Whether a step has passed for as long as its stage asks, at the weight that the plan asks, with every flag on, and has the
    /// evidence that its cumulative criteria ask.
    private func hasBaked(_ step: Step, _ criteria: [Judged]) -> Bool {
        guard let bake = step.bake, isAsPlanned(step.position) else { return false }
        let stage = plan.stage(at: step.position)
        let isIdle = plan.weight(at: step.position) == .zero
        let conditions = plan.criteria(at: step.position.stage).map(\.condition)
        let isEvident = zip(conditions, criteria).allSatisfy { condition, judged in
            !condition.isCumulative || judged.verdict == .pass || (isIdle && condition.metric.needsTraffic)
        }
        return bake.run >= max(1, stage.bake.windows(of: plan.window)) && criteria.count == conditions.count
            && isEvident
    }

    /// Whether every service of the stage has the weight that the plan asks, none set otherwise by hand and no flag off.
    func isAsPlanned(_ position: Position) -> Bool {
        let stage = plan.stage(at: position)
        guard let traffic = migration.traffic(in: stage.environment) else { return false }
        return stage.services.allSatisfy { traffic.effective[$0] == traffic.planned[$0] }
    }

    private func endRecording(_ windows: Int, _ judgement: Judgement) -> [Event] {
        guard let recorded = judgement.recorded, let baseline = plan.baseline,
            windows + 1 >= max(1, baseline.windows(of: plan.window)), !plan.isFrozen(at: at),
            !isBehind(judgement.k)
        else { return [] }
        let counts = zip(migration.recording, recorded).map { $0 + $1 }
        var baselines: [Baseline] = []
        for (index, stage) in plan.stages.enumerated() where index < counts.count {
            for criterion in plan.criteria(at: index) {
                guard case .improved = criterion.condition.test else { continue }
                let metric = criterion.condition.metric
                let sample = Sample(counts[index], .legacy, span: plan.window * Int64(windows + 1))
                // Nothing was measured in an environment of the plan: what cannot be compared later is not begun.
                guard let value = metric.measure(sample), !stage.steps.isEmpty else { return [] }
                if !baselines.contains(where: { $0.stage == index && $0.metric == metric }) {
                    baselines.append(Baseline(stage: index, metric: metric, value: value))
                }
            }
        }
        return [.baselineRecorded(baselines: baselines)] + enter(Position(stage: 0, step: 0))
    }

    /// A watch ends on a window that was wholly seen, with nothing missing, no trigger on its way, no flag off, and every router at 100 %.
    private func endWatch(_ watch: Watch, _ judgement: Judgement) -> [Event] {
        let isQuiet = judgement.triggers.allSatisfy {
            $0.streak.breaches == 0 && $0.verdict != .missing && $0.verdict != .error
        }
        let isSeen = judgement.observed.contains { $0.environment == migration.guardedEnvironment && $0.isWhole }
        guard plan.clock.end(of: judgement.k) >= watch.until, judgement.stage != nil, isQuiet, isSeen,
            migration.flags.allSatisfy({ $0 }), !isBehind(judgement.k), isAcknowledged
        else {
            return []
        }
        return [.completed]
    }
}
