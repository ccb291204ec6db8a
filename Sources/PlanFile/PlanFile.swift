package import MigrationCore

/// The plan file: YAML text to a typed plan and back, with a place for everything that is wrong.
package enum PlanFile {
    /// No plan is larger, in bytes; whoever reads a file may look at its size first.
    package static var largest: Int { YAMLText.largest }

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

    /// A plan as its file would say it; reading that gives the same plan.
    package static func render(_ plan: Plan) -> String {
        var lines = ["migration: \(plan.name)", "services:"]
        for service in plan.services {
            lines.append("  \(service.name):")
            lines.append("    legacy: \"\(service.legacy)\"")
            lines.append("    candidate: \"\(service.candidate)\"")
            lines.append("    path: \"\(service.path)\"")
            lines.append("    timeout: \(service.timeout)")
        }
        lines.append("sticky_by: [\(plan.stickyBy.map(text).joined(separator: ", "))]")
        lines.append("window: \(plan.window)")
        lines.append("grace: \(plan.grace)")
        lines.append("stages:")
        for stage in plan.stages {
            lines.append("  - name: \(stage.name)")
            lines.append("    environment: \(stage.environment)")
            lines.append("    steps: [\(stage.steps.map(text).joined(separator: ", "))]")
            lines.append("    bake: \(stage.bake)")
            if let approval = stage.approval {
                lines.append(
                    "    approval: { before: \(text(approval.before)), by: \(approval.by), timeout: \(approval.timeout) }"
                )
            }
        }
        lines.append("criteria:")
        for criterion in plan.criteria { lines.append("  - \(criterion.condition) (minimum \(criterion.minimum))") }
        lines.append("rollback:")
        for trigger in plan.triggers { lines.append("  - \(text(trigger))") }
        lines.append("watch: \(plan.watch)")
        lines.append("expires: \(plan.expires)")
        lines.append("rollback_limit: \(plan.rollbackLimit)")
        return lines.joined(separator: "\n") + "\n"
    }

    private static func text(_ key: StickyKey) -> String {
        switch key {
        case .header(let name): "header:\(name)"
        case .cookie(let name): "cookie:\(name)"
        case .clientIP: "client_ip"
        }
    }

    private static func text(_ weight: Weight) -> String { Decimals.text(weight.rawValue, scale: 100) + "%" }

    private static func text(_ trigger: Trigger) -> String {
        var settings = [
            "exit \(Condition.text(trigger.exit, trigger.condition.metric.unit))", "max gap \(trigger.maxGap)",
        ]
        if let noData = trigger.noData { settings.append("no data \(noData)") }
        settings += ["minimum \(trigger.minimum)", "missing \(trigger.missing.rawValue)"]
        return "\(trigger) (\(settings.joined(separator: ", ")))"
    }
}
