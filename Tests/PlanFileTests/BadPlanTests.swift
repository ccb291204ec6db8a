import MigrationCore
import PlanFile
import Testing

@Suite("Plan files")
struct PlanFileTests {
    static let good = """
        migration: recommendations
        services:
          get: { legacy: "http://127.0.0.1:9101", candidate: "http://127.0.0.1:9201" }
        sticky_by: [header:X-User-Id, cookie:session, client_ip]
        window: 10s
        stages:
          - { name: staging, environment: staging, steps: [100%], bake: 5m }
          - name: production
            environment: production
            steps: [10%, 50%, 100%]
            bake: 30m
            approval: { before: 50%, by: 2 }
        criteria:
          - error_rate < 2%
          - latency.p95 < 30s (minimum 20)
        rollback:
          - error_rate > 2% for 2m
          - cache_hit_rate < 40% for 5m (exit 55%, no data 10m)
        watch: 24h
        expires: 14d

        """

    @Test("a good plan is read as it is written")
    func readsGood() throws {
        let plan = try PlanFile.parse(Self.good, file: "p.yaml")
        #expect(plan.name == "recommendations")
        #expect(plan.stickyBy == [.header(name: "x-user-id"), .cookie(name: "session"), .clientIP])
        #expect(plan.stages[1].steps.map(\.rawValue) == [1_000, 5_000, 10_000])
        #expect(
            plan.stages[1].approvals == [Approval(before: Weight(rawValue: 5_000) ?? .zero, by: 2, timeout: .days(7))]
        )
        #expect(plan.criteria[1].minimum == 20)
        #expect(plan.triggers[0].exit == 16_000)
        #expect(plan.triggers[0].maxGap == .seconds(20))
        #expect(plan.triggers[1].exit == 550_000)
        #expect(plan.triggers[1].noData == .minutes(10))
        #expect(plan.grace == plan.window)
    }

    @Test("rendered and read again, a plan is the same")
    func rendered() throws {
        let plan = try PlanFile.parse(Self.good, file: "p.yaml")
        #expect(try PlanFile.parse(PlanFile.render(plan), file: "again.yaml") == plan)
        let fast = plan.divided(by: 8_640)
        #expect(try PlanFile.parse(PlanFile.render(fast), file: "fast.yaml") == fast)
    }

    /// What is changed in the good plan, and what the message must say: its place, its matter, its mend.
    struct Bad: Sendable, CustomTestStringConvertible {
        var name: String
        var replace: String
        var with: String
        var says: [String]
        var testDescription: String { name }
    }

    static let bad = [
        Bad(
            name: "an unknown key",
            replace: "watch: 24h",
            with: "wach: 24h",
            says: ["p.yaml:19:1", "“wach”", "did you mean “watch”?"]
        ),
        Bad(
            name: "a duplicate key",
            replace: "expires: 14d",
            with: "expires: 14d\nwatch: 1h",
            says: ["p.yaml:19:1", "“watch”", "twice"]
        ),
        Bad(name: "an alias", replace: "window: 10s", with: "window: *w", says: ["p.yaml:5:9", "anchors and aliases"]),
        Bad(
            name: "an anchor",
            replace: "window: 10s",
            with: "window: &w 10s",
            says: ["p.yaml:5:9", "anchors and aliases"]
        ),
        Bad(
            name: "a weight of 101 %",
            replace: "[10%, 50%, 100%]",
            with: "[10%, 50%, 101%]",
            says: ["p.yaml:10:23", "101%", "between 0% and 100%"]
        ),
        Bad(
            name: "a duration without a unit",
            replace: "window: 10s",
            with: "window: 10",
            says: ["p.yaml:5:9", "“10” has no unit", "10s"]
        ),
        Bad(
            name: "a condition with a typo",
            replace: "error_rate < 2%",
            with: "eror_rate < 2%",
            says: ["p.yaml:14:5", "“eror_rate”", "did you mean “error_rate”?"]
        ),
        Bad(
            name: "an empty stage",
            replace: "steps: [100%]",
            with: "steps: []",
            says: ["p.yaml:7:51", "steps is empty"]
        ),
        Bad(
            name: "a duration that would overflow",
            replace: "watch: 24h",
            with: "watch: 213503983d",
            says: ["p.yaml:19:8", "longer than ten years"]
        ),
        Bad(
            name: "no percent sign",
            replace: "error_rate > 2% for",
            with: "error_rate > 2 for",
            says: ["p.yaml:17:18", "“2” is not a percentage"]
        ),
        Bad(
            name: "a trigger without its duration",
            replace: "> 2% for 2m",
            with: "> 2%",
            says: ["p.yaml:17:", "“for” is missing"]
        ),
        Bad(
            name: "an exit beyond the threshold",
            replace: "exit 55%",
            with: "exit 30%",
            says: ["p.yaml:18", "healthy side"]
        ),
        Bad(
            name: "a bake shorter than a trigger",
            replace: "bake: 5m",
            with: "bake: 1m",
            says: ["p.yaml:7:5", "shorter than the longest trigger"]
        ),
        Bad(
            name: "an approval before no step",
            replace: "before: 50%",
            with: "before: 40%",
            says: ["p.yaml:12", "40 % is not a step"]
        ),
        Bad(
            name: "an address that is none",
            replace: "\"http://127.0.0.1:9101\"",
            with: "localhost",
            says: ["p.yaml:3", "http://host:port"]
        ),
        Bad(
            name: "a list where a mapping belongs",
            replace: "watch: 24h",
            with: "watch: [24h]",
            says: ["p.yaml:19", "watch is a text"]
        ),
        Bad(name: "no YAML", replace: "watch: 24h", with: "watch: \"24h", says: ["p.yaml:", "not YAML"]),
        Bad(
            name: "a name with a space",
            replace: "migration: recommendations",
            with: "migration: my plan",
            says: ["p.yaml:1:12", "not a name"]
        ),
        Bad(name: "a missing key", replace: "watch: 24h\n", with: "", says: ["p.yaml:1:1", "lacks “watch”"]),
    ]

    @Test("bad plans are refused with place, matter and mend", arguments: bad)
    func refuses(_ bad: Bad) throws {
        let text = Self.good.replacing(bad.replace, with: bad.with)
        #expect(text != Self.good)
        let error = try #require(throws: PlanError.self) { try PlanFile.parse(text, file: "p.yaml") }
        for part in bad.says { #expect(error.description.contains(part), "\(error.description)") }
    }

    @Test("several mistakes are told at once, in the order of their places")
    func several() throws {
        let text = Self.good.replacing("window: 10s", with: "window: 10").replacing(
            "expires: 14d",
            with: "expires: soon"
        )
        let error = try #require(throws: PlanError.self) { try PlanFile.parse(text, file: "p.yaml") }
        #expect(error.problems.map(\.line) == [5, 20])
    }

    @Test("hostile sizes and depths are refused quickly")
    func hostile() {
        let texts = [
            String(repeating: "a", count: 10 << 20), String(repeating: "[", count: 200_000),
            String(repeating: "- ", count: 120_000),
            String(repeating: "{a: ", count: 60_000), String(repeating: "? ", count: 120_000), "", "\u{0}",
            "---\n---\n",
            (0..<700).map { String(repeating: " ", count: $0) + "a:" }.joined(separator: "\n"),
        ]
        for text in texts {
            #expect(throws: PlanError.self) { try PlanFile.parse(text, file: "p.yaml") }
        }
    }
}
