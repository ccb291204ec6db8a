import MigrationCore
import Yams

extension PlanReader {
    private static let planKeys = [
        "migration", "services", "sticky_by", "window", "grace", "minimum_samples", "baseline", "sources", "checks",
        "stages",
        "criteria", "rollback", "freeze", "watch", "expires", "rollback_limit", "routers",
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
        let sources = nodes["sources"].map { self.sources($0) } ?? []
        let defaults = ConditionText.Defaults(
            minimum: nodes["minimum_samples"].flatMap { count($0, "minimum_samples", 1...1_000_000) } ?? 1,
            named: Dictionary(sources.map { ($0.name, $0.metric) }) { first, _ in first }
        )
        let services = nodes["services"].map { self.services($0) } ?? []
        let sticky = nodes["sticky_by"].map { stickyKeys($0) } ?? []
        let baseline = nodes["baseline"].flatMap { self.baseline($0) }
        let checks = nodes["checks"].map { self.checks($0) } ?? []
        let setting = StageSetting(
            services: services.map(\.name),
            checks: checks.map(\.name),
            window: window ?? .seconds(10),
            defaults: defaults
        )
        let stages = nodes["stages"].map { self.stages($0, setting) } ?? []
        let freezes = nodes["freeze"].map { self.freezes($0) } ?? []
        let criteria = nodes["criteria"].map { self.criteria($0, defaults) } ?? []
        let triggers = nodes["rollback"].map { self.triggers($0, window ?? .seconds(10), defaults) } ?? []
        let watch = nodes["watch"].flatMap { duration($0, "watch") }
        let expires = nodes["expires"].flatMap { duration($0, "expires") }
        let grace = nodes["grace"].flatMap { duration($0, "grace") } ?? window
        let limit = nodes["rollback_limit"].flatMap { duration($0, "rollback_limit") } ?? .minutes(1)
        let evictAfter = nodes["routers"].flatMap { self.evictAfter($0) }
        guard problems.isEmpty, let name, let window, let grace, let watch, let expires else { return nil }
        let plan = Plan(
            name: name,
            services: services,
            stickyBy: sticky,
            window: window,
            grace: grace,
            baseline: baseline,
            sources: sources,
            checks: checks,
            stages: stages,
            criteria: criteria,
            triggers: triggers,
            freezes: freezes,
            watch: watch,
            expires: expires,
            rollbackLimit: limit,
            evictAfter: evictAfter
        )
        check(plan, nodes)
        return problems.isEmpty ? plan : nil
    }

    /// `{ away: 10m, then: evict }`; with `hold`, or without it, nothing is evicted.
    private mutating func evictAfter(_ node: Node) -> TimeSpan? {
        let pairs = mapping(node, "routers", keys: ["away", "then"], required: ["away", "then"])
        let nodes = Dictionary(pairs.map { ($0.0, $0.2) }) { first, _ in first }
        let away = nodes["away"].flatMap { duration($0, "away", atLeast: .seconds(5)) }
        switch nodes["then"].flatMap({ text($0, "then") }) {
        case "evict"?: return away
        case "hold"?, nil: return nil
        case _?:
            if let node = nodes["then"] { report(node, "then is hold or evict") }
            return nil
        }
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
            keys: [
                "legacy", "candidate", "path", "timeout", "fallback", "shadow", "only_reads", "shadow_ignores", "new",
            ],
            required: ["legacy", "candidate"]
        )
        let nodes = Dictionary(pairs.map { ($0.0, $0.2) }) { first, _ in first }
        let name = name(key, "a service")
        let legacy = nodes["legacy"].flatMap { address($0) }
        let candidate = nodes["candidate"].flatMap { address($0) }
        let timeout = nodes["timeout"].map { duration($0, "timeout") } ?? .seconds(60)
        let path = nodes["path"].map { self.path($0) } ?? name.map { "/" + $0 }
        guard let name, let legacy, let candidate, let timeout, let path else { return nil }
        var fallsBack: Bool?
        if let node = nodes["fallback"], let word = text(node, "fallback") {
            if word == "legacy" { fallsBack = true } else { report(node, "fallback is legacy, or is left out") }
        }
        let isNew = flag(nodes["new"], "new")
        if isNew == true {
            for word in ["fallback", "shadow"] {
                guard let node = nodes[word] else { continue }
                report(node, "legacy has nothing of a new service: it answers no \(word)", "leave out \(word), or new")
            }
        }
        var ignored: [String]?
        if let node = nodes["shadow_ignores"] {
            if nodes["shadow"] == nil {
                report(node, "shadow_ignores says what shadow does not compare, and there is no shadow")
            }
            ignored = sequence(node, "shadow_ignores", largest: 64).compactMap { field($0) }
        }
        return Service(
            name: name,
            path: path,
            legacy: legacy,
            candidate: candidate,
            timeout: timeout,
            fallsBack: fallsBack,
            shadow: nodes["shadow"].flatMap { weight($0, "shadow") },
            onlyReads: flag(nodes["only_reads"], "only_reads"),
            shadowIgnores: ignored,
            isNew: isNew
        )
    }

    /// A setting that is true, or is not there.
    private mutating func flag(_ node: Node?, _ name: String) -> Bool? {
        guard let node, let word = text(node, name) else { return nil }
        if word == "true" { return true }
        report(node, "\(name) is true, or is left out")
        return nil
    }

    /// A field of answers, as differences name it: `result.data.recommendations[].title`.
    private mutating func field(_ node: Node) -> String? {
        guard let text = text(node, "a field") else { return nil }
        let isOne =
            text.utf8.count <= 120
            && text.allSatisfy { character in
                character.isASCII && (character.isLetter || character.isNumber || "._-[]$@".contains(character))
            }
        guard isOne, !text.isEmpty else {
            report(node, "a field of an answer is a path such as result.timestamp or result.list[].id")
            return nil
        }
        return text
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
            report(node, "“\(text.prefix(80))” is not an address", "write http://host:port or https://host:port")
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

    mutating func criteria(_ node: Node, _ defaults: ConditionText.Defaults) -> [Criterion] {
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

    mutating func triggers(_ node: Node, _ window: TimeSpan, _ defaults: ConditionText.Defaults) -> [Trigger] {
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
}
