import MigrationCore
import PlanFile
import Simulation
import Yams

/// Reads a scenario out of YAML's nodes, and collects everything that is wrong on the way.
struct ScenarioReader {
    let plan: Plan
    var scenario: Scenario
    var nodes = PlanReader()

    private static let keys = [
        "start", "users", "routers", "traffic", "environments", "legacy", "candidate", "changes", "people",
    ]

    mutating func read(_ root: Node) {
        for (key, _, node) in nodes.mapping(root, "a scenario", keys: Self.keys) {
            switch key {
            case "start": if let start = start(node) { scenario.start = start }
            case "users": scenario.users = nodes.count(node, "users", 1...1_000_000_000) ?? 1
            case "routers": scenario.routers = nodes.count(node, "routers", 1...64) ?? 1
            case "traffic": traffic(node)
            case "environments": environments(node)
            case "legacy": scenario.legacy = behaviour(node, key)
            case "candidate": scenario.candidate = behaviour(node, key)
            case "changes": scenario.changes = nodes.sequence(node, key, largest: 1_000).compactMap { change($0) }
            default: people(node)
            }
        }
    }

    private mutating func start(_ node: Node) -> Timestamp? {
        guard let text = nodes.text(node, "start") else { return nil }
        do {
            return try FreezeText.moment(text)
        } catch {
            nodes.report(node, "“\(text.prefix(40))” is not a moment", "write 2026-12-24 09:00; times are UTC")
            return nil
        }
    }

    /// `20/s` for every service, or a rate for each.
    private mutating func traffic(_ node: Node) {
        guard case .mapping = node else {
            scenario.rate = rate(node, "traffic") ?? scenario.rate
            return
        }
        for (name, key, value) in nodes.mapping(node, "traffic", keys: nil) {
            guard requireService(name, key), let rate = rate(value, "the traffic of \(name)") else { continue }
            scenario.rates[name] = rate
        }
    }

    private mutating func rate(_ node: Node, _ what: String) -> Double? {
        guard let text = nodes.text(node, what) else { return nil }
        do {
            return Double(try Quantity.rate(text)) / 1_000
        } catch {
            nodes.report(node, "\(what): \(error.message)", error.mend)
            return nil
        }
    }

    private mutating func environments(_ node: Node) {
        for (name, key, value) in nodes.mapping(node, "environments", keys: nil) {
            guard requireEnvironment(name, key), let share = share(value, "the traffic of \(name)") else { continue }
            scenario.environments[name] = share
        }
    }

    private static let behaviourKeys = [
        "errors", "timeouts", "latency", "cache_hits", "difference", "available", "sources",
    ]

    private mutating func behaviour(_ node: Node, _ what: String) -> Scenario.Behaviour {
        var behaviour = Scenario.Behaviour()
        for (key, _, value) in nodes.mapping(node, what, keys: Self.behaviourKeys) {
            switch key {
            case "errors": behaviour.errors = share(value, key) ?? 0
            case "timeouts": behaviour.timeouts = share(value, key) ?? 0
            case "cache_hits": behaviour.cacheHits = share(value, key)
            case "difference": behaviour.different = share(value, key)
            case "available": behaviour.available = share(value, key) ?? 1
            case "sources": behaviour.sources = sources(value)
            default:
                if let (median, p95) = latency(value) { (behaviour.median, behaviour.p95) = (median, p95) }
            }
        }
        return behaviour
    }

    private mutating func latency(_ node: Node) -> (TimeSpan, TimeSpan)? {
        let pairs = nodes.mapping(node, "latency", keys: ["p50", "p95"], required: ["p50", "p95"])
        let values = Dictionary(pairs.map { ($0.0, $0.2) }) { first, _ in first }
        let median = values["p50"].flatMap { nodes.duration($0, "p50") }
        let p95 = values["p95"].flatMap { nodes.duration($0, "p95") }
        guard let median, let p95 else { return nil }
        if p95 < median {
            nodes.report(node, "p95, \(p95), is shorter than p50, \(median)", "give the longer time as p95")
            return nil
        }
        return (median, p95)
    }

    /// What sources say: a percentage, a duration, a rate or a number, as their units are.
    private mutating func sources(_ node: Node) -> [String: Measurement] {
        var said: [String: Measurement] = [:]
        for (name, key, value) in nodes.mapping(node, "sources", keys: nil) {
            guard let source = plan.sources.first(where: { $0.name == name }) else {
                nodes.report(
                    key,
                    "the plan has no source “\(name.prefix(40))”",
                    plan.sources.isEmpty ? "it has none" : Suggestion.mend(name, among: plan.sources.map(\.name))
                )
                continue
            }
            said[name] = measurement(value, source)
        }
        return said
    }

