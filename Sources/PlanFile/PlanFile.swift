package import MigrationCore
import Yams

/// The plan file: YAML text to a typed plan and back, with a place for everything that is wrong.
package enum PlanFile {
    /// No plan is larger, in bytes; whoever reads a file may look at its size first.
    package static var largest: Int { YAMLText.largest }

    /// A JSON Schema of the file, for editors: whatever this reads, the schema accepts; what only shows on the whole (names that do not
    /// exist, contradictions) only reading tells.
    package static var schema: String { String(decoding: PackageResources.plan_schema_json, as: UTF8.self) }

    /// Reads a plan.
    ///
    /// - Parameters:
    ///   - text: the file's text.
    ///   - file: its name, for messages.
    /// - Throws: every problem with line, column and mend.
    package static func parse(_ text: String, file: String) throws(PlanError) -> Plan {
        var reader = PlanReader()
        do {
            let root = try YAMLText.compose(text)
            if let plan = reader.plan(root) { return plan }
        } catch {
            reader.problems = [error]
        }
        let problems = reader.problems.sorted { ($0.line ?? 0, $0.column ?? 0) < ($1.line ?? 0, $1.column ?? 0) }
        throw PlanError(file: file, problems: problems)
    }

    /// Where everything stands in a plan's text: by keys, and names or numbers of entries, such as `stages/production/bake`.
    ///
    /// - Returns: lines and columns from 1; empty for a text that is no YAML.
    package static func places(_ text: String) -> [String: (line: Int, column: Int)] {
        guard let root = try? YAMLText.compose(text) else { return [:] }
        var places: [String: (line: Int, column: Int)] = [:]
        note(root, "", &places)
        return places
    }

    private static func note(_ node: Node, _ path: String, _ places: inout [String: (line: Int, column: Int)]) {
        if let mark = node.mark, places[path] == nil { places[path] = (mark.line, mark.column) }
        switch node {
        case .scalar, .alias: break
        case .mapping(let mapping):
            for (key, value) in mapping {
                guard let name = key.string else { continue }
                let path = path.isEmpty ? name : "\(path)/\(name)"
                if let mark = key.mark { places[path] = (mark.line, mark.column) }
                note(value, path, &places)
            }
        case .sequence(let sequence):
            for (index, item) in sequence.enumerated() {
                note(item, "\(path)/\(item["name"]?.string ?? "\(index)")", &places)
            }
        }
    }

    /// A plan as its file would say it; reading that gives the same plan.
    package static func render(_ plan: Plan) -> String {
        var lines = ["migration: \(plan.name)", "services:"]
        for service in plan.services {
            lines.append("  \(service.name):")
            lines.append("    legacy: \"\(service.legacy)\"")
            lines.append("    candidate: \"\(service.candidate)\"")
            lines.append("    path: \"\(service.path)\"")
            lines.append("    timeout: \(service.timeout)")
            if service.fallsBack == true { lines.append("    fallback: legacy") }
            if let share = service.shadow { lines.append("    shadow: \(Decimals.text(share.rawValue, scale: 100))%") }
            if service.onlyReads == true { lines.append("    only_reads: true") }
            if service.isNew == true { lines.append("    new: true") }
            if let ignored = service.shadowIgnores {
                lines.append("    shadow_ignores: [\(ignored.map { "\"\($0)\"" }.joined(separator: ", "))]")
            }
        }
        lines.append("sticky_by: [\(plan.stickyBy.map(text).joined(separator: ", "))]")
        lines.append("window: \(plan.window)")
        lines.append("grace: \(plan.grace)")
        if let baseline = plan.baseline { lines.append("baseline: record \(baseline)") }
        if !plan.sources.isEmpty { lines.append(render(sources: plan.sources)) }
        if !plan.checks.isEmpty { lines.append("checks:") }
        for check in plan.checks { lines.append("  \(check.name): { \(text(check)) }") }
        lines.append("stages:")
        for stage in plan.stages { lines += text(stage, plan) }
        lines.append("criteria:")
        for criterion in plan.criteria { lines.append("  - \(text(criterion))") }
        lines.append("rollback:")
        for trigger in plan.triggers { lines.append("  - \(text(trigger))") }
        if !plan.freezes.isEmpty { lines.append("freeze:") }
        for freeze in plan.freezes { lines.append("  - \(FreezeText.render(freeze))") }
        lines.append("watch: \(plan.watch)")
        lines.append("expires: \(plan.expires)")
        lines.append("rollback_limit: \(plan.rollbackLimit)")
        if let limit = plan.evictAfter { lines.append("routers: { away: \(limit), then: evict }") }
        return lines.joined(separator: "\n") + "\n"
    }

    /// A place of a request's key, as it stands in a plan.
    package static func text(_ key: StickyKey) -> String {
        switch key {
        case .header(let name): "header:\(name)"
        case .cookie(let name): "cookie:\(name)"
        case .clientIP: "client_ip"
        }
    }

    private static func text(_ weight: Weight) -> String { Decimals.text(weight.rawValue, scale: 100) + "%" }

    private static func text(_ stage: Stage, _ plan: Plan) -> [String] {
        var lines = ["  - name: \(stage.name)", "    environment: \(stage.environment)"]
        if stage.services != Array(plan.services.indices) {
            lines.append("    services: [\(stage.services.map { plan.services[$0].name }.joined(separator: ", "))]")
        }
        lines.append("    steps: [\(stage.steps.map(text).joined(separator: ", "))]")
        lines.append("    bake: \(stage.bake)")
        if !stage.approvals.isEmpty { lines.append("    approval:") }
        for approval in stage.approvals {
            let people = approval.of.map { "of: [\($0.map(quoted).joined(separator: ", "))], " } ?? ""
            lines.append(
                "      - { before: \(text(approval.before)), by: \(approval.by), \(people)timeout: \(approval.timeout), then: \(approval.then.rawValue) }"
            )
        }
        if !stage.checks.isEmpty {
            lines.append("    checks: [\(stage.checks.map { plan.checks[$0].name }.joined(separator: ", "))]")
        }
        if let criteria = stage.criteria { lines += ["    criteria:"] + criteria.map { "      - \(text($0))" } }
        if let triggers = stage.triggers { lines += ["    rollback:"] + triggers.map { "      - \(text($0))" } }
        if let limit = stage.limit { lines += ["    limit: \(limit)", "    then: \(stage.then.rawValue)"] }
        return lines
    }

    private static func text(_ check: Check) -> String {
        let how: String
        switch check.how {
        case .reported: how = ""
        case .process(let arguments): how = "run: [\(arguments.map(quoted).joined(separator: ", "))], "
        case .webhook(let url): how = "webhook: \(quoted(url)), "
        }
        return "\(how)timeout: \(check.timeout), then: \(check.then.rawValue)"
    }

    private static func text(_ source: Source) -> String {
        "\(place(source)), unit: \(source.unit.rawValue), better: \(source.isBadWhenHigh ? "low" : "high"), timeout: \(source.timeout)"
    }

    /// The part of a plan that names sources.
    package static func render(sources: [Source]) -> String {
        (["sources:"] + sources.map { "  \($0.name): { \(text($0)) }" }).joined(separator: "\n")
    }

    private static func place(_ source: Source) -> String {
        switch source.query {
        case .prometheus(let value, let of)?:
            "prometheus: \(quoted(source.url)), value: \(quoted(value))" + (of.map { ", of: \(quoted($0))" } ?? "")
        case .sql(let query, let database)?: "sql: \(quoted(query)), database: \(database)"
        case nil: "url: \(quoted(source.url))"
        }
    }

    private static func quoted(_ text: String) -> String {
        "\""
            + text.replacing("\\", with: "\\\\").replacing("\"", with: "\\\"").replacing("\n", with: "\\n")
            .replacing("\t", with: "\\t") + "\""
    }

    private static func text(_ criterion: Criterion) -> String {
        let settings = ["minimum \(criterion.minimum)"] + criterion.condition.settings
        return "\(criterion) (\(settings.joined(separator: ", ")))"
    }

    private static func text(_ trigger: Trigger) -> String {
        var settings = trigger.exit.map { ["exit \(Condition.text($0, trigger.condition.metric.unit))"] } ?? []
        settings.append("max gap \(trigger.maxGap)")
        if let noData = trigger.noData { settings.append("no data \(noData)") }
        settings += [
            "minimum \(trigger.minimum)", "missing \(trigger.missing.rawValue)", "scope \(trigger.scope.rawValue)",
        ]
        return "\(trigger) (\((settings + trigger.condition.settings).joined(separator: ", ")))"
    }
}
