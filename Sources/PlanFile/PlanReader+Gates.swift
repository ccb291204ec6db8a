import MigrationCore
import Yams

extension PlanReader {
    /// One approval, or a list of them.
    mutating func approvals(_ node: Node, _ steps: [Weight]) -> [Approval] {
        guard case .sequence = node else { return approval(node, steps).map { [$0] } ?? [] }
        let approvals = sequence(node, "approval", largest: 100).compactMap { approval($0, steps) }
        if Set(approvals.map(\.before)).count != approvals.count {
            report(node, "two approvals are before the same step")
        }
        return approvals
    }

    private mutating func approval(_ node: Node, _ steps: [Weight]) -> Approval? {
        let keys = ["before", "by", "of", "timeout", "then"]
        let pairs = mapping(node, "an approval", keys: keys, required: ["before", "by"])
        let nodes = Dictionary(pairs.map { ($0.0, $0.2) }) { first, _ in first }
        let before = nodes["before"].flatMap { weight($0, "before") }
        let by = nodes["by"].flatMap { count($0, "by", 1...100) }
        let people = nodes["of"].map { node in
            sequence(node, "of", largest: 1_000).compactMap { text($0, "a person") }
        }
        let timeout = nodes["timeout"].map { duration($0, "timeout") } ?? .days(7)
        let then = nodes["then"].flatMap { action($0) } ?? .halt
        if let before, let node = nodes["before"], !steps.contains(before) {
            report(node, "\(before) is not a step of this stage")
        }
        if let by, let people, Set(people).count < by, let node = nodes["of"] {
            report(
                node,
                "\(by) people must approve, and \(Set(people).count) may",
                "name more people, or ask for fewer"
            )
        }
        guard let before, let by, let timeout else { return nil }
        return Approval(before: before, by: by, of: people, timeout: timeout, then: then)
    }

    mutating func action(_ node: Node) -> GateAction? {
        guard let text = text(node, "then") else { return nil }
        let known = GateAction.allCases.map(\.rawValue)
        guard let action = GateAction(rawValue: text) else {
            report(node, "“\(text.prefix(40))” is nothing that a gate does", Suggestion.mend(text, among: known))
            return nil
        }
        return action
    }

    mutating func checks(_ node: Node) -> [Check] {
        mapping(node, "checks", keys: nil).compactMap { check($0.1, $0.2) }
    }

    private mutating func check(_ key: Node, _ node: Node) -> Check? {
        let name = name(key, "a check")
        let pairs = mapping(node, "a check", keys: ["run", "webhook", "timeout", "then"], required: ["timeout"])
        let nodes = Dictionary(pairs.map { ($0.0, $0.2) }) { first, _ in first }
        let arguments = nodes["run"].map { node in
            sequence(node, "run", largest: 100).compactMap { text($0, "an argument") }
        }
        let url = nodes["webhook"].flatMap { text($0, "webhook") }
        if let url, let node = nodes["webhook"], !(url.hasPrefix("http://") || url.hasPrefix("https://")) {
            report(node, "“\(url.prefix(80))” is not an address", "write http://host:port/path")
        }
        if arguments != nil, url != nil { report(node, "a check has run or webhook, not both") }
        let timeout = nodes["timeout"].flatMap { duration($0, "timeout") }
        let then = nodes["then"].flatMap { action($0) } ?? .halt
        guard let name, let timeout else { return nil }
        let how: Check.How =
            arguments.map { .process(arguments: $0) } ?? url.map { .webhook(url: $0) } ?? .reported
        return Check(name: name, how: how, timeout: timeout, then: then)
    }

    mutating func sources(_ node: Node) -> [Source] {
        mapping(node, "sources", keys: nil).compactMap { source($0.1, $0.2) }
    }

    private mutating func source(_ key: Node, _ node: Node) -> Source? {
        let name = name(key, "a source")
        if let name, (try? ConditionText.metric(name)) != nil || name == "slow_rate" {
            report(key, "\(name) is measured by the gateways already", "choose another name for the source")
        }
        let keys = ["url", "prometheus", "value", "of", "sql", "database", "unit", "better", "timeout"]
        let pairs = mapping(node, "a source", keys: keys, required: ["unit"])
        let nodes = Dictionary(pairs.map { ($0.0, $0.2) }) { first, _ in first }
        let place = place(node, nodes)
        let unit = nodes["unit"].flatMap { choice($0, "unit", Metric.Unit.allCases.map(\.rawValue)) }
            .flatMap { Metric.Unit(rawValue: $0) }
        let better = nodes["better"].map { choice($0, "better", ["low", "high"]) } ?? "low"
        let timeout = nodes["timeout"].map { duration($0, "timeout") } ?? .seconds(5)
        guard let name, let place, let unit, let better, let timeout else { return nil }
        if case .prometheus(_, nil)? = place.query, unit == .ratio {
            report(node, "a ratio has “of”, the query of its whole")
        }
        if timeout > .minutes(1), let node = nodes["timeout"] { report(node, "a source answers within 1m") }
        return Source(
            name: name,
            url: place.url,
            query: place.query,
            unit: unit,
            isBadWhenHigh: better == "low",
            timeout: timeout
        )
    }

