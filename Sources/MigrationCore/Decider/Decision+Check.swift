extension Decision {
    /// A check of the current step has passed or failed.
    ///
    /// - Parameter since: for which asking a worker ran it; one that was run for an earlier asking says nothing of this one.
    func report(_ name: String, isPassed: Bool, _ detail: String, _ since: Timestamp?) throws(Refusal) -> [Event] {
        try requireNotOver()
        guard let check = plan.checks.firstIndex(where: { $0.name == name }) else {
            throw unknown("check", name, plan.checks.map(\.name))
        }
        guard let step = migration.phase.step, case .checking(_, _, let asked) = step.progress, since ?? asked == asked,
            plan.stage(at: step.position).checks.contains(check)
        else {
            throw Refusal(.stale, "\(plan.name) is not waiting for the check \(name)")
        }
        if actor.hasPrefix(Command.workerPrefix), plan.checks[check].how == .reported || since == nil {
            throw Refusal(.notAllowed, "\(actor) is a worker, and did not run the check \(name)")
        }
        if let given = migration.checks.first(where: { $0.check == check }), given.isPassed == isPassed {
            throw Refusal(
                .stale,
                "\(given.by) has already said that the check \(name) \(isPassed ? "passed" : "failed")"
            )
        }
        let result = CheckResult(check: check, isPassed: isPassed, detail: detail, by: actor, at: at)
        let reported = Event.checkReported(result: result)
        guard case .running = migration.phase else { return [reported] }
        if !isPassed {
            let why = "the check \(name) failed" + (detail.isEmpty ? "" : ": \(detail)")
            return [reported] + act(plan.checks[check].then, .checkFailed, why)
        }
        let results = migration.checks.filter { $0.check != check } + [result]
        return [reported] + proceed(from: step, criteria: migration.judgement?.criteria ?? [], results: results)
    }

    /// What the plan says about a gate that stays closed.
    func act(_ action: GateAction, _ cause: Halt.Cause, _ reason: String) -> [Event] {
        switch action {
        case .halt: [.halted(cause: cause, reason: reason)]
        case .rollBack: rollBack(.gate(reason: reason), .rolledBack, wholeParts)
        }
    }
}
