import MigrationCore
import Yams

extension PlanReader {
    private static let planKeys = [
        "migration", "services", "sticky_by", "window", "grace", "minimum_samples", "stages", "criteria", "rollback",
        "watch", "expires",
        "rollback_limit",
    ]
    private static let required = [
        "migration", "services", "sticky_by", "window", "stages", "criteria", "rollback", "watch", "expires",
    ]

    /// The whole plan; nil when something stood in the way, which is then among the problems.
    mutating func plan(_ root: Node) -> Plan? {
        let pairs = mapping(root, "a plan", keys: Self.planKeys, required: Self.required)
        let nodes = Dictionary(pairs.map { ($0.0, $0.2) }) { first, _ in first }
        let name = nodes["migration"].flatMap { self.name($0, "a migration") }
        let window = nodes["window"].flatMap { duration($0, "window", atLeast: .milliseconds(100)) }
        let defaults = ConditionText.Defaults(
            minimum: nodes["minimum_samples"].flatMap { count($0, "minimum_samples", 1...1_000_000) } ?? 1
        )
        let services = nodes["services"].map { self.services($0) } ?? []
        let sticky = nodes["sticky_by"].map { stickyKeys($0) } ?? []
        let stages = nodes["stages"].map { self.stages($0) } ?? []
        let criteria = nodes["criteria"].map { self.criteria($0, defaults) } ?? []
        let triggers = nodes["rollback"].map { self.triggers($0, window ?? .seconds(10), defaults) } ?? []
        let watch = nodes["watch"].flatMap { duration($0, "watch") }
        let expires = nodes["expires"].flatMap { duration($0, "expires") }
        let grace = nodes["grace"].flatMap { duration($0, "grace") } ?? window
        let limit = nodes["rollback_limit"].flatMap { duration($0, "rollback_limit") } ?? .minutes(1)
        guard problems.isEmpty, let name, let window, let grace, let watch, let expires else { return nil }
        let plan = Plan(
            name: name,
            services: services,
            stickyBy: sticky,
            window: window,
            grace: grace,
            stages: stages,
            criteria: criteria,
            triggers: triggers,
            watch: watch,
            expires: expires,
            rollbackLimit: limit
        )
        check(plan, nodes)
        return problems.isEmpty ? plan : nil
    }

    private mutating func services(_ node: Node) -> [Service] {
        let pairs = mapping(node, "services", keys: nil)
        if pairs.isEmpty {
            report(node, "services is empty", "name at least one service with its legacy and candidate addresses")
        }
        if pairs.count > 64 { report(node, "services has more than 64 entries") }
        let services = pairs.compactMap { service($0.1, $0.2) }
        let paths = Dictionary(grouping: services, by: \.path).filter { $0.value.count > 1 }.keys.sorted()
        for path in paths { report(node, "two services have the path \(path)") }
        return services
    }

    private mutating func service(_ key: Node, _ node: Node) -> Service? {
        let pairs = mapping(
            node,
            "a service",
            keys: ["legacy", "candidate", "path", "timeout"],
            required: ["legacy", "candidate"]
        )
        let nodes = Dictionary(pairs.map { ($0.0, $0.2) }) { first, _ in first }
        let name = name(key, "a service")
        let legacy = nodes["legacy"].flatMap { address($0) }
        let candidate = nodes["candidate"].flatMap { address($0) }
        let timeout = nodes["timeout"].map { duration($0, "timeout") } ?? .seconds(60)
        let path = nodes["path"].map { self.path($0) } ?? name.map { "/" + $0 }
        guard let name, let legacy, let candidate, let timeout, let path else { return nil }
        return Service(name: name, path: path, legacy: legacy, candidate: candidate, timeout: timeout)
    }

    private mutating func path(_ node: Node) -> String? {
        guard let text = text(node, "path") else { return nil }
        guard text.hasPrefix("/"), text.allSatisfy({ $0.isASCII && !$0.isWhitespace && $0 != "?" && $0 != "#" }) else {
            report(node, "a path begins with / and has no query")
            return nil
        }
        return text
    }

    private mutating func address(_ node: Node) -> String? {
        guard let text = text(node, "an address") else { return nil }
        guard Address(text) != nil else {
            report(node, "“\(text.prefix(80))” is not an address", "write http://host:port")
            return nil
        }
        return text
    }