    /// Where a source is asked, and by what: an endpoint, a Prometheus or a database.
    private mutating func place(_ node: Node, _ nodes: [String: Node]) -> (url: String, query: SourceQuery?)? {
        let belongings = ["url": [], "prometheus": ["value", "of"], "sql": ["database"]]
        let kinds = belongings.keys.sorted().filter { nodes[$0] != nil }
        guard kinds.count == 1, let kind = kinds.first else {
            report(node, "a source is asked at one of url, prometheus and sql")
            return nil
        }
        for other in ["value", "of", "database"] where nodes[other] != nil && belongings[kind]?.contains(other) != true
        {
            if let node = nodes[other] { report(node, "“\(other)” does not belong to \(kind)") }
        }
        switch kind {
        case "prometheus":
            guard let value = nodes["value"].flatMap({ query($0) }) else {
                report(node, "a source of a Prometheus lacks “value”", "write a query of PromQL")
                return nil
            }
            let of = nodes["of"].flatMap { query($0) }
            return nodes["prometheus"].flatMap { sourceURL($0) }.map {
                ($0.hasSuffix("/") ? String($0.dropLast()) : $0, .prometheus(value: value, of: of))
            }
        case "sql":
            guard let database = nodes["database"].flatMap({ variable($0) }) else {
                report(
                    node,
                    "a source in SQL lacks “database”",
                    "name the environment variable that holds the connection string"
                )
                return nil
            }
            return nodes["sql"].flatMap { query($0) }.map { ("", .sql(query: $0, database: database)) }
        default: return nodes["url"].flatMap { sourceURL($0) }.map { ($0, nil) }
        }
    }

    private mutating func query(_ node: Node) -> String? {
        text(node, "a query", longest: 4_096)
    }

    private mutating func variable(_ node: Node) -> String? {
        guard let text = text(node, "database") else { return nil }
        guard text.wholeMatch(of: /[A-Z_][A-Z0-9_]{0,99}/) != nil else {
            report(
                node,
                "“\(text.prefix(40))” is no environment variable",
                "name one, such as SHOP_DATABASE_URL: a password has no place in a plan"
            )
            return nil
        }
        return text
    }

    private mutating func choice(_ node: Node, _ what: String, _ known: [String]) -> String? {
        guard let text = text(node, what) else { return nil }
        guard known.contains(text) else {
            report(node, "“\(text.prefix(40))” is no \(what)", Suggestion.mend(text, among: known))
            return nil
        }
        return text
    }

    /// An address whose braces hold what is filled in.
    private mutating func sourceURL(_ node: Node) -> String? {
        guard let text = text(node, "url") else { return nil }
        guard text.hasPrefix("http://") || text.hasPrefix("https://"),
            text.allSatisfy({ $0.isASCII && !$0.isWhitespace })
        else {
            report(node, "“\(text.prefix(80))” is not an address", "write http://host:port/path")
            return nil
        }
        var rest = text
        for place in Source.places { rest = rest.replacing(place, with: "") }
        guard !rest.contains("{"), !rest.contains("}") else {
            report(
                node,
                "“\(text.prefix(80))” has braces that nothing fills",
                "these are filled: \(Source.places.joined(separator: ", "))"
            )
            return nil
        }
        return text
    }

    /// `record 10m`.
    mutating func baseline(_ node: Node) -> TimeSpan? {
        guard let text = text(node, "baseline") else { return nil }
        let words = text.split(separator: " ").map(String.init)
        guard words.count == 2, words[0] == "record" else {
            report(node, "“\(text.prefix(40))” is not a baseline", "write: record 10m")
            return nil
        }
        do {
            let span = try Quantity.duration(words[1])
            guard span > .zero, span <= .days(30) else {
                report(node, "a baseline is recorded for up to 30d")
                return nil
            }
            return span
        } catch {
            report(node, "baseline: \(error.message)", error.mend)
            return nil
        }
    }

    mutating func freezes(_ node: Node) -> [Freeze] {
        sequence(node, "freeze", largest: 64).compactMap { freeze($0) }
    }

    private mutating func freeze(_ node: Node) -> Freeze? {
        guard let text = text(node, "a freeze") else { return nil }
        do {
            return try FreezeText.parse(text)
        } catch {
            report(node, error.message, error.mend)
            return nil
        }
    }
}
