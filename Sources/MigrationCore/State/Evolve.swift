extension MigrationState {
    /// Copies an event's facts into the state. It compares nothing with a threshold and refuses nothing: an old log folds to the
    /// same state under every later release (1-core.md).
    ///
    /// - Parameters:
    ///   - event: the fact.
    ///   - commit: the commit it stands in, for its time, actor and version.
    mutating func evolve(_ event: Event, _ commit: Commit) {
        switch event {
        case .planned(let plan, let hash):
            migration = Migration(plan: plan, hash: hash, at: commit.decidedAt, by: commit.actor)
        case .shadowBegun(let amendment):
            guard var other = migration else { return }
            other.amend(amendment)
            shadow = Shadow(since: commit, other)
        // That they fold was checked before.
        case .shadowDecided(let decisions): shadow = (try? shadow?.folding(decisions, of: commit)) ?? shadow
        case .shadowParted: shadow?.partedFrom = commit.version
        case .shadowDiffers: shadow?.differsFrom = commit.version
        case .shadowEnded: shadow?.endedAt = commit.version
        default: migration?.evolve(event, commit)
        }
    }
}

extension Migration {
    fileprivate mutating func evolve(_ event: Event, _ commit: Commit) {
        switch event {
        case .planned, .rollbackAlreadyUnderWay, .signalLate, .noDataDetected, .triggerFired, .overrideRefused,
            .redacted:
            break
        case .shadowBegun, .shadowDecided, .shadowParted, .shadowDiffers, .shadowEnded: break
        case .planAmended(let amendment): amend(amendment)
        case .started(let firstWindow), .restarted(let firstWindow): begin(firstWindow)
        case .recordingStarted(let firstWindow): beginRecording(firstWindow, commit.decidedAt)
        case .baselineRecorded(let baselines):
            self.baselines = baselines
            recording = []
        case .stepEntered(let position): enter(position, commit.decidedAt)
        case .weightsSet(let environment, let weights, let planned, let revision):
            set(weights, planned, environment, revision, commit.rules)
        case .flagSet(let service, let enabled, let revision): setFlag(service, enabled, revision, commit.rules)
        case .routerRegistered(let name, let environment): register(Router(name: name, environment: environment))
        case .routerRetired(let name): retire(name, commit)
        case .routerAcknowledged(let name, let revision): acknowledge(name, revision, commit.decidedAt)
        case .stepAcknowledged(let firstWindow): acknowledgeStep(firstWindow, commit.decidedAt)
        case .windowJudged(let judgement): judge(judgement)
        case .approvalRecorded(let position, let by):
            approvals.append(GivenApproval(position: position, by: by, at: commit.decidedAt))
        case .checksStarted: beginChecks(commit.decidedAt)
        case .checkReported(let result):
            checks.removeAll { $0.check == result.check }
            checks.append(result)
        case .approvalAwaited: awaitApproval(commit.decidedAt)
        case .stepPassed(let position, let skipped): end(position, skipped ? .skipped : .passed, commit.decidedAt)
        case .halted(let cause, let reason): halt(cause, reason, commit.decidedAt)
        case .resumed: resume(commit.decidedAt)
        case .rollbackStarted(let rollback, let firstWindow): rollBack(rollback, firstWindow)
        case .rollbackAcknowledged: changeRollback { $0.acknowledgedAt = commit.decidedAt }
        case .rollbackReopened: reopenRollback(commit.decidedAt)
        case .rollbackConfirmed(_, let at): confirmRollback(at)
        case .rollbackOverdue: changeRollback { $0.isOverdue = true }
        case .watchStarted(let until): phase = .watching(watch: Watch(since: commit.decidedAt, until: until))
        case .completed: phase = .completed
        case .expired: hasExpired = true
        case .quarantined(let router, let revision):
            quarantine = Quarantine(.router(name: router, revision: revision), since: commit.decidedAt)
        case .quarantinedByCheckpoint(let place, let size, let root):
            quarantine = Quarantine(.checkpoint(place: place, size: size, root: root), since: commit.decidedAt)
        case .logRewound(let revision, let firstWindow): beginAnew(revision, firstWindow, commit)
        }
    }

