package import MigrationCore

/// Plans for tests, small enough to be read in one look.
package enum SamplePlan {
    /// Two environments, four steps, an approval by two before the last; windows of 10 s, bakes of 30 s.
    package static func plan(
        _ name: String = "m",
        triggers: [Trigger] = [errors],
        window: TimeSpan = .seconds(10),
        bake: TimeSpan = .seconds(30)
    ) -> Plan {
        Plan(
            name: name,
            services: [service("a", 1), service("b", 2)],
            stickyBy: [.header(name: "x-user-id")],
            window: window,
            grace: window,
            stages: [
                Stage(name: "staging", environment: "staging", services: [0, 1], steps: [.all], bake: bake),
                Stage(
                    name: "production",
                    environment: "production",
                    services: [0, 1],
                    steps: [weight(1_000), weight(5_000), .all],
                    bake: bake,
                    approvals: [Approval(before: .all, by: 2, timeout: .hours(1))]
                ),
            ],
            criteria: [Criterion(condition: Condition(metric: .errorRate, side: .below, threshold: 20_000))],
            triggers: triggers,
            watch: .seconds(60),
            expires: .days(1),
            rollbackLimit: .minutes(1)
        )
    }

    /// `error_rate > 5% for 30s`, exit 4 %, max gap 20 s, no data 30 s.
    package static let errors = Trigger(
        condition: Condition(metric: .errorRate, side: .above, threshold: 50_000),
        duration: .seconds(30),
        exit: 40_000,
        maxGap: .seconds(20),
        noData: .seconds(30)
    )

    package static func weight(_ basisPoints: Int) -> Weight { Weight(rawValue: basisPoints) ?? .zero }

    private static func service(_ name: String, _ port: Int) -> Service {
        Service(
            name: name,
            path: "/\(name)",
            legacy: "http://127.0.0.1:\(port)",
            candidate: "http://127.0.0.1:\(port + 100)",
            timeout: .seconds(1)
        )
    }
}
