import MigrationCore
import MigrationLog

/// A migration's status for programs; its shape is documented in docs/reference.md and versioned by `format`.
struct StatusReport: Encodable {
    struct Step: Encodable {
        var stage: String
        var environment: String
        var weight: Int
        var state: String
        var enteredAt: String?
        var endedAt: String?
        var approvalsNeeded: Int
        var approvedBy: [String]
    }
    struct Traffic: Encodable {
        var environment: String
        var service: String
        var revision: Int64
        var asked: Int
        var effective: Int
        var routers: Int
        var acknowledged: Int
        var observedCandidate: Int?
        var observedTotal: Int?
    }
    struct Condition: Encodable {
        var condition: String
        var verdict: String?
        var candidate: Measurement?
        var legacy: Measurement?
        var figure: Judged.Figure?
        var breaches: Int?
        var needed: Int?
    }
    struct Check: Encodable {
        var name: String
        var state: String
        var detail: String?
    }
    struct Rollback: Encodable {
        var number: Int
        var cause: String
        var from: Int
        var onset: String?
        var detectedAt: String?
        var decidedAt: String
        var acknowledgedAt: String?
        var confirmedAt: String?
        var overdue: Bool
        /// The routers that the plan evicted and that have not said that they have it.
        var unheard: [String]
    }

    struct Shadow: Encodable {
        var planHash: String
        var since: Int64
        var endedAt: Int64?
        /// The version from which on it would have done something else.
        var differsFrom: Int64?
        /// The version from which on the traffic no longer follows from it.
        var trafficDiffersFrom: Int64?
        var asItWas: ComparedSide
        var withIt: ComparedSide

        init?(_ state: MigrationState) {
            guard let shadow = state.shadow, let migration = state.migration else { return nil }
            planHash = shadow.migration.planHash
            since = shadow.since
            endedAt = shadow.endedAt
            differsFrom = shadow.differsFrom
            trafficDiffersFrom = shadow.partedFrom
            asItWas = ComparedSide(migration)
            withIt = ComparedSide(shadow.migration)
        }
    }

    var format = 1
    var migration: String
    var version: Int64
    var now: String
    var phase: String
    var planHash: String
    var bakedWindows: Int?
    var bakeWindows: Int?
    var steps: [Step]
    var traffic: [Traffic]
    var criteria: [Condition]
    var triggers: [Condition]
    var checks: [Check]
    var rollbacks: [Rollback]
    var shadow: Shadow?

    init(_ migration: Migration, _ stream: MigrationLog.Stream) {
        let plan = migration.plan
        self.migration = plan.name
        version = stream.state.version
        now = LocalTime.utc(stream.now)
        phase = migration.phase.name
        planHash = migration.planHash
        bakedWindows = migration.phase.step?.bake?.run
        bakeWindows = migration.phase.step.map { plan.stage(at: $0.position).bake.windows(of: plan.window) }
        steps = StatusText.positions(plan).map { position in
            let record = migration.steps.last { $0.position == position }
            return Step(
                stage: plan.stage(at: position).name,
                environment: plan.stage(at: position).environment,
                weight: plan.weight(at: position).rawValue,
                state: StatusText.word(position, migration),
                enteredAt: record.map { LocalTime.utc($0.enteredAt) },
                endedAt: record?.endedAt.map(LocalTime.utc),
                approvalsNeeded: plan.approval(before: position)?.by ?? 0,
                approvedBy: migration.approvals(of: position)
            )
        }
        traffic = migration.traffic.flatMap { traffic in
            let routers = migration.routers(in: traffic.environment)
            let observed = migration.judgement?.observed.first { $0.environment == traffic.environment }
            return plan.services.indices.map { index in
                Traffic(
                    environment: traffic.environment,
                    service: plan.services[index].name,
                    revision: traffic.revision,
                    asked: traffic.weights[index].rawValue,
                    effective: traffic.effective[index].rawValue,
                    routers: routers.count,
                    acknowledged: routers.count { ($0.revision ?? 0) >= traffic.revision },
                    observedCandidate: observed?.shares[index].value,
                    observedTotal: observed?.shares[index].of
                )
            }
        }
        let stage = migration.stage
        let judgement = migration.judgement.flatMap { $0.stage == stage ? $0 : nil }
        criteria = plan.criteria(at: stage).enumerated().map { index, criterion in
            let judged = judgement?.criteria[index]
            return Condition(
                condition: criterion.description,
                verdict: judged?.verdict.rawValue,
                candidate: judged?.candidate,
                legacy: judged?.legacy,
                figure: judged?.figure
            )
        }
        triggers = plan.guards(at: stage).enumerated().map { index, guarded in
            let judged = judgement?.triggers[index]
            return Condition(
                condition: plan.words(guarded),
                verdict: judged?.verdict.rawValue,
                candidate: judged?.candidate,
                figure: judged?.figure,
                breaches: migration.guards[index].streak.breaches,
                needed: guarded.trigger.need(window: plan.window)
            )
        }
        shadow = Shadow(stream.state)
        let names = Dictionary(migration.checks.map { ($0.check, $0) }) { $1 }
        checks =
            migration.phase.step.map { step in
                plan.stage(at: step.position).checks.map { check in
                    Check(
                        name: plan.checks[check].name,
                        state: names[check].map { $0.isPassed ? "passed" : "failed" } ?? "open",
                        detail: names[check]?.detail
                    )
                }
            } ?? []
        rollbacks = migration.rollbacks.map { rollback in
            Rollback(
                number: rollback.number,
                cause: migration.words(rollback),
                from: rollback.from.rawValue,
                onset: rollback.onset.map(LocalTime.utc),
                detectedAt: rollback.detectedAt.map(LocalTime.utc),
                decidedAt: LocalTime.utc(rollback.decidedAt),
                acknowledgedAt: rollback.acknowledgedAt.map(LocalTime.utc),
                confirmedAt: rollback.confirmedAt.map(LocalTime.utc),
                overdue: rollback.isOverdue,
                unheard: rollback.unheard ?? []
            )
        }
    }
}
