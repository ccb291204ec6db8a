package import MigrationCore
import Testing

/// Given–when–then on commits: commands go in at stated times, events come out, and every event is folded.
package struct MigrationScenario {
    package private(set) var state = MigrationState.initial
    package private(set) var last: [Event] = []
    package var now = Timestamp(rawValue: 1_700_000_000_000_000)

    /// A planned migration with a router in each environment.
    package init(_ plan: Plan = SamplePlan.plan()) throws {
        try perform(.plan(plan: plan, hash: "hash"), by: "ana")
        for (index, environment) in plan.environments.enumerated() {
            try perform(.registerRouter(router: "r\(index + 1)", environment: environment))
        }
    }

    package var migration: Migration {
        get throws { try #require(state.migration) }
    }

    /// Decides and folds; a refused override is folded too, as the log does it.
    package mutating func perform(_ command: Command, by actor: String = "worker:w") throws {
        last = try state.decideRecorded(command, by: actor, at: now)
        guard !last.isEmpty else { return }
        let commit = Commit(version: state.version + 1, actor: actor, decidedAt: now, command: command, events: last)
        state = try state.folding(commit)
    }

    /// The refusal that the last command met, if it met one.
    package var refusal: Refusal? {
        guard case .overrideRefused(let refusal)? = last.first else { return nil }
        return refusal
    }

    /// Every router says that it has its environment's revision.
    package mutating func acknowledge() throws {
        for router in try migration.unacknowledged {
            let revision = try #require(try migration.traffic(in: router.environment)).revision
            try perform(.acknowledge(router: router.name, revision: revision))
        }
    }

    /// Seals the next window, when its grace is over.
    ///
    /// - Parameters:
    ///   - errors: of 100 requests to the candidate; nil is a window in which nobody reported.
    package mutating func window(errors: Int?) throws {
        let plan = try migration.plan
        let k = try #require(try migration.nextWindow)
        now = max(now, plan.clock.end(of: k) + plan.grace)
        try perform(.sealWindow(window: try Self.window(k, migration, errors: errors)))
    }

    /// Seals the next window with what every router saw.
    ///
    /// - Parameter counts: what an implementation of a service did in an environment.
    package mutating func window(_ counts: (String, Int, Implementation) -> Counts) throws {
        let migration = try migration
        let k = try #require(migration.nextWindow)
        now = max(now, migration.plan.clock.end(of: k) + migration.plan.grace)
        let environments = migration.plan.environments.map { name in
            EnvironmentWindow(
                environment: name,
                routers: migration.routers(in: name).map(\.name),
                services: migration.plan.services.indices.map {
                    ServiceWindow(legacy: counts(name, $0, .legacy), candidate: counts(name, $0, .candidate))
                }
            )
        }
        try perform(.sealWindow(window: Window(k: k, environments: environments)))
    }

    /// So many requests, with so many errors among them.
    package static func counts(_ requests: Int, errors: Int = 0) -> Counts {
        var counts = Counts()
        counts.requests = requests
        counts.errors = errors
        return counts
    }

    /// Passing windows until the bake is over: another step has begun, or people are waited for.
    package mutating func bake() throws {
        let position = try migration.phase.step?.position
        for _ in 0..<10 {
            guard let step = try migration.phase.step, step.position == position else { return }
            switch step.progress {
            case .awaitingApproval, .checking: return
            case .recording, .shifting, .baking: try window(errors: 0)
            }
        }
        Issue.record("the bake does not end")
    }

    /// Acknowledged by every router and followed by quiet windows, a rollback is confirmed.
    package mutating func confirmRollback() throws {
        try acknowledge()
        for _ in 0..<4 where try migration.phase.name == "rollingBack" { try window(errors: 0) }
    }

    /// Acknowledges and bakes step after step, until the named one is being baked.
    package mutating func reach(_ stage: Int, _ step: Int, approving: Bool = false) throws {
        if case .planned = try migration.phase { try perform(.start(reason: nil), by: "ana") }
        let target = Position(stage: stage, step: step)
        for _ in 0..<200 where try migration.phase.step?.position != target || migration.phase.step?.bake == nil {
            try acknowledge()
            if approving, case .awaitingApproval = try migration.phase.step?.progress {
                try perform(.approve(stage: "production", step: .all, reason: nil), by: "ana")
                try perform(.approve(stage: "production", step: .all, reason: nil), by: "ben")
            }
            if try migration.phase.step?.position != target { try window(errors: 0) }
        }
        #expect(try migration.phase.step?.position == target)
    }

    package static func window(_ k: Int64, _ migration: Migration, errors: Int?) throws -> Window {
        guard let errors else { return Window(k: k, environments: []) }
        let environments = migration.plan.environments.map { name in
            let share = migration.traffic(in: name)?.effective ?? []
            let services = share.enumerated().map { index, weight in
                var candidate = Counts(), legacy = Counts()
                legacy.requests = 100
                if weight > .zero {
                    candidate.requests = index == 0 ? 100 : 0
                    candidate.errors = index == 0 ? errors : 0
                }
                return ServiceWindow(legacy: legacy, candidate: candidate)
            }
            let routers = migration.routers(in: name).map(\.name)
            return EnvironmentWindow(environment: name, routers: routers, services: services)
        }
        return Window(k: k, environments: environments)
    }
}
