import MigrationCore
import Yams

/// What a stage refers to, and what holds where it says nothing.
struct StageSetting {
    var services: [String]
    var checks: [String]
    var window: TimeSpan
    var defaults: ConditionText.Defaults
}

extension PlanReader {
    /// A stage as it was written, before its place among the others is known.
    private struct Draft {
        var stage: Stage
        /// The stages that it names after `after:`; nil where it just follows the one before it.
        var after: [String]?
        var node: Node
    }

    private static let stageKeys = [
        "name", "environment", "services", "after", "steps", "bake", "approval", "checks", "criteria", "rollback",
        "limit", "then",
    ]

    /// The stages in the order in which they are carried out.
    mutating func stages(_ node: Node, _ setting: StageSetting) -> [Stage] {
        let drafts = sequence(node, "stages", largest: 32).compactMap { draft($0, setting) }
        for name in Dictionary(grouping: drafts, by: \.stage.name).filter({ $0.value.count > 1 }).keys.sorted() {
            report(node, "two stages have the name “\(name)”")
        }
        return ordered(drafts)
    }

    private mutating func draft(_ node: Node, _ setting: StageSetting) -> Draft? {
        let pairs = mapping(
            node,
            "a stage",
            keys: Self.stageKeys,
            required: ["name", "environment", "steps", "bake"]
        )
        let nodes = Dictionary(pairs.map { ($0.0, $0.2) }) { first, _ in first }
        let name = nodes["name"].flatMap { self.name($0, "a stage") }
        let environment = nodes["environment"].flatMap { self.name($0, "an environment") }
        let services = nodes["services"].map { places($0, "services", "service", setting.services) }
        let after = nodes["after"].map { names($0, "after") }
        let steps = nodes["steps"].map { self.steps($0) }
        let bake = nodes["bake"].flatMap { duration($0, "bake") }
        let approvals = nodes["approval"].map { self.approvals($0, steps ?? []) } ?? []
        let checks = nodes["checks"].map { places($0, "checks", "check", setting.checks) } ?? []
        let criteria = nodes["criteria"].map { self.criteria($0, setting.defaults) }
        let triggers = nodes["rollback"].map { self.triggers($0, setting.window, setting.defaults) }
        let limit = nodes["limit"].flatMap { duration($0, "limit") }
        let then = nodes["then"].flatMap { action($0) } ?? .halt
        if steps?.contains(.zero) ?? false, checks.isEmpty, let node = nodes["steps"] {
            report(node, "a step of 0% shows nothing by itself", "give the stage checks, or begin above 0%")
        }
        guard let name, let environment, let steps, let bake else { return nil }
        let stage = Stage(
            name: name,
            environment: environment,
            services: services?.sorted() ?? Array(setting.services.indices),
            steps: steps,
            bake: bake,
            approvals: approvals,
            checks: checks,
            criteria: criteria,
            triggers: triggers,
            limit: limit,
            then: then
        )
        return Draft(stage: stage, after: after, node: node)
    }

    /// One after the other: a stage follows those that it names, or the one that stands before it; else they keep their order.
    private mutating func ordered(_ drafts: [Draft]) -> [Stage] {
        let names = drafts.map(\.stage.name)
        var waiting: [(Draft, Set<String>)] = []
        for (index, draft) in drafts.enumerated() {
            let before = draft.after ?? (index > 0 ? [names[index - 1]] : [])
            for name in before where !names.contains(name) {
                report(
                    draft.node,
                    "\(draft.stage.name) comes after “\(name)”, and there is no such stage",
                    Suggestion.mend(name, among: names)
                )
            }
            waiting.append((draft, Set(before.filter(names.contains))))
        }
        var stages: [Stage] = []
        while !waiting.isEmpty {
            let done = Set(stages.map(\.name))
            guard let index = waiting.firstIndex(where: { $0.1.isSubset(of: done) }) else {
                let circle = waiting.map {
                    "\($0.0.stage.name) after \($0.1.subtracting(done).sorted().joined(separator: ", "))"
                }
                report(
                    waiting[0].0.node,
                    "these stages wait for each other: \(circle.joined(separator: "; "))",
                    "take one of the names out of after"
                )
                return stages + waiting.map(\.0.stage)
            }
            stages.append(waiting.remove(at: index).0.stage)
        }
        return stages
    }

    private mutating func steps(_ node: Node) -> [Weight] {
        let steps = sequence(node, "steps", largest: 100).compactMap { weight($0, "a step") }
        for (before, after) in zip(steps, steps.dropFirst()) where after <= before {
            report(node, "the step \(after) follows \(before)", "a stage's weights rise; the way back is a rollback")
            break
        }
        return steps
    }

    private mutating func names(_ node: Node, _ what: String) -> [String] {
        guard case .sequence(let items) = node else { return text(node, what).map { [$0] } ?? [] }
        // After nothing: it may come first.
        if items.isEmpty { return [] }
        return sequence(node, what, largest: 64).compactMap { text($0, what) }
    }

    /// Names of things that the plan has, as their places, each once.
    private mutating func places(_ node: Node, _ what: String, _ one: String, _ known: [String]) -> [Int] {
        var places: [Int] = []
        for item in sequence(node, what, largest: 64) {
            guard let name = text(item, "a \(one)") else { continue }
            guard let place = known.firstIndex(of: name) else {
                report(item, "there is no \(one) “\(name.prefix(40))”", Suggestion.mend(name, among: known))
                continue
            }
            if places.contains(place) { report(item, "\(name) stands here twice", "keep one of the two") }
            places.append(place)
        }
        return places
    }
}
