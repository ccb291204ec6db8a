package import MigrationCore
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
        case .rollingBack(let rollback), .rolledBack(let rollback), .abandoned(let rollback): words(rollback.cause)
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

    private var criterionRows: [ProjectionRow] {
        plan.criteria.indices.map { index in
            let judged = judgement.flatMap { $0.criteria.indices.contains(index) ? $0.criteria[index] : nil }
            return ProjectionRow(
                table: .criterion,
                values: [
                    .text("criterion"), .int(index + 1), .text(plan.criteria[index].condition.description),
                    .text(judged?.verdict.rawValue), .int(judged?.candidate.map { Int64($0.value) }),
                    .int(judged?.candidate.map { Int64($0.of) }), .int(judged?.legacy.map { Int64($0.value) }),
                    .int(judged?.legacy.map { Int64($0.of) }), .null, .null,
                ]
            )
        }
    }

    private var triggerRows: [ProjectionRow] {
        plan.triggers.indices.map { index in
            let judged = judgement.flatMap { $0.triggers.indices.contains(index) ? $0.triggers[index] : nil }
            return ProjectionRow(
                table: .criterion,
                values: [
                    .text("trigger"), .int(index + 1), .text(plan.triggers[index].description),
                    .text(judged?.verdict.rawValue),
                    .int(judged?.candidate.map { Int64($0.value) }), .int(judged?.candidate.map { Int64($0.of) }),
                    .null, .null,
                    .int(streaks[index].breaches), .int(plan.triggers[index].need(window: plan.window)),
                ]
            )
        }
    }

    private func row(_ rollback: Rollback) -> ProjectionRow {
        let cause: String
        switch rollback.cause {
        case .trigger: cause = "trigger"
        case .person: cause = "person"
        }
        return ProjectionRow(
            table: .rollback,
            values: [
                .int(rollback.number), .text(cause), .text(words(rollback.cause)), .text(rollback.outcome.rawValue),
                .int(rollback.from.rawValue), .int(rollback.revision), .int(rollback.onset?.rawValue),
                .int(rollback.detectedAt?.rawValue), .int(rollback.decidedAt.rawValue),
                .int(rollback.acknowledgedAt?.rawValue),
                .int(rollback.confirmedAt?.rawValue), .bool(rollback.isOverdue),
            ]
        )
    }
}

extension Migration {
    /// Why a rollback was begun, in words.
    package func words(_ cause: Rollback.Cause) -> String {
        switch cause {
        case .trigger(let index): plan.triggers[index].description
        case .person(let name, let reason): "\(name): \(reason)"
        }
    }
}
