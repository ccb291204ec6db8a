import MigrationCore
import PlanFile
import Testing

@Suite("The whole plan language")
struct RichPlanTests {
    static let rich = """
        migration: shop
        services:
          reads:  { legacy: "http://127.0.0.1:9101", candidate: "https://127.0.0.1:9201", fallback: legacy, shadow: 2.5%, only_reads: true, shadow_ignores: [result.timestamp, "result.list[].id"] }
          writes: { legacy: "http://127.0.0.1:9101", candidate: "http://127.0.0.1:9201" }
        sticky_by: [client_ip]
        window: 10s
        baseline: record 10m
        checks:
          e2e: { run: ["/usr/bin/env", "true"], timeout: 5m, then: rollback }
          load: { webhook: "http://127.0.0.1:9/load", timeout: 20m }
          drill: { timeout: 1d }
        stages:
          - name: writes
            environment: production
            services: [writes]
            after: reads
            steps: [0%, 100%]
            bake: 10m
            checks: [e2e, drill]
            approval:
              - { before: 0%, by: 1, of: [ana, ben] }
              - { before: 100%, by: 2, timeout: 1h, then: rollback }
            criteria:
              - availability > 99%
            rollback:
              - availability < 98% for 1m
            limit: 6h
            then: rollback
          - name: reads
            environment: production
            services: [reads]
            after: []
            steps: [10%, 100%]
            bake: 10m
        criteria:
          - timeout_rate improved by 87% on baseline
          - error_rate no worse than legacy by 1.5x (confidence 99%, minimum 20)
          - latency.p99.9 no worse than legacy by mann-whitney (over 20m)
          - latency.mean < 800ms
          - throughput > 0.5/s
        rollback:
          - slow_rate(2s) > 5% for 1m (scope service)
          - error_rate worse than legacy by 2x (confidence 99%)
          - error_rate burn rate > 14.4 over 1h/5m (objective 99.5%)
          - latency.p95 worse than legacy by mann-whitney for 30s (confidence 99%, over 10m)
        freeze:
          - fri 16:00 - mon 08:00 +02:00
          - daily 22:00 - 06:00
          - 2026-12-24 - 2027-01-02 12:30
        watch: 24h
        expires: 14d
        routers: { away: 10m, then: evict }

        """

    @Test("everything is read as it is written, and stages stand in the order in which they come")
    func reads() throws {
        let plan = try PlanFile.parse(Self.rich, file: "p.yaml")
        #expect(plan.stages.map(\.name) == ["reads", "writes"])
        #expect(plan.stages.map(\.services) == [[0], [1]])
        #expect(plan.baseline == .minutes(10))
        #expect(plan.checks[0].how == .process(arguments: ["/usr/bin/env", "true"]))
        #expect(plan.checks[0].then == .rollBack)
        #expect(plan.checks[1].how == .webhook(url: "http://127.0.0.1:9/load"))
        #expect(plan.checks[2].how == .reported)
        let writes = plan.stages[1]
        #expect(writes.checks == [0, 2])
        #expect(writes.approvals.map(\.of) == [["ana", "ben"], nil])
        #expect(writes.approvals[1].then == .rollBack)
        #expect(writes.criteria?.count == 1)
        #expect(plan.triggers(at: 1).map(\.description) == ["availability < 98% for 1m"])
        #expect(writes.limit == .hours(6))
        #expect(plan.criteria[0].condition.test == .improved(by: 870_000))
        #expect(plan.criteria[1].condition.test == .compared(factor: 1_500_000, alpha: 10_000))
        #expect(plan.criteria[1].minimum == 20)
        #expect(plan.criteria[2].condition.metric == .latency(permille: 999))
        #expect(plan.criteria[2].condition.test == .ranked(alpha: 50_000, over: .minutes(20)))
        #expect(plan.criteria[4].condition.test == .threshold(side: .above, value: 500))
        #expect(plan.triggers[0].condition.metric == .slowRate(over: .seconds(2)))
        #expect(plan.triggers[0].scope == .service)
        let burn = Condition.Test.burning(rate: 14_400, long: .hours(1), short: .minutes(5), objective: 995_000)
        #expect(plan.triggers[2].condition.test == burn)
        #expect(plan.triggers[3].duration == .seconds(30))
        #expect(plan.guards(at: 0).map(\.service) == [0, 1, nil, nil, nil])
    }

    @Test("rendered and read again, it is the same, at any speed")
    func rendered() throws {
        let plan = try PlanFile.parse(Self.rich, file: "p.yaml")
        #expect(try PlanFile.parse(PlanFile.render(plan), file: "again.yaml") == plan)
        for speed: Int64 in [7, 100, 8_640] {
            let fast = plan.divided(by: speed)
            #expect(try PlanFile.parse(PlanFile.render(fast), file: "fast.yaml") == fast)
        }
    }

    struct Bad: Sendable, CustomTestStringConvertible {
        var replace: String
        var with: String
        var says: [String]
        var testDescription: String { with }

        init(_ replace: String, _ with: String, _ says: String...) {
            self.replace = replace
            self.with = with
            self.says = says
        }
    }

