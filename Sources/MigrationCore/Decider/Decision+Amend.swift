extension Decision {
    /// Another plan for what has not been done yet. What traffic rests on stays as it is, and so does every step that was entered.
    func amend(_ new: Plan, _ hash: String) throws(Refusal) -> [Event] {
        [.planAmended(amendment: try amendment(to: new, hash))]
    }

    /// - Throws: a ``Refusal`` for a plan that cannot take this one's place.
    func amendment(to new: Plan, _ hash: String) throws(Refusal) -> Amendment {
        try requireAmendable()
        guard new != plan else { throw Refusal(.wrongState, "that is the plan of \(plan.name) already") }
        guard new.isSound else { throw Refusal(.blocked, "that is no plan that can be carried out") }
        try requireSameTraffic(new)
        let reached = reached
        if let reached { try requireSameSteps(new, upTo: reached) }
        try requireSameBaseline(new)
        let stage = migration.stage < new.stages.count ? migration.stage : 0
        return amendment(to: new, hash, stage: stage, reached)
    }

    private func requireAmendable() throws(Refusal) {
        switch migration.phase {
        case .planned, .running, .halted, .watching, .rolledBack: return
        case .rollingBack:
            throw Refusal(.blocked, "\(plan.name) is rolling back", mend: "amend it once the rollback is confirmed")
        case .completed, .abandoned: try requireNotOver()
        }
    }

    /// The last step that was entered; nil before the start.
    private var reached: Position? {
        [migration.phase.step?.position, migration.phase.rollback?.position, migration.steps.last?.position]
            .compactMap(\.self).max { ($0.stage, $0.step) < ($1.stage, $1.step) }
    }

    /// The watch under way, also while halted.
    private var watch: Watch? {
        switch migration.phase {
        case .watching(let watch): return watch
        case .halted(let halt):
            if case .watching(let watch) = halt.held { return watch }
            return nil
        case .planned, .running, .rollingBack, .rolledBack, .completed, .abandoned: return nil
        }
    }

    private func requireSameTraffic(_ new: Plan) throws(Refusal) {
        let mend = "create a new migration for that"
        func same(_ isSame: Bool, _ what: String) throws(Refusal) {
            guard isSame else { throw Refusal(.blocked, "\(what) cannot be amended", mend: mend) }
        }
        try same(new.name == plan.name, "the name")
        try same(new.services == plan.services, "services and their addresses")
        try same(new.stickyBy == plan.stickyBy, "sticky_by")
        try same(new.window == plan.window, "the window")
        try same(new.grace == plan.grace, "the grace")
        try same(new.environments == plan.environments, "the list of environments")
    }

    private func requireSameSteps(_ new: Plan, upTo reached: Position) throws(Refusal) {
        for (index, stage) in plan.stages.enumerated() where index <= reached.stage {
            let kept = index < reached.stage ? stage.steps : Array(stage.steps.prefix(reached.step + 1))
            guard new.stages.indices.contains(index), new.stages[index].name == stage.name,
                new.stages[index].environment == stage.environment, new.stages[index].services == stage.services,
                Array(new.stages[index].steps.prefix(kept.count)) == kept,
                index == reached.stage || new.stages[index].steps.count == kept.count
            else {
                throw Refusal(
                    .blocked,
                    "\(stage.name) has been entered, and its services and steps up to \(name(reached)) stay",
                    mend: "amend only what comes after it"
                )
            }
        }
        if watch != nil, new.next(after: reached) != nil {
            throw Refusal(.blocked, "\(plan.name) is at 100 % and watched: no step comes after it any more")
        }
    }

    /// What was recorded before the first step cannot be recorded again.
    private func requireSameBaseline(_ new: Plan) throws(Refusal) {
        if case .planned = migration.phase { return }
        guard new.baseline == plan.baseline else { throw Refusal(.blocked, "the baseline cannot be amended any more") }
        guard plan.baseline != nil else { return }
        let shape = { (plan: Plan) in plan.stages.map { [$0.name, $0.environment] + $0.services.map { "\($0)" } } }
        guard shape(new) == shape(plan) else {
            throw Refusal(.blocked, "stages cannot be amended any more: the baseline was recorded for these")
        }
        if case .recording = migration.phase.step?.progress { return }
        for (index, stage) in new.stages.enumerated() {
            for criterion in new.criteria(at: index) {
                guard case .improved = criterion.condition.test,
                    migration.baseline(criterion.condition.metric, at: index) == nil
                else { continue }
                throw Refusal(
                    .blocked,
                    "no baseline of \(criterion.condition.metric.name) was recorded for \(stage.name)",
                    mend: "compare only what was compared from the beginning"
                )
            }
        }
    }

    /// For each guard the one that it continues: the very same, or else one that judges like it and that no other continues.
    private static func places(of new: [Guard], in old: [Guard]) -> [Int?] {
        var taken: Set<Int> = []
        var places = new.map { guarded in
            old.indices.first { index in
                old[index].service == guarded.service && old[index].trigger == guarded.trigger
                    && taken.insert(index).inserted
            }
        }
        for (number, guarded) in new.enumerated() where places[number] == nil {
            places[number] = old.indices.first { index in
                old[index].service == guarded.service && old[index].trigger.judges(like: guarded.trigger)
                    && taken.insert(index).inserted
            }
        }
        return places
    }

    /// What the checks of the step have said, by their places in the new plan.
    private func results(_ new: Plan, _ reached: Position?) -> [CheckResult] {
        guard let reached else { return [] }
        let places = zip(plan.stage(at: reached).checks, new.stage(at: reached).checks)
        return migration.checks.compactMap { result in
            guard let place = places.first(where: { $0.0 == result.check })?.1 else { return nil }
            var moved = result
            moved.check = place
            return moved
        }
    }

    private func amendment(to new: Plan, _ hash: String, stage: Int, _ reached: Position?) -> Amendment {
        let criteria = (old: plan.criteria(at: migration.stage), new: new.criteria(at: stage))
        let guards = (old: plan.guards(at: migration.stage), new: new.guards(at: stage))
        // A condition goes on where it was; one with another threshold is another one (2-analysis.md, case 24).
        let gates = criteria.new.map { criterion in
            criteria.old.firstIndex { $0.condition == criterion.condition }
        }
        let watches = Self.places(of: guards.new, in: guards.old)
        let approvals = migration.approvals.filter { given in
            new.contains(given.position) && plan.stage(at: given.position).name == new.stage(at: given.position).name
                && plan.weight(at: given.position) == new.weight(at: given.position)
                && new.approval(before: given.position).map { $0.of?.contains(given.by) ?? true } ?? false
        }
        let checks = { (plan: Plan) in reached.map { plan.stage(at: $0).checks.map { plan.checks[$0] } } ?? [] }
        return Amendment(
            plan: new,
            hash: hash,
            stage: stage,
            gates: gates,
            guards: watches,
            approvals: approvals,
            bakesAnew: criteria.old != criteria.new,
            checksAnew: checks(plan) != checks(new),
            checks: checks(plan) == checks(new) ? results(new, reached) : [],
            watchUntil: watch.map { $0.since + new.watch },
            hasExpired: migration.hasExpired && at >= migration.plannedAt + new.expires
        )
    }
}

extension Trigger {
    /// Whether the same windows give the same verdicts, however long they must last.
    fileprivate func judges(like other: Trigger) -> Bool {
        condition == other.condition && exit == other.exit && minimum == other.minimum && missing == other.missing
    }
}