    fileprivate mutating func amend(_ amendment: Amendment) {
        for index in rollbacks.indices {
            rollbacks[index].told = words(rollbacks[index])
            rollbacks[index].toldPlace = place(of: rollbacks[index])
        }
        if let last = rollbacks.last { phase.rollback = last }
        plan = amendment.plan
        planHash = amendment.hash
        stage = amendment.stage
        gates = amendment.gates.map { $0.map { gates[$0] } ?? Running() }
        guards = amendment.guards.map { $0.map { guards[$0] } ?? Running() }
        approvals = amendment.approvals
        hasExpired = amendment.hasExpired
        // What the last window said, it said of other conditions.
        judgement = judgement.map { Judgement(k: $0.k, observed: $0.observed) }
        checks = amendment.checks
        if let until = amendment.watchUntil { setWatch(until) }
        guard amendment.bakesAnew || amendment.checksAnew, var step = phase.step, let bake = step.bake else { return }
        step.progress = .baking(firstWindow: bake.firstWindow, run: amendment.bakesAnew ? 0 : bake.run)
        phase.step = step
    }

    private mutating func setWatch(_ until: Timestamp) {
        switch phase {
        case .watching(var watch):
            watch.until = until
            phase = .watching(watch: watch)
        case .halted(var halt):
            guard case .watching(var watch) = halt.held else { return }
            watch.until = until
            halt.held = .watching(watch: watch)
            phase = .halted(halt: halt)
        case .planned, .running, .rollingBack, .rolledBack, .completed, .abandoned: break
        }
    }

    private mutating func begin(_ firstWindow: Int64) {
        nextWindow = firstWindow
        watch(over: 0)
        approvals = []
        steps = []
        judgement = nil
    }

    /// Criteria and guards of a stage, which remember nothing yet.
    private mutating func watch(over stage: Int) {
        self.stage = stage
        gates = plan.criteria(at: stage).map { _ in Running() }
        guards = plan.guards(at: stage).map { _ in Running() }
    }

    private mutating func beginRecording(_ firstWindow: Int64, _ at: Timestamp) {
        recording = plan.stages.map { _ in Counts() }
        let first = Position(stage: 0, step: 0)
        phase = .running(
            step: Step(position: first, enteredAt: at, progress: .recording(firstWindow: firstWindow, windows: 0))
        )
    }

    private mutating func enter(_ position: Position, _ at: Timestamp) {
        phase = .running(step: Step(position: position, enteredAt: at, progress: .shifting))
        steps.append(StepRecord(position: position, enteredAt: at))
        checks = []
        guard position.stage != stage else { return }
        // The same guards go on from stage to stage; what a stage's criteria have seen is that stage's.
        let isSame = plan.guards(at: stage) == plan.guards(at: position.stage)
        let kept = guards
        watch(over: position.stage)
        if isSame { guards = kept }
    }

    private mutating func set(
        _ weights: [Weight],
        _ planned: [Weight],
        _ environment: String,
        _ revision: Int64,
        _ rules: Rules
    ) {
        guard let index = traffic.firstIndex(where: { $0.environment == environment }) else { return }
        traffic[index].weights = weights
        traffic[index].planned = planned
        apply(revision, at: index, rules)
    }

    private mutating func setFlag(_ service: Int, _ enabled: Bool, _ revision: Int64, _ rules: Rules) {
        flags[service] = enabled
        for index in traffic.indices { apply(revision, at: index, rules) }
    }

