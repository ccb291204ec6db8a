/// A stream's state: the fold of its commits.
package struct MigrationState: Hashable, Codable, Sendable {
    /// The version of the last commit; 0 before the first.
    package var version: Int64
    /// When that commit was decided.
    package var decidedAt: Timestamp
    /// Nil before the plan.
    package var migration: Migration?

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
    /// In the order of the plan's triggers.
    package var streaks: [Streak]
    package var approvals: [GivenApproval]
    package var steps: [StepRecord]
    package var rollbacks: [Rollback]
    package var hasExpired: Bool

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
                weights: plan.services.map { _ in .zero },
                effective: plan.services.map { _ in .zero }
            )
        }
        flags = plan.services.map { _ in true }
        routers = []
        streaks = plan.triggers.map { _ in Streak() }
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
    /// What the step or a person asked for, in the order of the plan's services.
    package var weights: [Weight]
    /// The same with the flags applied: what routers are told.
    package var effective: [Weight]
}

/// A data plane that splits traffic in one environment.
package struct Router: Hashable, Codable, Sendable {
    package var name: String
    package var environment: String
    /// The last revision that it said is in force; nil before the first.
    package var revision: Int64?
    package var acknowledgedAt: Timestamp?
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

    /// The environment whose windows are judged: that of the current step, or of the last stage.
    package var guardedEnvironment: String? {
        switch phase {
        case .running, .halted, .watching:
            plan.stages[phase.step?.position.stage ?? plan.stages.count - 1].environment
        case .planned, .rollingBack, .rolledBack, .completed, .abandoned: nil
        }
    }

    /// How many different people have approved a step.
    package func approvals(of position: Position) -> [String] {
        approvals.filter { $0.position == position }.map(\.by)
    }
}
