import MigrationCore
import Postgres

extension Migration {
    /// Every projection row of a migration.
    var projected: [ProjectionRow] {
        [migrationRow] + trafficRows + criterionRows + triggerRows + rollbacks.map(row)
    }

    private var migrationRow: ProjectionRow {
        let step = phase.step
        return ProjectionRow(
            table: .migration,
            values: [
                .text(phase.name), .text(step.map { plan.stage(at: $0.position).name }),
                .int(step.map { Int64(plan.weight(at: $0.position).rawValue) }), .text(planHash),
                .int(plannedAt.rawValue),
                .text(plannedBy), .int(nextWindow), .int(step?.bake.map { Int64($0.run) }), .text(reason),
            ]
        )
    }

    private var reason: String? {
        switch phase {
        case .halted(let halt): halt.reason
        case .rollingBack(let rollback), .rolledBack(let rollback), .abandoned(let rollback): words(rollback)
        case .planned, .running, .watching, .completed: nil
        }
    }

    private var trafficRows: [ProjectionRow] {
        traffic.flatMap { traffic in
            let routers = routers(in: traffic.environment)
            let acknowledged = routers.count { ($0.revision ?? 0) >= traffic.revision }
            let observed = judgement?.observed.first { $0.environment == traffic.environment }
            return plan.services.indices.map { index in
                let share = observed.flatMap { $0.shares.indices.contains(index) ? $0.shares[index] : nil }
                return ProjectionRow(
                    table: .traffic,
                    values: [
                        .text(traffic.environment), .text(plan.services[index].name), .int(traffic.revision),
                        .int(traffic.weights[index].rawValue), .int(traffic.effective[index].rawValue),
                        .int(routers.count),
                        .int(acknowledged), .int(share.map { Int64($0.value) }), .int(share.map { Int64($0.of) }),
                    ]
                )
            }
        }
    }

    /// One for each criterion of each stage; what was seen stands at the stage that is guarded.
    private var criterionRows: [ProjectionRow] {
        plan.stages.indices.flatMap { stage in
            plan.criteria(at: stage).enumerated().map { index, criterion in
                let seen = judgement?.stage == stage ? judgement?.criteria : nil
                return row(stage, "criterion", index, criterion.description, seen?[index], nil)
            }
        }
    }

    /// One for each guard of each stage.
    private var triggerRows: [ProjectionRow] {
        plan.stages.indices.flatMap { stage in
            plan.guards(at: stage).enumerated().map { index, guarded in
                let seen = judgement?.stage == stage ? judgement?.triggers : nil
                return row(stage, "trigger", index, plan.words(guarded), seen?[index], guarded.trigger)
            }
        }
    }

    private func row(
        _ stage: Int,
        _ kind: String,
        _ index: Int,
        _ condition: String,
        _ judged: Judged?,
        _ trigger: Trigger?
    ) -> ProjectionRow {
        func int(_ value: Int?) -> PostgresValue { .int(value.map { Int64($0) }) }
        let legacy = trigger == nil ? judged?.legacy : nil
        let breaches = trigger == nil ? nil : judged?.streak.breaches ?? 0
        var values: [PostgresValue] = [
            .text(plan.stages[stage].name), .text(kind), .int(index + 1), .text(condition),
            .text(judged?.verdict.rawValue),
        ]
        values += [int(judged?.candidate?.value), int(judged?.candidate?.of), int(legacy?.value), int(legacy?.of)]
        values += [int(breaches), int(trigger?.need(window: plan.window))]
        return ProjectionRow(table: .criterion, values: values)
    }

    private func row(_ rollback: Rollback) -> ProjectionRow {
        let cause: String
        switch rollback.cause {
        case .trigger: cause = "trigger"
        case .person: cause = "person"
        case .gate: cause = "gate"
        }
        return ProjectionRow(
            table: .rollback,
            values: [
                .int(rollback.number), .text(cause), .text(words(rollback)), .text(rollback.outcome.rawValue),
                .int(rollback.from.rawValue), .int(rollback.revision), .int(rollback.onset?.rawValue),
                .int(rollback.detectedAt?.rawValue), .int(rollback.decidedAt.rawValue),
                .int(rollback.acknowledgedAt?.rawValue),
                .int(rollback.confirmedAt?.rawValue), .bool(rollback.isOverdue),
                .text(rollback.unheard?.joined(separator: ", ")),
            ]
        )
    }
}