    private mutating func stickyKeys(_ node: Node) -> [StickyKey] {
        sequence(node, "sticky_by", largest: 16).compactMap { item -> StickyKey? in
            guard let text = text(item, "an entry of sticky_by") else { return nil }
            let parts = text.split(separator: ":", maxSplits: 1).map(String.init)
            switch (parts.first, parts.count) {
            case ("header", 2): return .header(name: parts[1].lowercased())
            case ("cookie", 2): return .cookie(name: parts[1])
            case ("client_ip", 1): return .clientIP
            default:
                report(
                    item,
                    "“\(text.prefix(40))” is not a place for a key",
                    "use header:NAME, cookie:NAME or client_ip"
                )
                return nil
            }
        }
    }

    private mutating func stages(_ node: Node) -> [Stage] {
        let items = sequence(node, "stages", largest: 32)
        let stages = items.compactMap { stage($0) }
        for name in Dictionary(grouping: stages, by: \.name).filter({ $0.value.count > 1 }).keys.sorted() {
            report(node, "two stages have the name “\(name)”")
        }
        return stages
    }

    private mutating func stage(_ node: Node) -> Stage? {
        let keys = ["name", "environment", "steps", "bake", "approval"]
        let pairs = mapping(node, "a stage", keys: keys, required: ["name", "environment", "steps", "bake"])
        let nodes = Dictionary(pairs.map { ($0.0, $0.2) }) { first, _ in first }
        let name = nodes["name"].flatMap { self.name($0, "a stage") }
        let environment = nodes["environment"].flatMap { self.name($0, "an environment") }
        let steps = nodes["steps"].map { self.steps($0) }
        let bake = nodes["bake"].flatMap { duration($0, "bake") }
        let approval = nodes["approval"].flatMap { self.approval($0, steps ?? []) }
        if let steps, Set(steps).count != steps.count, let node = nodes["steps"] {
            report(node, "a stage has each weight once")
        }
        guard let name, let environment, let steps, let bake else { return nil }
        return Stage(name: name, environment: environment, steps: steps, bake: bake, approval: approval)
    }

    private mutating func steps(_ node: Node) -> [Weight] {
        sequence(node, "steps", largest: 100).compactMap { weight($0, "a step") }
    }

    private mutating func approval(_ node: Node, _ steps: [Weight]) -> Approval? {
        let pairs = mapping(node, "an approval", keys: ["before", "by", "timeout"], required: ["before", "by"])
        let nodes = Dictionary(pairs.map { ($0.0, $0.2) }) { first, _ in first }
        let before = nodes["before"].flatMap { weight($0, "before") }
        let by = nodes["by"].flatMap { count($0, "by", 1...100) }
        let timeout = nodes["timeout"].map { duration($0, "timeout") } ?? .days(7)
        if let before, let node = nodes["before"], !steps.contains(before) {
            report(node, "\(before) is not a step of this stage")
        }
        guard let before, let by, let timeout else { return nil }
        return Approval(before: before, by: by, timeout: timeout)
    }

    private mutating func criteria(_ node: Node, _ defaults: ConditionText.Defaults) -> [Criterion] {
        sequence(node, "criteria", largest: 64).compactMap { criterion($0, defaults) }
    }

    private mutating func criterion(_ node: Node, _ defaults: ConditionText.Defaults) -> Criterion? {
        guard let text = text(node, "a criterion") else { return nil }
        do {
            return try ConditionText.criterion(text, defaults: defaults)
        } catch {
            report(node, error.message, error.mend, offset: error.offset)
            return nil
        }
    }

    private mutating func triggers(_ node: Node, _ window: TimeSpan, _ defaults: ConditionText.Defaults) -> [Trigger] {
        sequence(node, "rollback", largest: 64).compactMap { trigger($0, window, defaults) }
    }

    private mutating func trigger(_ node: Node, _ window: TimeSpan, _ defaults: ConditionText.Defaults) -> Trigger? {
        guard let text = text(node, "a trigger") else { return nil }
        do {
            return try ConditionText.trigger(text, window: window, defaults: defaults)
        } catch {
            report(node, error.message, error.mend, offset: error.offset)
            return nil
        }
    }

    /// What can only be seen on the whole: a bake that ends before a trigger could have fired lets a step pass unguarded.
    private mutating func check(_ plan: Plan, _ nodes: [String: Node]) {
        let longest = plan.triggers.map(\.duration).max() ?? .zero
        for (index, stage) in plan.stages.enumerated() where stage.bake < longest {
            guard let list = nodes["stages"], case .sequence(let items) = list else { continue }
            report(
                items[index],
                "the bake of \(stage.name), \(stage.bake), is shorter than the longest trigger, \(longest)",
                "bake for \(longest) or longer, or shorten the trigger"
            )
        }
        if plan.expires <= plan.watch, let node = nodes["expires"] {
            report(node, "the plan expires before its watch can end")
        }
    }
}
