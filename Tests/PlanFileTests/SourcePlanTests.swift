import MigrationCore
import PlanFile
import Testing

@Suite("Sources of measurements in a plan")
struct SourcePlanTests {
    static let text = """
        migration: shop
        services: { a: { legacy: "http://127.0.0.1:9101", candidate: "http://127.0.0.1:9201" } }
        sticky_by: [client_ip]
        window: 10s
        sources:
          quality: { url: "http://127.0.0.1:9/q?env={environment}&from={from}&to={to}", unit: ratio, better: high }
          queue: { url: "https://127.0.0.1:9/queue", unit: number, timeout: 2s }
          errors:
            prometheus: "http://127.0.0.1:9090/"
            value: 'sum(increase(bad{side="{implementation}"}[{window}]))'
            of: 'sum(increase(all{side="{implementation}"}[{window}]))'
            unit: ratio
          score: { sql: "select side as implementation, avg(x) as value, count(*) as of from s group by 1", database: SHOP_DATABASE_URL, unit: number, better: high }
        stages: [{ name: p, environment: p, steps: [50%, 100%], bake: 10m }]
        criteria:
          - quality > 95% (minimum 20)
          - quality no worse than legacy by 1.2x
          - timeout_rate no worse than legacy by 2x (users 30)
        rollback:
          - queue > 100 for 2m
          - queue worse than legacy by mann-whitney
          - errors > 5% for 1m
          - score < 0.5 for 1m
        watch: 24h
        expires: 14d

        """

    @Test("what is measured elsewhere is a metric by its name, and users may be counted instead of requests")
    func reads() throws {
        let plan = try PlanFile.parse(Self.text, file: "p.yaml")
        #expect(plan.sources.map(\.name) == ["quality", "queue", "errors", "score"])
        #expect(plan.sources.map(\.isBadWhenHigh) == [false, true, true, false])
        #expect(plan.sources.map(\.timeout) == [.seconds(5), .seconds(2), .seconds(5), .seconds(5)])
        #expect(plan.sources[2].url == "http://127.0.0.1:9090")
        let quality = Metric.named(name: "quality", unit: .ratio, isBadWhenHigh: false)
        #expect(
            plan.criteria[0]
                == Criterion(condition: Condition(metric: quality, side: .above, threshold: 950_000), minimum: 20)
        )
        #expect(
            plan.criteria[1].condition == Condition(metric: quality, test: .compared(factor: 1_200_000, alpha: 50_000))
        )
        #expect(plan.criteria[2].condition.test == .compared(factor: 2_000_000, alpha: 50_000, users: 30))
        let queue = Metric.named(name: "queue", unit: .number, isBadWhenHigh: true)
        #expect(plan.triggers[0].condition == Condition(metric: queue, side: .above, threshold: 100_000_000))
        #expect(try PlanFile.parse(PlanFile.render(plan), file: "p.yaml") == plan)
    }

    private static let wrong: [(String, String, String)] = [
        ("unit: ratio", "unit: share", "6:87: “share” is no unit\n  it may be: ratio, time, rate, number"),
        ("better: high", "better: hi", "“hi” is no better"),
        (
            "http://127.0.0.1:9/q", "127.0.0.1:9/q",
            "6:19: “127.0.0.1:9/q?env={environment}&from={from}&to={to}” is not an address"
        ),
        ("{from}", "{start}", "has braces that nothing fills\n  these are filled: {environment}, {from}, {to}"),
        ("  queue: {", "  error_rate: {", "7:3: error_rate is measured by the gateways already"),
        (
            "  - queue > 100 for 2m\n  - queue worse than legacy by mann-whitney", "  - error_rate > 5% for 1m",
            "no condition asks for queue"
        ),
        ("timeout: 2s", "timeout: 5m", "a source answers within 1m"),
        ("    value: 'sum(increase(bad", "    val: 'sum(increase(bad", "“value”"),
        ("    of: 'sum", "    database: X\n    value: 'sum", "value"),
        ("database: SHOP_DATABASE_URL, ", "", "a source in SQL lacks “database”"),
        ("database: SHOP_DATABASE_URL", "database: \"host=x password=y\"", "a password has no place in a plan"),
        (
            "    prometheus: ", "    url: \"http://127.0.0.1:1/\"\n    prometheus: ",
            "a source is asked at one of url, prometheus and sql"
        ),
        ("quality > 95%", "qualty > 95%", "there is no metric “qualty”\n  did you mean “quality”?"),
        ("users 30", "users many", "“many” is not a number of users"),
        (
            "timeout_rate no worse", "slow_rate(2s) no worse",
            "users are counted for error_rate and timeout_rate, and not for slow_rate(2s)"
        ),
        ("unit: number, ", "", "a source lacks “unit”"),
        (
            "quality no worse than legacy by 1.2x", "quality improved by 10% on baseline",
            "the baseline of quality is not recorded"
        ),
    ]

    @Test("what is wrong with a source is refused with place, matter and mend", arguments: wrong.indices)
    func refuses(_ index: Int) throws {
        let (good, bad, says) = Self.wrong[index]
        #expect(Self.text.contains(good))
        let error = try #require(throws: PlanError.self) {
            try PlanFile.parse(Self.text.replacing(good, with: bad), file: "p.yaml")
        }
        #expect(error.description.contains(says), "\(error.description)")
    }
}
