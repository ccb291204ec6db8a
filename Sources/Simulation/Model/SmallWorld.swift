package import MigrationCore

/// A plan and limits small enough that everything that can happen is tried.
package struct SmallWorld: Sendable {
    package var name: String
    package var plan: Plan
    /// How many routers each environment has.
    package var routers: Int
    package var limits: Limits

    /// How often each thing may happen on one path. What is refused or changes nothing costs nothing.
    package struct Limits: Hashable, Sendable {
        /// Commands by people that change something.
        package var people: Int
        /// Commits whose worker does not hear what became of them.
        package var crashes: Int
        /// Routers that restart.
        package var restarts: Int
        /// Failovers that lose the last commit.
        package var losses: Int

        package init(people: Int, crashes: Int = 1, restarts: Int = 1, losses: Int = 0) {
            self.people = people
            self.crashes = crashes
            self.restarts = restarts
            self.losses = losses
        }
    }

    /// A window is 10 s, and time passes by half of one.
    package static let tick = TimeSpan.seconds(5)
}

extension SmallWorld {
    /// The standing search: what every landing is held to.
    package static let all = [oneService, unattended, twoServices, gates, lostTail]

    /// Two routers that hear of each weight at their own time, and an approval by two before 100 %.
    package static let oneService = SmallWorld(
        name: "one service, two routers",
        plan: plan(
            services: 1,
            stages: [
                Stage(
                    name: "p",
                    environment: "p",
                    services: [0],
                    steps: [half, .all],
                    bake: .seconds(10),
                    approvals: [Approval(before: .all, by: 2, of: ["ana", "ben"], timeout: .hours(1))]
                )
            ],
            scope: .all
        ),
        routers: 2,
        limits: Limits(people: 1)
    )

    /// The same with two commands by people on one path: only where a mistake needs them.
    static let twoPeople: SmallWorld = {
        var small = oneService
        small.limits.people = 2
        return small
    }()

    /// The same with nobody there: what happens by itself is followed further.
    package static let unattended: SmallWorld = {
        var small = oneService
        small.name = "the same, unattended"
        small.plan.stages[0].approvals = []
        small.limits.people = 0
        return small
    }()

    /// A service that moves after another, each guarded by itself.
    package static let twoServices = SmallWorld(
        name: "two services, each taken back alone",
        plan: plan(
            services: 2,
            stages: [
                Stage(name: "a", environment: "p", services: [0], steps: [.all], bake: .seconds(10)),
                Stage(name: "b", environment: "p", services: [1], steps: [half, .all], bake: .seconds(10)),
            ],
            scope: .service
        ),
        routers: 1,
        limits: Limits(people: 1)
    )

    /// A step of 0 %, a check whose failure rolls back, and a limit on the step.
    package static let gates = SmallWorld(
        name: "gates",
        plan: plan(
            services: 1,
            stages: [
                Stage(
                    name: "p",
                    environment: "p",
                    services: [0],
                    steps: [.zero, .all],
                    bake: .seconds(10),
                    checks: [0],
                    limit: .seconds(60)
                )
            ],
            scope: .all,
            checks: [Check(name: "e2e", how: .reported, timeout: .seconds(20), then: .rollBack)]
        ),
        routers: 1,
        limits: Limits(people: 2)
    )

    /// A failover that loses the last commit, which a router may have heard of.
    package static let lostTail = SmallWorld(
        name: "a lost tail",
        plan: plan(
            services: 1,
            stages: [Stage(name: "p", environment: "p", services: [0], steps: [half, .all], bake: .seconds(10))],
            scope: .all
        ),
        routers: 1,
        limits: Limits(people: 1, losses: 1)
    )

    static let half = Weight(rawValue: 5_000) ?? .zero

    /// `error_rate > 5% for 20s` over windows of 10 s.
    private static func plan(services: Int, stages: [Stage], scope: Trigger.Scope, checks: [Check] = []) -> Plan {
        Plan(
            name: "m",
            services: (0..<services).map { index in
                Service(
                    name: index == 0 ? "a" : "b",
                    path: index == 0 ? "/a" : "/b",
                    legacy: "http://127.0.0.1:1",
                    candidate: "http://127.0.0.1:2",
                    timeout: .seconds(1)
                )
            },
            stickyBy: [.clientIP],
            window: .seconds(10),
            grace: .seconds(5),
            checks: checks,
            stages: stages,
            criteria: [Criterion(condition: Condition(metric: .errorRate, side: .below, threshold: 20_000))],
            triggers: [
                Trigger(
                    condition: Condition(metric: .errorRate, side: .above, threshold: 50_000),
                    duration: .seconds(20),
                    exit: 40_000,
                    maxGap: .seconds(10),
                    noData: .seconds(20),
                    scope: scope
                )
            ],
            watch: .seconds(10),
            expires: .days(30),
            rollbackLimit: .minutes(1)
        )
    }
}
