import MigrationCore
import Randomness

/// People who mostly do what is to be done, and sometimes whatever comes to their minds.
struct Operators: Crew {
    let window: TimeSpan
    /// How often somebody looks.
    let every: TimeSpan

    func nextGlance(_ random: inout SplitMix) -> TimeSpan {
        TimeSpan(rawValue: Int64.random(in: (every.rawValue / 2)...(every.rawValue * 3 / 2), using: &random))
    }

    /// Some pass, some fail, some never say anything.
    func result(of check: Check, _ isFair: Bool, _ random: inout SplitMix) -> (isPassed: Bool, after: TimeSpan)? {
        guard isFair || random.unit() < 0.9 else { return nil }
        return (isFair || random.unit() < 0.9, .seconds(Int64.random(in: 1...400, using: &random)))
    }

    func next(after migration: Migration, _ random: inout SplitMix) -> Plan? {
        switch migration.phase {
        case .completed, .abandoned: break
        case .rolledBack(let rollback):
            guard migration.quarantine == nil else { return nil }
            // One that nobody may restart any more is over too.
            guard rollback.isWhole, migration.hasExpired || random.unit() < 0.3 else { return nil }
        case .planned, .running, .halted, .watching, .rollingBack: return nil
        }
        let number = (Int(migration.plan.name.dropFirst()) ?? 0) + 100
        return RandomPlan.make(number, window: window, &random)
    }

    func act(
        on migration: Migration,
        absent: [String],
        at: Timestamp,
        isFair: Bool,
        _ random: inout SplitMix
    ) -> [PersonsCommand] {
        func often(_ probability: Double) -> Bool { isFair || random.unit() < probability }
        var commands: [Command] = []
        if migration.quarantine != nil {
            if !isFair, random.unit() < 0.3 { commands.append(.rollBack(reason: "the log is behind")) }
            if often(0.6) { commands.append(.declareRewound(reason: "failover")) }
            return commands.map { PersonsCommand(command: $0, actor: "ana") }
        }
        if !isFair {
            for router in absent where random.unit() < 0.15 {
                commands.append(.retireRouter(router: router, reason: "gone"))
            }
        }
        switch migration.phase {
        case .planned: if often(0.8) { commands.append(.start(reason: nil)) }
        case .running(let step): commands += open(migration, step, often)
        case .halted:
            commands.append(isFair || random.unit() < 0.8 ? .resume(reason: "go on") : .rollBack(reason: "enough"))
        case .rolledBack: commands.append(often(0.7) ? .restart(reason: "mended") : .abandon(reason: "no more"))
        case .watching, .rollingBack, .completed, .abandoned: break
        }
        if let hand = byHand(migration), often(0.4) { commands.append(hand) }
        let given = commands.map { PersonsCommand(command: $0, actor: "ana") } + approvals(migration, &random)
        return isFair || random.unit() > 0.08 ? given : given + [whim(migration, &random)]
    }

    /// What opens the gates of the step under way.
    private func open(_ migration: Migration, _ step: Step, _ often: (Double) -> Bool) -> [Command] {
        guard case .checking = step.progress else { return [] }
        return migration.plan.stage(at: step.position).checks.compactMap { check in
            guard migration.plan.checks[check].how == .reported, often(0.6) else { return nil }
            return .reportCheck(check: migration.plan.checks[check].name, isPassed: often(0.85), detail: "")
        }
    }

    private func approvals(_ migration: Migration, _ random: inout SplitMix) -> [PersonsCommand] {
        let next: Position?
        switch migration.phase {
        case .planned: next = Position(stage: 0, step: 0)
        case .running(let step): next = migration.plan.next(after: step.position)
        case .halted, .watching, .rollingBack, .rolledBack, .completed, .abandoned: next = nil
        }
        guard let next, migration.plan.approval(before: next) != nil else { return [] }
        let command = Command.approve(
            stage: migration.plan.stage(at: next).name,
            step: migration.plan.weight(at: next),
            reason: nil
        )
        let given = migration.approvals(of: next)
        // Somebody tries who may not.
        if random.unit() < 0.03 { return [PersonsCommand(command: command, actor: "eve")] }
        return RandomPlan.people.filter { !given.contains($0) && random.unit() < 0.7 }.map {
            PersonsCommand(command: command, actor: $0)
        }
    }