    /// What routers are told follows from weights and flags; a step whose weight changes has to be acknowledged anew.
    private mutating func apply(_ revision: Int64, at index: Int, _ rules: Rules) {
        let before = traffic[index].effective
        traffic[index].revision = revision
        traffic[index].effective = zip(traffic[index].weights, flags).map { $1 ? $0 : .zero }
        if rules.areStrict, zip(traffic[index].effective, before).contains(where: { $0 < $1 }) {
            traffic[index].loweredAt = revision
        }
        guard var step = phase.step, plan.stages[step.position.stage].environment == traffic[index].environment else {
            return
        }
        if case .recording = step.progress { return }
        step.progress = .shifting
        phase.step = step
    }

    private mutating func beginAnew(_ revision: Int64, _ firstWindow: Int64?, _ commit: Commit) {
        if let evidence = quarantine?.evidence, case .checkpoint = evidence { answered = (answered ?? []) + [evidence] }
        quarantine = nil
        if let firstWindow { nextWindow = firstWindow }
        for index in routers.indices { routers[index].revision = nil }
        for index in traffic.indices {
            apply(revision, at: index, commit.rules)
            if commit.rules.areStrict { traffic[index].loweredAt = revision }
        }
        reopenRollback(commit.decidedAt)
        changeRollback { $0.revision = revision }
    }

    private mutating func reopenRollback(_ at: Timestamp) {
        if case .rolledBack(let rollback) = phase { phase = .rollingBack(rollback: rollback) }
        changeRollback { rollback in
            rollback.acknowledgedAt = nil
            rollback.confirmedAt = nil
            rollback.reopenedAt = at
            rollback.isOverdue = false
        }
    }

    /// Of one that a person retires he says that it serves nobody; the plan, which evicts it, has only heard nothing of it.
    private mutating func retire(_ name: String, _ commit: Commit) {
        let router = routers.first { $0.name == name }
        routers.removeAll { $0.name == name }
        guard commit.rules.areStrict else { return }
        if case .evictRouter = commit.command, let router {
            evicted = (evicted ?? []) + [router]
        } else {
            evicted = evicted?.filter { $0.name != name }.nonEmpty
            hear(name)
        }
    }

    /// A router has the rollback that is in force, or is gone: it is no longer one that has not heard of it.
    private mutating func hear(_ name: String) {
        guard var rollback = phase.rollback, rollback.unheard?.contains(name) ?? false else { return }
        rollback.unheard = rollback.unheard?.filter { $0 != name }.nonEmpty
        phase.rollback = rollback
        if let last = rollbacks.indices.last { rollbacks[last] = rollback }
    }

    private mutating func register(_ router: Router) {
        evicted = evicted?.filter { $0.name != router.name }.nonEmpty
        routers.append(router)
        routers.sort { $0.name < $1.name }
    }

    private mutating func acknowledge(_ name: String, _ revision: Int64, _ at: Timestamp) {
        guard let index = routers.firstIndex(where: { $0.name == name }) else { return }
        routers[index].revision = revision
        routers[index].acknowledgedAt = at
        if let rollback = phase.rollback, revision >= rollback.revision { hear(name) }
    }

    private mutating func acknowledgeStep(_ firstWindow: Int64, _ at: Timestamp) {
        guard var step = phase.step else { return }
        step.progress = .baking(firstWindow: firstWindow, run: 0)
        phase.step = step
        if let last = steps.indices.last { steps[last].acknowledgedAt = at }
    }

    private mutating func judge(_ judgement: Judgement) {
        self.judgement = judgement
        nextWindow = judgement.k &+ 1
        if let stage = judgement.stage, stage == self.stage {
            gates = Self.running(
                gates,
                judgement.criteria,
                plan.criteria(at: stage).map(\.condition),
                judgement.k,
                plan
            )
            let conditions = plan.guards(at: stage).map(\.trigger.condition)
            guards = Self.running(guards, judgement.triggers, conditions, judgement.k, plan)
        }
        if let recorded = judgement.recorded, recorded.count == recording.count {
            recording = zip(recording, recorded).map { $0 + $1 }
        }
        guard var step = phase.step else { return }
        switch step.progress {
        case .shifting: return
        case .recording(let firstWindow, let windows):
            step.progress = .recording(firstWindow: firstWindow, windows: windows + (judgement.recorded == nil ? 0 : 1))
        case .baking(let firstWindow, _): step.progress = .baking(firstWindow: firstWindow, run: judgement.run)
        case .checking(let firstWindow, _, let since):
            step.progress = .checking(firstWindow: firstWindow, run: judgement.run, since: since)
        case .awaitingApproval(let firstWindow, _, let since):
            step.progress = .awaitingApproval(firstWindow: firstWindow, run: judgement.run, since: since)
        }
        phase.step = step
    }