    static let bad = [
        Bad("services: [writes]", "services: [write]", "p.yaml:15:16", "“write”", "did you mean “writes”?"),
        Bad("services: [writes]", "services: [writes, writes]", "p.yaml:15", "stands here twice"),
        Bad("services: [reads]", "services: [writes]", "no stage moves reads"),
        Bad("after: reads", "after: read", "comes after “read”", "did you mean “reads”?"),
        Bad("after: []", "after: [writes]", "wait for each other", "reads after writes", "writes after reads"),
        Bad("steps: [0%, 100%]", "steps: [100%, 10%]", "p.yaml:17", "weights rise"),
        Bad("checks: [e2e, drill]", "checks: [e2e, dril]", "p.yaml:19", "did you mean “drill”?"),
        Bad("    checks: [e2e, drill]\n", "", "0% shows nothing", "give the stage checks"),
        Bad("of: [ana, ben]", "of: []", "of is empty"),
        Bad("by: 1, of: [ana, ben]", "by: 3, of: [ana, ben]", "3 people must approve, and 2 may"),
        Bad("before: 0%, by", "before: 100%, by", "two approvals are before the same step"),
        Bad("1h, then: rollback", "1h, then: stop", "nothing that a gate does", "halt"),
        Bad("timeout: 1d }", "timout: 1d }", "did you mean “timeout”?"),
        Bad("drill: { timeout: 1d }", "drill: { then: halt }", "lacks “timeout”"),
        Bad("\"http://127.0.0.1:9/load\"", "load.example", "p.yaml:10", "http://host:port/path"),
        Bad("run: [\"/usr/bin/env\", \"true\"]", "run: []", "run is empty"),
        Bad("run: [\"/usr/bin/env\", \"true\"]", "run: [\"/usr/bin/env\", \"a\\0b\"]", "an argument has a zero byte"),
        Bad("timeout: 20m", "run: [a], timeout: 20m", "run or webhook, not both"),
        Bad("record 10m", "10m", "p.yaml:7:11", "write: record 10m"),
        Bad("record 10m", "record 40d", "up to 30d"),
        Bad("baseline: record 10m\n", "", "needs a baseline", "add to the plan: baseline"),
        Bad("timeout_rate improved by 87% on baseline", "timeout_rate < 1%", "no criterion compares with the baseline"),
        Bad("improved by 87% on", "improved by 87% from", "“on” is expected here"),
        Bad(
            "no worse than legacy by 1.5x (confidence 99%,",
            "worse than legacy by 1.5x (",
            "a criterion says what is good"
        ),
        Bad(
            "error_rate worse than legacy by 2x",
            "error_rate no worse than legacy by 2x",
            "a trigger says what is bad"
        ),
        Bad("by 1.5x", "by 1.5", "“1.5” is not a factor", "write 1.5x"),
        Bad("by 1.5x", "by 0.001x", "between 0.01x and 1000x"),
        Bad(
            "latency.p99.9 no worse than legacy by mann-whitney (over 20m)",
            "latency.p99.9 no worse than legacy by 2x",
            "is none",
            "mann-whitney"
        ),
        Bad("confidence 99%, minimum", "confidence 20%, minimum", "between 50% and 99.9999%"),
        Bad("confidence 99%, minimum", "exit 1%, minimum", "no setting “exit” here"),
        Bad("over 1h/5m", "over 5m/1h", "the first time is the longer one"),
        Bad("over 1h/5m", "over 1h", "over two times"),
        Bad("objective 99.5%", "objective 100%", "leaves no budget"),
        Bad("burn rate > 14.4", "burn rate > fast", "“fast” is not a number"),
        Bad("slow_rate(2s)", "slow_rate(2)", "has no unit"),
        Bad("slow_rate(2s)", "slow_rate", "“(” is expected here"),
        Bad("scope service", "scope services", "did you mean “service”?"),
        Bad("latency.p99.9", "latency.p100", "no metric “latency.p100”"),
        Bad("throughput > 0.5/s", "throughput > 0.5", "not a rate", "by the second"),
        Bad("fri 16:00", "fry 16:00", "p.yaml:47", "is not a time"),
        Bad("22:00", "25:00", "is not a time"),
        Bad("2026-12-24 -", "2026-02-30 -", "is not a time"),
        Bad("2026-12-24 -", "2028-12-24 -", "ends before it begins"),
        Bad("availability < 98% for 1m", "availability < 99.5% for 1m", "stricter than the criterion"),
        Bad("bake: 10m\n    checks", "bake: 30s\n    checks", "shorter than the longest trigger"),
        Bad("limit: 6h", "limit: 5m", "is over before its bake"),
    ]

    @Test("what is wrong is refused with place, matter and mend", arguments: bad)
    func refuses(_ bad: Bad) throws {
        let indented = Self.rich
        let text = indented.replacing(bad.replace, with: bad.with)
        try #require(text != indented)
        let error = try #require(throws: PlanError.self) { try PlanFile.parse(text, file: "p.yaml") }
        for part in bad.says { #expect(error.description.contains(part), "\(error.description)") }
    }

    @Test("a later stage of an environment does not take a service back")
    func falling() throws {
        let text = Self.rich.replacing("services: [writes]", with: "services: [reads, writes]")
        let error = try #require(throws: PlanError.self) { try PlanFile.parse(text, file: "p.yaml") }
        #expect(error.description.contains("takes reads from 100 % in reads back to 0 %"))
    }
}
