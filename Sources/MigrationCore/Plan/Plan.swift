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
    package var stages: [Stage]
    /// What every step must show before it may advance.
    package var criteria: [Criterion]
    /// What takes the traffic back to legacy.
    package var triggers: [Trigger]
    /// How long the triggers go on after 100 %, with legacy kept warm.
    package var watch: TimeSpan
    /// How long the whole migration may take.
    package var expires: TimeSpan
    /// After how long an unconfirmed rollback is alarmed.
    package var rollbackLimit: TimeSpan

    package init(
        name: String,
        services: [Service],
        stickyBy: [StickyKey],
        window: TimeSpan,
        grace: TimeSpan,
        stages: [Stage],
        criteria: [Criterion],
        triggers: [Trigger],
        watch: TimeSpan,
        expires: TimeSpan,
        rollbackLimit: TimeSpan
    ) {
        self.name = name
        self.services = services
        self.stickyBy = stickyBy
        self.window = window
        self.grace = grace
        self.stages = stages
        self.criteria = criteria
        self.triggers = triggers
        self.watch = watch
        self.expires = expires
        self.rollbackLimit = rollbackLimit
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

    /// The step after this one, across stages; nil after the last.
    package func next(after position: Position) -> Position? {
        if position.step + 1 < stages[position.stage].steps.count {
            return Position(stage: position.stage, step: position.step + 1)
        }
        guard position.stage + 1 < stages.count else { return nil }
        return Position(stage: position.stage + 1, step: 0)
    }

    /// How many different people must approve before the step at this position may begin.
    package func approvalsNeeded(before position: Position) -> Int {
        guard let approval = stage(at: position).approval, approval.before == weight(at: position) else { return 0 }
        return approval.by
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