    private static func running(
        _ running: [Running],
        _ judged: [Judged],
        _ conditions: [Condition],
        _ k: Int64,
        _ plan: Plan
    ) -> [Running] {
        guard running.count == judged.count, running.count == conditions.count else { return running }
        return running.indices.map {
            running[$0].adding(judged[$0], of: conditions[$0], k: k, window: plan.window)
        }
    }

    private mutating func beginChecks(_ at: Timestamp) {
        guard var step = phase.step, let bake = step.bake else { return }
        checks = []
        step.progress = .checking(firstWindow: bake.firstWindow, run: bake.run, since: at)
        phase.step = step
    }

    private mutating func awaitApproval(_ at: Timestamp) {
        guard var step = phase.step, let bake = step.bake else { return }
        step.progress = .awaitingApproval(firstWindow: bake.firstWindow, run: bake.run, since: at)
        phase.step = step
    }

    private mutating func end(_ position: Position, _ end: StepRecord.End, _ at: Timestamp) {
        guard let index = steps.lastIndex(where: { $0.position == position }) else { return }
        steps[index].end = end
        steps[index].endedAt = at
    }

    private mutating func halt(_ cause: Halt.Cause, _ reason: String, _ at: Timestamp) {
        switch phase {
        case .running(let step):
            phase = .halted(halt: Halt(cause: cause, reason: reason, since: at, held: .stepping(step: step)))
        case .watching(let watch):
            phase = .halted(halt: Halt(cause: cause, reason: reason, since: at, held: .watching(watch: watch)))
        case .planned, .halted, .rollingBack, .rolledBack, .completed, .abandoned: break
        }
    }

    /// A gate that stood closed when the halt came is given its whole time again, and checks are asked for anew.
    private mutating func resume(_ at: Timestamp) {
        guard case .halted(let halt) = phase else { return }
        switch halt.held {
        case .stepping(var step):
            switch step.progress {
            case .awaitingApproval(let firstWindow, let run, _):
                step.progress = .awaitingApproval(firstWindow: firstWindow, run: run, since: at)
            case .checking(let firstWindow, let run, _): step.progress = .baking(firstWindow: firstWindow, run: run)
            case .recording, .shifting, .baking: break
            }
            step.enteredAt = at
            phase = .running(step: step)
        case .watching(let watch): phase = .watching(watch: watch)
        }
    }

    private mutating func rollBack(_ rollback: Rollback, _ firstWindow: Int64) {
        if let position = rollback.position { end(position, .rolledBack, rollback.decidedAt) }
        nextWindow = firstWindow
        approvals = []
        phase = .rollingBack(rollback: rollback)
        rollbacks.append(rollback)
    }

    private mutating func changeRollback(_ change: (inout Rollback) -> Void) {
        guard case .rollingBack(var rollback) = phase else { return }
        change(&rollback)
        phase = .rollingBack(rollback: rollback)
        if let last = rollbacks.indices.last { rollbacks[last] = rollback }
    }

    private mutating func confirmRollback(_ at: Timestamp) {
        changeRollback { $0.confirmedAt = at }
        guard case .rollingBack(let rollback) = phase else { return }
        switch rollback.outcome {
        case .rolledBack: phase = .rolledBack(rollback: rollback)
        case .abandoned: phase = .abandoned(rollback: rollback)
        }
    }
}

extension Array {
    /// Nil for none.
    fileprivate var nonEmpty: Self? { isEmpty ? nil : self }
}
