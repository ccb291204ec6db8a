import MigrationCore
import Randomness

/// Plans of every shape, by chance: what a fleet carries out.
enum RandomPlan {
    static let people = ["ana", "ben"]

    /// - Parameters:
    ///   - window: the length of its windows.
    ///   - number: part of its name.
    static func make(_ number: Int, window: TimeSpan, _ random: inout SplitMix) -> Plan {
        let services = Int.random(in: 1...2, using: &random)
        let hasChecks = random.unit() < 0.4
        let checks = hasChecks ? [check(&random)] : []
        let hasSource = random.unit() < 0.3
        let hasStaging = random.unit() < 0.4
        var stages: [Stage] = []
        if hasStaging {
            stages.append(
                Stage(
                    name: "staging",
                    environment: "staging",
                    services: Array(0..<services),
                    steps: [.all],
                    bake: window * 2
                )
            )
        }
        let isApart = services == 2 && random.unit() < 0.5
        for service in isApart ? [[0], [1]] : [Array(0..<services)] {
            stages.append(stage(service, window, hasChecks, &random))
        }
        let scope: Trigger.Scope = services == 2 && random.unit() < 0.3 ? .service : .all
        return Plan(
            name: "m\(number)",
            services: (0..<services).map { service($0) },
            stickyBy: [.clientIP],
            window: window,
            grace: TimeSpan(rawValue: window.rawValue / 4),
            baseline: random.unit() < 0.2 ? window * 2 : nil,
            sources: hasSource ? [Self.quality] : [],
            checks: checks,
            stages: stages,
            criteria: criteria(&random) + (hasSource ? [Self.good] : []),
            triggers: triggers(window, scope, &random),
            freezes: random.unit() < 0.15 ? [.daily(from: 22 * 60, to: 4 * 60, offset: 0)] : [],
            watch: window * Int64.random(in: 2...8, using: &random),
            expires: .hours(Int64.random(in: 24...200, using: &random)),
            rollbackLimit: window * 2,
            evictAfter: random.unit() < 0.2 ? window * Int64.random(in: 2...6, using: &random) : nil
        )
    }

    private static let quality = Source(
        name: "quality",
        url: "http://127.0.0.1:1/",
        unit: .ratio,
        isBadWhenHigh: false,
        timeout: .seconds(30)
    )

    private static let good = Criterion(condition: Condition(metric: quality.metric, side: .above, threshold: 900_000))

    private static func service(_ index: Int) -> Service {
        let name = index == 0 ? "a" : "b"
        return Service(
            name: name,
            path: "/" + name,
            legacy: "http://127.0.0.1:1",
            candidate: "http://127.0.0.1:2",
            timeout: .seconds(1)
        )
    }

    private static func check(_ random: inout SplitMix) -> Check {
        Check(
            name: "e2e",
            how: random.unit() < 0.5 ? .reported : .process(arguments: ["true"]),
            timeout: .hours(Int64.random(in: 1...4, using: &random)),
            then: random.unit() < 0.5 ? .halt : .rollBack
        )
    }

    private static func stage(_ services: [Int], _ window: TimeSpan, _ hasChecks: Bool, _ random: inout SplitMix)
        -> Stage
    {
        let shapes = [[1_000, 5_000, 10_000], [0, 10_000], [2_500, 10_000], [100, 1_000, 2_500, 5_000, 10_000]]
        let steps = (shapes.randomElement(using: &random) ?? [10_000]).compactMap { Weight(rawValue: $0) }
        let isApproved = random.unit() < 0.4
        let approval = Approval(
            before: .all,
            by: Int.random(in: 1...2, using: &random),
            of: people,
            timeout: .hours(Int64.random(in: 2...6, using: &random)),
            then: random.unit() < 0.7 ? .halt : .rollBack
        )
        return Stage(
            name: services == [1] ? "later" : "production",
            environment: "production",
            services: services,
            steps: steps,
            bake: window * Int64.random(in: 2...4, using: &random),
            approvals: isApproved ? [approval] : [],
            checks: hasChecks ? [0] : [],
            limit: random.unit() < 0.3 ? .hours(Int64.random(in: 3...9, using: &random)) : nil,
            then: random.unit() < 0.7 ? .halt : .rollBack
        )
    }

    /// The first is on the error rate, which the referee works out for himself.
    private static func criteria(_ random: inout SplitMix) -> [Criterion] {
        var criteria = [
            Criterion(condition: Condition(metric: .errorRate, side: .below, threshold: 20_000)),
            Criterion(condition: Condition(metric: .latency(permille: 950), side: .below, threshold: 1_000_000)),
        ]
        if random.unit() < 0.2 {
            criteria.append(
                Criterion(
                    condition: Condition(metric: .errorRate, test: .compared(factor: 5_000_000, alpha: 50_000))
                )
            )
        }
        return criteria
    }

    private static func triggers(_ window: TimeSpan, _ scope: Trigger.Scope, _ random: inout SplitMix) -> [Trigger] {
        [
            Trigger(
                condition: Condition(metric: .errorRate, side: .above, threshold: 50_000),
                duration: window * Int64.random(in: 1...2, using: &random),
                exit: 40_000,
                maxGap: window * 2,
                noData: window * 3,
                scope: scope
            ),
            Trigger(
                condition: Condition(metric: .latency(permille: 950), side: .above, threshold: 2_000_000),
                duration: window * 2,
                exit: 1_500_000,
                maxGap: window * 2,
                noData: nil,
                missing: random.unit() < 0.1 ? .breach : .hold
            ),
        ]
    }
}