    private mutating func measurement(_ node: Node, _ source: Source) -> Measurement? {
        guard let text = nodes.text(node, source.name) else { return nil }
        do {
            switch source.unit {
            case .ratio: return Measurement(value: try Quantity.partsPerMillion(text), of: 1_000_000)
            case .time: return Measurement(value: Int(try Quantity.duration(text).rawValue), of: 1_000)
            case .rate: return Measurement(value: try Quantity.rate(text), of: 1_000_000_000)
            case .number: return Measurement(value: try Quantity.decimal(text, places: 6), of: 1_000)
            }
        } catch {
            nodes.report(node, "\(source.name): \(error.message)", error.mend)
            return nil
        }
    }

    private mutating func share(_ node: Node, _ what: String) -> Double? {
        guard let text = nodes.text(node, what) else { return nil }
        do {
            return Double(try Quantity.partsPerMillion(text)) / 1_000_000
        } catch {
            nodes.report(node, "\(what): \(error.message)", error.mend)
            return nil
        }
    }

    private static let changeKeys = behaviourKeys + ["at", "for", "of", "service", "environment", "times"]

    private mutating func change(_ node: Node) -> Scenario.Change? {
        let pairs = nodes.mapping(node, "a change", keys: Self.changeKeys, required: ["at", "of"])
        let values = Dictionary(pairs.map { ($0.0, $0) }) { first, _ in first }
        guard let at = values["at"].flatMap({ nodes.duration($0.2, "at", atLeast: .zero) }),
            let of = values["of"].flatMap({ subject($0.2) })
        else { return nil }
        var change = Scenario.Change(at: at, of: of)
        for (key, _, value) in pairs { set(key, value, of: &change) }
        let isOfTraffic = of == .traffic
        for (key, keyNode, _) in pairs where isOfTraffic ? Self.behaviourKeys.contains(key) : key == "times" {
            nodes.report(
                keyNode,
                "“\(key)” is nothing that \(of.rawValue) has",
                isOfTraffic ? "traffic has times: 2" : "only traffic has times"
            )
        }
        return change
    }

    private mutating func set(_ key: String, _ value: Node, of change: inout Scenario.Change) {
        switch key {
        case "for": change.lasting = nodes.duration(value, key)
        case "service": if let name = nodes.text(value, key), requireService(name, value) { change.service = name }
        case "environment":
            if let name = nodes.text(value, key), requireEnvironment(name, value) { change.environment = name }
        case "errors": change.errors = share(value, key)
        case "timeouts": change.timeouts = share(value, key)
        case "cache_hits": change.cacheHits = share(value, key)
        case "difference": change.different = share(value, key)
        case "available": change.available = share(value, key)
        case "sources": change.sources = sources(value)
        case "latency": if let (median, p95) = latency(value) { (change.median, change.p95) = (median, p95) }
        case "times": change.times = times(value)
        default: break
        }
    }

    private mutating func times(_ node: Node) -> Double? {
        guard let text = nodes.text(node, "times") else { return nil }
        do {
            return Double(try Quantity.decimal(text, places: 3)) / 1_000
        } catch {
            nodes.report(node, "times: \(error.message)", error.mend)
            return nil
        }
    }

    private mutating func subject(_ node: Node) -> Scenario.Change.Subject? {
        guard let text = nodes.text(node, "of") else { return nil }
        let known = Scenario.Change.Subject.allCases.map(\.rawValue)
        guard let subject = Scenario.Change.Subject(rawValue: text) else {
            nodes.report(node, "nothing of “\(text.prefix(40))” can change", Suggestion.mend(text, among: known))
            return nil
        }
        return subject
    }

    private mutating func people(_ node: Node) {
        for (key, _, value) in nodes.mapping(node, "people", keys: ["approve", "checks"]) {
            guard let text = nodes.text(value, key) else { continue }
            let words = text.split(separator: " ").map(String.init)
            let isNever = words == ["never"]
            let verbs = key == "approve" ? ["after"] : ["pass", "fail"]
            let rest = key == "approve" ? words : Array(words.dropFirst())
            guard isNever || (rest.count == 2 && rest[0] == "after" && verbs.contains(words[0])),
                isNever || (try? Quantity.duration(rest[1])) != nil
            else {
                nodes.report(
                    value,
                    "“\(text.prefix(40))” is nothing that people do",
                    key == "approve" ? "write after 10m, or never" : "write pass after 2m, fail after 2m, or never"
                )
                continue
            }
            let after = isNever ? nil : try? Quantity.duration(rest[1])
            if key == "approve" {
                scenario.people.approveAfter = after
            } else {
                scenario.people.checkAfter = after
                scenario.people.checksPass = words[0] == "pass"
            }
        }
    }

    private mutating func requireService(_ name: String, _ node: Node) -> Bool {
        let known = plan.services.map(\.name)
        guard known.contains(name) else {
            nodes.report(node, "the plan has no service “\(name.prefix(40))”", Suggestion.mend(name, among: known))
            return false
        }
        return true
    }

    private mutating func requireEnvironment(_ name: String, _ node: Node) -> Bool {
        guard plan.environments.contains(name) else {
            nodes.report(
                node,
                "the plan has no environment “\(name.prefix(40))”",
                Suggestion.mend(name, among: plan.environments)
            )
            return false
        }
        return true
    }
}
