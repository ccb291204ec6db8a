/// A stream's state: the fold of its commits.
package struct MigrationState: Hashable, Codable, Sendable {
    /// The version of the last commit; 0 before the first.
    package var version: Int64
    /// When that commit was decided.
    package var decidedAt: Timestamp
    /// Nil before the plan.
    package var migration: Migration?
    /// The plan that is judged beside it; nil for none.
    package var shadow: Shadow?

    package init(version: Int64, decidedAt: Timestamp, migration: Migration?) {
        self.version = version
        self.decidedAt = decidedAt
        self.migration = migration
    }

    /// Which form a state has where it is kept as a whole; another one whenever what is remembered, or how, has changed, or the commits' format, as who cannot read those is to
    /// begin with no snapshot after them; then it stands in it as `form`.
    package static let form = 0

    package static let initial = MigrationState(version: 0, decidedAt: Timestamp(rawValue: 0), migration: nil)
}

/// A migration that has a plan.
package struct Migration: Hashable, Codable, Sendable {
    package var plan: Plan
    package var planHash: String
    package var plannedAt: Timestamp
    package var plannedBy: String
    package var phase: Phase
    /// In the order of the plan's environments.
    package var traffic: [Traffic]
    /// Whether each service's flag is on, in the plan's order.
    package var flags: [Bool]
    /// In the order of their names.
    package var routers: [Router]
    /// The next window to be judged; nil before the start.
    package var nextWindow: Int64?
    package var judgement: Judgement?
    /// The stage to which `gates` and `guards` belong.
    package var stage: Int
    /// What the criteria of the stage remember, in their order.
    package var gates: [Running]
    /// What the guards of the stage remember, in their order.
    package var guards: [Running]
    /// What legacy did while the baseline was recorded, by the plan's order of stages.
    package var recording: [Counts]
    package var baselines: [Baseline]
    /// What the checks of the current step said.
    package var checks: [CheckResult]
    package var approvals: [GivenApproval]
    package var steps: [StepRecord]
    package var rollbacks: [Rollback]
    package var hasExpired: Bool
    /// Somebody knows what the log does not; nil as long as nobody does.
    package var quarantine: Quarantine?
    /// The checkpoints that people have answered by declaring the log rewound; each may be kept and found again. Nil for none.
    package var answered: [Quarantine.Evidence]?
    /// The routers that the plan has evicted, in that order, each with what it said last; one that comes back is no longer among them. Nil for none.
    package var evicted: [Router]?

    /// A migration as its plan leaves it: nothing started, everything at legacy.
    package init(plan: Plan, hash: String, at: Timestamp, by actor: String) {
        self.plan = plan
        planHash = hash
        plannedAt = at
        plannedBy = actor
        phase = .planned
        traffic = plan.environments.map { name in
            Traffic(
                environment: name,
                revision: 1,
                planned: plan.services.map { _ in .zero },
                weights: plan.services.map { _ in .zero },
                effective: plan.services.map { _ in .zero }
            )
        }
        flags = plan.services.map { _ in true }
        routers = []
        stage = 0
        gates = plan.criteria(at: 0).map { _ in Running() }
        guards = plan.guards(at: 0).map { _ in Running() }
        recording = []
        baselines = []
        checks = []
        approvals = []
        steps = []
        rollbacks = []
        hasExpired = false
    }
}

/// What the services of one environment are meant to serve.
package struct Traffic: Hashable, Codable, Sendable {
    package var environment: String
    /// The version of the commit that last changed it.
    package var revision: Int64
    /// What the plan asks for at this point, in the order of its services.
    package var planned: [Weight]
    /// The same where a person asked for something else.
    package var weights: [Weight]
    /// The same with the flags applied: what routers are told.
    package var effective: [Weight]
    /// The version of the last commit that lowered any of these, or after which a router may have a higher one that the log has lost; nil for none.
    package var loweredAt: Int64?
}

/// A data plane that splits traffic in one environment.
package struct Router: Hashable, Codable, Sendable {
    package var name: String
    package var environment: String
    /// The last revision that it said is in force; nil before the first.
    package var revision: Int64?
    package var acknowledgedAt: Timestamp?

    package init(name: String, environment: String, revision: Int64? = nil) {
        self.name = name
        self.environment = environment
        self.revision = revision
    }
}

/// Legacy's value of a metric before the migration, for one stage.
package struct Baseline: Hashable, Codable, Sendable {
    package var stage: Int
    package var metric: Metric
    package var value: Measurement

    package init(stage: Int, metric: Metric, value: Measurement) {
        self.stage = stage
        self.metric = metric
        self.value = value
    }
}

/// What a check of the current step said.
package struct CheckResult: Hashable, Codable, Sendable {
    /// Its place in the plan.
    package var check: Int
    package var isPassed: Bool
    package var detail: String
    package var by: String
    package var at: Timestamp
}

/// One person's approval of one step.
package struct GivenApproval: Hashable, Codable, Sendable {
    package var position: Position
    package var by: String
    package var at: Timestamp
}

/// What became of a step that was entered.
package struct StepRecord: Hashable, Codable, Sendable {
    package enum End: String, Hashable, Codable, Sendable { case passed, skipped, rolledBack }

    package var position: Position
    package var enteredAt: Timestamp
    package var acknowledgedAt: Timestamp?
    package var end: End?
    package var endedAt: Timestamp?

    package init(position: Position, enteredAt: Timestamp) {
        self.position = position
        self.enteredAt = enteredAt
    }
}

extension Migration {
    package func traffic(in environment: String) -> Traffic? { traffic.first { $0.environment == environment } }

    /// The routers that split an environment's traffic.
    package func routers(in environment: String) -> [Router] { routers.filter { $0.environment == environment } }

    /// The routers that have not acknowledged their environment's revision.
    package var unacknowledged: [Router] {
        routers.filter { router in
            guard let traffic = traffic(in: router.environment) else { return false }
            return (router.revision ?? 0) < traffic.revision
        }
    }

    /// The stage whose guards are on watch: that of the current step, the last one after 100 %, or that of a rollback which has left
    /// something at the candidate.
    package var guardedStage: Int? {
        switch phase {
        case .running, .halted, .watching: phase.step?.position.stage ?? plan.stages.count - 1
        case .rollingBack(let rollback), .rolledBack(let rollback): rollback.isWhole ? nil : rollback.position?.stage
        case .planned, .completed, .abandoned: nil
        }
    }

    /// The environment of the guarded stage.
    package var guardedEnvironment: String? { guardedStage.map { plan.stages[$0].environment } }

    /// Where a rollback happened, in words; nil before the start.
    package func place(of rollback: Rollback) -> String? {
        rollback.toldPlace ?? rollback.position.map { plan.name(at: $0) }
    }

    /// Why a rollback was begun, in words.
    package func words(_ rollback: Rollback) -> String {
        if let told = rollback.told { return told }
        switch rollback.cause {
        case .trigger(let stage, let index, let service):
            return plan.words(Guard(index: index, trigger: plan.triggers(at: stage)[index], service: service))
        case .person(let name, let reason): return "\(name): \(reason)"
        case .gate(let reason): return reason
        }
    }

    /// Legacy's recorded value of a metric for a stage.
    package func baseline(_ metric: Metric, at stage: Int) -> Measurement? {
        baselines.first { $0.stage == stage && $0.metric == metric }?.value
    }

    /// How many different people have approved a step.
    package func approvals(of position: Position) -> [String] {
        approvals.filter { $0.position == position }.map(\.by)
    }
}
