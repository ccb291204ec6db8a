import MigrationCore
import Yams

extension Plan {
    /// Whether a condition is about the metric.
    fileprivate func uses(_ metric: Metric) -> Bool {
        let criteria = criteria + stages.flatMap { $0.criteria ?? [] }
        let triggers = triggers + stages.flatMap { $0.triggers ?? [] }
        return (criteria.map(\.condition) + triggers.map(\.condition)).contains { $0.metric == metric }
    }
}

extension PlanReader {
    /// What can only be seen on the whole plan.
    mutating func check(_ plan: Plan, _ nodes: [String: Node]) {
        var items: [String: Node] = [:]
        if let list = nodes["stages"], case .sequence(let sequence) = list {
            for item in sequence { if let name = item["name"]?.string { items[name] = item } }
        }
        for (index, stage) in plan.stages.enumerated() {
            guard let node = items[stage.name] else { continue }
            check(stage, plan.triggers(at: index), node)
            check(plan.criteria(at: index), plan.triggers(at: index), node)
            check(baseline: plan, index, node)
            check(weights: plan, index, node)
            check(comparisons: plan, index, node)
        }
        if plan.expires <= plan.watch, let node = nodes["expires"] {
            report(node, "the plan expires before its watch can end")
        }
        if plan.baseline != nil, let node = nodes["baseline"] {
            let isUsed = plan.stages.indices.contains { plan.usesBaseline(at: $0) }
            if !isUsed {
                report(node, "no criterion compares with the baseline", "add: timeout_rate improved by 87% on baseline")
            }
        }
        for source in plan.sources where !plan.uses(source.metric) {
            if let node = nodes["sources"] {
                report(node, "no condition asks for \(source.name)", "use it, or leave it out")
            }
        }
        let moved = Set(plan.stages.flatMap(\.services))
        for (index, service) in plan.services.enumerated() where !moved.contains(index) {
            if let node = nodes["services"] {
                report(node, "no stage moves \(service.name)", "name it among the services of a stage")
            }
        }
    }

    /// A bake that ends before a trigger could have fired lets a step pass unguarded.
    private mutating func check(_ stage: Stage, _ triggers: [Trigger], _ node: Node) {
        let longest = triggers.map(\.duration).max() ?? .zero
        if stage.bake < longest {
            report(
                node,
                "the bake of \(stage.name), \(stage.bake), is shorter than the longest trigger, \(longest)",
                "bake for \(longest) or longer, or shorten the trigger"
            )
        }
        if let limit = stage.limit, limit <= stage.bake {
            report(node, "the limit of \(stage.name), \(limit), is over before its bake of \(stage.bake)")
        }
    }

    /// A trigger that is stricter than the criterion of the same metric takes back what the criterion would let advance.
    private mutating func check(_ criteria: [Criterion], _ triggers: [Trigger], _ node: Node) {
        for trigger in triggers {
            guard case .threshold(let side, let limit) = trigger.condition.test else { continue }
            for criterion in criteria where criterion.condition.metric == trigger.condition.metric {
                guard case .threshold(let good, let bound) = criterion.condition.test, good != side else { continue }
                if side == .above ? limit < bound : limit > bound {
                    report(
                        node,
                        "the trigger “\(trigger)” is stricter than the criterion “\(criterion)”",
                        "a trigger lies at or beyond the criterion: what may advance must not roll back"
                    )
                }
            }
        }
    }

    private mutating func check(baseline plan: Plan, _ index: Int, _ node: Node) {
        for criterion in plan.criteria(at: index) {
            guard case .improved = criterion.condition.test, plan.baseline == nil else { continue }
            report(node, "“\(criterion)” needs a baseline", "add to the plan: baseline: record 10m")
        }
    }

    /// A new service is judged without legacy; and where everything that a condition looks at is new, there is nothing to compare.
    private mutating func check(comparisons plan: Plan, _ index: Int, _ node: Node) {
        let stage = plan.stages[index], criteria = plan.criteria(at: index), triggers = plan.triggers(at: index)
        if plan.comparable(stage.services).isEmpty {
            for criterion in criteria where criterion.condition.needsLegacy {
                report(
                    node,
                    "“\(criterion)” compares with legacy, which has none of the services of \(stage.name)",
                    "give the stage criteria of its own that do not"
                )
            }
        }
        let moved = plan.stages.filter { $0.environment == stage.environment }.flatMap(\.services)
        if plan.comparable(moved).isEmpty {
            for trigger in triggers where trigger.condition.needsLegacy {
                report(
                    node,
                    "“\(trigger)” compares with legacy, which has none of the services that \(stage.environment) moves",
                    "give the stage triggers of its own that do not"
                )
            }
        }
        guard let new = stage.services.first(where: { plan.services[$0].isNew == true }) else { return }
        func isJudged(_ conditions: [Condition]) -> Bool {
            conditions.contains { !$0.needsLegacy && $0.metric.needsTraffic }
        }
        if !isJudged(criteria.map(\.condition)) {
            report(
                node,
                "no criterion of \(stage.name) looks at \(plan.services[new].name), which is new",
                "add: error_rate < 2%"
            )
        }
        if !isJudged(triggers.map(\.condition)) {
            report(
                node,
                "no trigger of \(stage.name) looks at \(plan.services[new].name), which is new",
                "add: error_rate > 5% for 1m"
            )
        }
    }

    /// Weights of a service rise from stage to stage of an environment: what goes back is a rollback.
    private mutating func check(weights plan: Plan, _ index: Int, _ node: Node) {
        let stage = plan.stages[index]
        for earlier in plan.stages[..<index] where earlier.environment == stage.environment {
            let both = Set(earlier.services).intersection(stage.services).sorted()
            guard let service = both.first, let last = earlier.steps.last, let first = stage.steps.first, first < last
            else { continue }
            report(
                node,
                "\(stage.name) takes \(plan.services[service].name) from \(last) in \(earlier.name) back to \(first)",
                "let its steps begin at \(last) or above, or move other services"
            )
        }
    }
}