    /// What somebody has set by hand is put back.
    private func byHand(_ migration: Migration) -> Command? {
        if let flag = migration.flags.firstIndex(of: false) {
            return .setFlag(service: migration.plan.services[flag].name, enabled: true, reason: "again")
        }
        guard let step = migration.phase.step?.position,
            let traffic = migration.traffic(in: migration.plan.stage(at: step).environment),
            let service = traffic.weights.indices.first(where: { traffic.weights[$0] != traffic.planned[$0] })
        else { return nil }
        return .setWeight(
            weight: traffic.planned[service],
            service: migration.plan.services[service].name,
            environment: traffic.environment,
            reason: "as planned"
        )
    }

    /// The plan with something else in it, which may or may not be accepted.
    private func amended(_ plan: Plan, _ random: inout SplitMix) -> Plan {
        var plan = plan
        plan.expires = plan.expires + .hours(1)
        let last = plan.stages.count - 1
        switch Int.random(in: 0..<7, using: &random) {
        case 0:
            let threshold = Int.random(in: 15...25, using: &random) * 1_000
            plan.criteria[0].condition.test = .threshold(side: .below, value: threshold)
        case 1: plan.watch = plan.watch + plan.window
        case 2:
            var twin = plan.triggers[0]
            twin.maxGap = twin.maxGap + plan.window
            if plan.triggers.count < 5 { plan.triggers.append(twin) }
        case 3:
            // Every check moves by one place.
            guard plan.checks.count < 4 else { break }
            plan.checks.insert(Check(name: "extra\(plan.checks.count)", how: .reported, timeout: .hours(2)), at: 0)
            for stage in plan.stages.indices { plan.stages[stage].checks = plan.stages[stage].checks.map { $0 + 1 } }
            plan.stages[last].checks.append(0)
        case 4:
            guard let most = Weight(rawValue: 7_500), !plan.stages[last].steps.contains(most) else { break }
            plan.stages[last].steps.insert(most, at: plan.stages[last].steps.count - 1)
            plan.stages[last].steps.sort()
        case 5:
            var more = plan.stages[last]
            more.name = "more\(plan.stages.count)"
            more.steps = [.all]
            if plan.stages.count < 6 { plan.stages.append(more) }
        default: plan.stages[last].bake = plan.stages[last].bake + plan.window
        }
        return plan
    }

    /// The plan with a first trigger that takes one bad window.
    private func stricter(_ plan: Plan) -> Plan {
        var plan = plan
        for stage in plan.stages.indices { plan.stages[stage].triggers?[0].duration = plan.window }
        plan.triggers[0].duration = plan.window
        return plan
    }

    /// Anything that anybody might try.
    private func whim(_ migration: Migration, _ random: inout SplitMix) -> PersonsCommand {
        let plan = migration.plan
        let service = plan.services.randomElement(using: &random)?.name
        let stage = plan.stages.randomElement(using: &random)
        let weight = [Weight.zero, .all, Weight(rawValue: 3_300) ?? .zero].randomElement(using: &random) ?? .zero
        let step = stage?.steps.randomElement(using: &random) ?? .all
        let amended = amended(plan, &random)
        let commands: [Command] = [
            .halt(reason: "wait"), .rollBack(reason: "it looks bad"),
            .rollBack(reason: "this one", services: service.map { [$0] }),
            .setWeight(weight: weight, service: service, environment: nil, reason: "a little"),
            .setFlag(service: service, enabled: false, reason: "off"),
            .skip(stage: stage?.name ?? "", step: step, reason: "in a hurry"),
            .approve(stage: stage?.name ?? "", step: step, reason: nil), .abandon(reason: "no more"),
            .restart(reason: "again"), .start(reason: nil), .resume(reason: "go on"), .declareRewound(reason: "?"),
            .amend(plan: amended, hash: "amended", reason: "closer"),
            .beginShadow(plan: amended, hash: "shadow", reason: "what would it do?"),
            .beginShadow(plan: stricter(plan), hash: "stricter", reason: "would it be too strict?"),
            .endShadow(reason: "seen enough"), .redact(texts: ["text:0"], reason: "a name"),
            .reportCheck(check: "e2e", isPassed: false, detail: ""),
            .retireRouter(router: "production-1", reason: "gone"),
        ]
        let actor = ["ana", "ben", "eve", "worker:w1"].randomElement(using: &random) ?? "ana"
        // At the step that is under way a skip fits.
        if random.unit() < 0.15, let current = migration.phase.step?.position {
            let command = Command.skip(stage: plan.stage(at: current).name, step: plan.weight(at: current), reason: "s")
            return PersonsCommand(command: command, actor: "ana")
        }
        return PersonsCommand(command: commands.randomElement(using: &random) ?? .tick, actor: actor)
    }
}
