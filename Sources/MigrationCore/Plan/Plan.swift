/// A migration as it was planned: frozen in the first commit of its stream, never changed in place.
package struct Plan: Hashable, Codable, Sendable {
    /// The migration's name, which is its stream in the log and part of every bucket.
    package var name: String
    package var services: [Service]
    /// Where a request's key is looked for, in this order.
    package var stickyBy: [StickyKey]
    /// The length of a window of measurements.
    package var window: TimeSpan
    /// How long after its end a window stays open for late measurements.
    package var grace: TimeSpan
    /// For how long legacy is measured before the first step; nil for no baseline.
    package var baseline: TimeSpan?
    package var sources: [Source]
    package var checks: [Check]
    /// In the order in which they are carried out.
    package var stages: [Stage]
    /// What every step must show before it may advance.
    package var criteria: [Criterion]
    /// What takes the traffic back to legacy.
    package var triggers: [Trigger]
    package var freezes: [Freeze]
    /// How long the triggers go on after 100 %, with legacy kept warm.
    package var watch: TimeSpan
    /// How long the whole migration may take.
    package var expires: TimeSpan
    /// After how long an unconfirmed rollback is alarmed.
    package var rollbackLimit: TimeSpan
    /// After how long without a word a router is no longer waited for; nil waits until a person retires it.
    package var evictAfter: TimeSpan?

    package init(
        name: String,
        services: [Service],
        stickyBy: [StickyKey],
        window: TimeSpan,
        grace: TimeSpan,
        baseline: TimeSpan? = nil,
        sources: [Source] = [],
        checks: [Check] = [],
        stages: [Stage],
        criteria: [Criterion],
        triggers: [Trigger],
        freezes: [Freeze] = [],
        watch: TimeSpan,
        expires: TimeSpan,
        rollbackLimit: TimeSpan,
        evictAfter: TimeSpan? = nil
    ) {
        self.name = name
        self.services = services
        self.stickyBy = stickyBy
        self.window = window
        self.grace = grace
        self.baseline = baseline
        self.sources = sources
        self.checks = checks
        self.stages = stages
        self.criteria = criteria
        self.triggers = triggers
        self.freezes = freezes
        self.watch = watch
        self.expires = expires
        self.rollbackLimit = rollbackLimit
        self.evictAfter = evictAfter
    }
}

extension Plan {
    /// The environments of the stages, each once, in the order in which the migration reaches them.
    package var environments: [String] {
        stages.reduce(into: []) { names, stage in
            if !names.contains(stage.environment) { names.append(stage.environment) }
        }
    }

    package var clock: WindowClock { WindowClock(length: window) }

    package func stage(at position: Position) -> Stage { stages[position.stage] }
    package func weight(at position: Position) -> Weight { stages[position.stage].steps[position.step] }

    /// A step as people call it: `production 25 %`.
    package func name(at position: Position) -> String { "\(stage(at: position).name) \(weight(at: position))" }

    /// The step after this one, across stages; nil after the last.
    package func next(after position: Position) -> Position? {
        if position.step + 1 < stages[position.stage].steps.count {
            return Position(stage: position.stage, step: position.step + 1)
        }
        guard position.stage + 1 < stages.count else { return nil }
        return Position(stage: position.stage + 1, step: 0)
    }

    /// The people's gate before the step at this position.
    package func approval(before position: Position) -> Approval? {
        stage(at: position).approvals.first { $0.before == weight(at: position) }
    }

    /// What a step of the stage must show.
    package func criteria(at stage: Int) -> [Criterion] { stages[stage].criteria ?? criteria }

    /// Whether any of them compares with the baseline.
    package func usesBaseline(at stage: Int) -> Bool {
        criteria(at: stage).contains { criterion in
            if case .improved = criterion.condition.test { return true }
            return false
        }
    }

    /// Those of some services that both sides have: what can be compared.
    package func comparable(_ services: [Int]) -> [Int] {
        services.filter { self.services.indices.contains($0) && self.services[$0].isNew != true }
    }

    /// What guards the stage.
    package func triggers(at stage: Int) -> [Trigger] { stages[stage].triggers ?? triggers }

    /// The stage's triggers as they are judged: one that takes back a single service is judged for each one that its environment has.
    package func guards(at stage: Int) -> [Guard] {
        let environment = stages[stage].environment
        let moved = Set(stages.filter { $0.environment == environment }.flatMap(\.services)).sorted()
        return triggers(at: stage).enumerated().flatMap { index, trigger in
            guard trigger.scope == .service else { return [Guard(index: index, trigger: trigger, service: nil)] }
            let watched = trigger.condition.needsLegacy ? comparable(moved) : moved
            return watched.map { Guard(index: index, trigger: trigger, service: $0) }
        }
    }

    /// What a guard watches, in words.
    package func words(_ guarded: Guard) -> String {
        guarded.service.map { "\(services[$0].name): \(guarded.trigger)" } ?? guarded.trigger.description
    }

    /// Whether nothing may advance at the moment.
    package func isFrozen(at moment: Timestamp) -> Bool { freezes.contains { $0.contains(moment) } }
}

/// A trigger on watch over one service, or over all of them together.
package struct Guard: Hashable, Sendable {
    /// The trigger's place among the stage's triggers.
    package var index: Int
    package var trigger: Trigger
    /// The service's place in the plan.
    package var service: Int?

    package init(index: Int, trigger: Trigger, service: Int?) {
        self.index = index
        self.trigger = trigger
        self.service = service
    }
}

/// A place in the plan: the step-th weight of the stage-th stage, both counted from 0.
package struct Position: Hashable, Codable, Sendable {
    package var stage: Int
    package var step: Int

    package init(stage: Int, step: Int) {
        self.stage = stage
        self.step = step
    }
}
