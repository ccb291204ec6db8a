import AsyncHTTPClient
import Cache
import Callable
import Foundation
import JSON
import LanguageModel
import Logging
import MigrationCore
import NIOCore
import NIOHTTP1
import PlanFile
import Postgres
import Recommendations
import Resumes
import Routing
import TestSupport
import Testing
import Worker

/// What the first implementation of this migration got wrong, by the numbers of 5-recommendations.md: of the controller's faults the controller is
/// asked, of the services' the services.
@Suite("The twelve faults", .database)
struct FaultTests {
    private func shop(_ model: (any LanguageModel)? = nil) async throws -> TestShop {
        let shop = try await TestShop(model: model)
        try await shop.store.put(TestShop.resume, into: "job", of: "ana")
        return shop
    }

    @Test("1: a metric that cannot be read is an error, and never healthy: no step goes on with it")
    func one() async throws {
        var plan = SamplePlan.plan()
        plan.sources = [
            Source(
                name: "quality",
                url: "",
                query: .sql(
                    query: "select implementation, value, \"of\" from nowhere.at_all",
                    database: "MIGRATE_TEST_DATABASE"
                ),
                unit: .ratio,
                isBadWhenHigh: false,
                timeout: .seconds(5)
            )
        ]
        let metric = Metric.named(name: "quality", unit: .ratio, isBadWhenHigh: false)
        plan.criteria = [Criterion(condition: Condition(metric: metric, side: .above, threshold: 950_000))]
        var logger = Logger(label: "sources")
        logger.logLevel = .critical
        let reader = SourceReader(plan: plan, k: 170_000_000, environment: "staging", logger: logger)
        let (said, failure) = await reader.answer(plan.sources[0])
        #expect(said.reading == Reading(candidate: nil, legacy: nil, isFailed: true))
        #expect(failure?.contains("nowhere") ?? false)
        var migration = try MigrationScenario(plan)
        try migration.reach(0, 0)
        let begun = try migration.migration.phase.step?.position
        for _ in 0..<40 {
            let now = try migration.migration
            let k = try #require(now.nextWindow)
            migration.now = max(migration.now, plan.clock.end(of: k) + plan.grace)
            var window = try MigrationScenario.window(k, now, errors: 0)
            window.environments[0].readings = ["quality": said.reading]
            try migration.perform(.sealWindow(window: window))
            #expect(try migration.migration.judgement?.criteria.first?.verdict == .error)
        }
        #expect(try migration.migration.phase.step?.position == begun)
        // Nor is there a rate of nothing.
        #expect(CacheCounts().hitRate == nil)
    }

    private static let thresholds: [(trigger: String, bad: Counts)] = [
        ("error_rate > 5% for 20s", counts { $0.errors = 9 }),
        ("timeout_rate > 5% for 20s", counts { $0.timeouts = 9 }),
        ("latency.p95 > 500ms for 20s", counts { $0.latency = LatencyHistogram([.init(micros: 700_000, count: 100)]) }),
        (
            "latency.mean > 500ms for 20s",
            counts { $0.latency = LatencyHistogram([.init(micros: 700_000, count: 100)]) }
        ),
        (
            "slow_rate(500ms) > 5% for 20s",
            counts { $0.latency = LatencyHistogram([.init(micros: 700_000, count: 100)]) }
        ),
        ("throughput < 5/s for 20s", counts { $0.requests = 20 }),
        (
            "cache_hit_rate < 60% for 20s",
            counts {
                $0.cacheHits = 10; $0.cacheMisses = 90
            }
        ),
        (
            "availability < 99% for 20s",
            counts {
                $0.probesUp = 5; $0.probesDown = 5
            }
        ),
        (
            "difference > 5% for 20s",
            counts {
                $0.compared = 100; $0.different = 30
            }
        ),
    ]

    private static func counts(_ change: (inout Counts) -> Void) -> Counts {
        var counts = MigrationScenario.counts(100)
        counts.latency = LatencyHistogram([.init(micros: 10_000, count: 100)])
        counts.cacheHits = 90
        counts.cacheMisses = 10
        counts.probesUp = 10
        counts.compared = 100
        change(&counts)
        return counts
    }

    @Test(
        "2: every threshold that a plan can state is checked: beyond it traffic is rolled back, and before it not",
        arguments: thresholds.indices
    )
    func two(_ index: Int) throws {
        let (text, bad) = Self.thresholds[index]
        for (counts, phase) in [(bad, "rollingBack"), (Self.counts { _ in }, "running")] {
            var plan = SamplePlan.plan(
                triggers: [try ConditionText.trigger(text, window: .seconds(10))],
                bake: .hours(1)
            )
            plan.criteria = []
            var migration = try MigrationScenario(plan)
            try migration.perform(.start(reason: nil), by: "ana")
            try migration.acknowledge()
            for _ in 0..<5 where try migration.migration.phase.name == "running" {
                try migration.window { environment, _, side in
                    environment == "staging" && side == .candidate ? counts : Counts()
                }
            }
            #expect(try migration.migration.phase.name == phase, "\(text)")
        }
    }

    @Test(
        "3: an approval is people's and no pause, a rollback is done and not only told, and one service's is not all's"
    )
    func three() throws {
        var migration = try MigrationScenario()
        try migration.reach(1, 1)
        try migration.bake()
        let awaiting = try migration.migration.phase.step?.position
        for _ in 0..<30 { try migration.window(errors: 0) }
        #expect(try migration.migration.phase.step?.position == awaiting)
        try migration.perform(.approve(stage: "production", step: .all, reason: nil), by: "ana")
        #expect(try migration.migration.phase.step?.position == awaiting)
        try migration.perform(.approve(stage: "production", step: .all, reason: nil), by: "ben")
        #expect(try migration.migration.phase.step?.position == Position(stage: 1, step: 2))
        // One service's flag takes that one's traffic back.
        try migration.perform(.setFlag(service: "a", enabled: false, reason: "r"), by: "ana")
        #expect(try migration.migration.traffic(in: "production")?.effective == [.zero, .all])
        // A rollback takes all of it, in every environment, and is over when it was seen to be.
        try migration.perform(.rollBack(reason: "r"), by: "ana")
        for environment in ["staging", "production"] {
            #expect(try migration.migration.traffic(in: environment)?.effective == [.zero, .zero])
        }
        #expect(try migration.migration.phase.name == "rollingBack")
        try migration.confirmRollback()
        #expect(try migration.migration.phase.name == "rolledBack")
    }

    @Test("4: a rollback is judged by what came after it, not by the window that caused it")
    func four() throws {
        var migration = try MigrationScenario()
        try migration.reach(1, 0)
        for _ in 0..<6 where try migration.migration.phase.name == "running" { try migration.window(errors: 50) }
        #expect(try migration.migration.phase.name == "rollingBack")
        // Windows in which nobody was sent to the candidate say nothing before every router has the rollback.
        for _ in 0..<3 { try migration.window(errors: 0) }
        #expect(try migration.migration.phase.name == "rollingBack")
        try migration.acknowledge()
        #expect(try migration.migration.phase.name == "rollingBack")
        // One that still shows candidate traffic denies it.
        try migration.window { environment, service, side in
            MigrationScenario.counts(environment == "production" && service == 0 ? 5 : side == .legacy ? 100 : 0)
        }
        #expect(try migration.migration.phase.name == "rollingBack")
        try migration.confirmRollback()
        #expect(try migration.migration.phase.name == "rolledBack")
    }

    private static func ask(_ url: String, user: String?) async throws -> String? {
        var request = HTTPClientRequest(url: url + "/a")
        if let user { request.headers.add(name: "x-user-id", value: user) }
        let response = try await HTTPClient.shared.execute(request, timeout: .seconds(5))
        _ = try await response.body.collect(upTo: 1 << 16)
        return response.headers.first(name: "x-migrate-implementation")
    }

    /// A gateway between two upstreams while the body runs.
    private func gateway(_ first: RouteTable, _ body: @Sendable (TestGateway, String) async throws -> Void) async throws
    {
        let state = FileManager.default.temporaryDirectory.appendingPathComponent("fault-\(UUID().uuidString).json")
        defer { try? FileManager.default.removeItem(at: state) }
        let legacy = try await TestUpstream(.answers("old")), candidate = try await TestUpstream(.answers("new"))
        let gateway = TestGateway()
        try await gateway.serve(
            TestGateway.plan(legacy: legacy.port, candidate: candidate.port),
            state: state,
            first: first
        ) { try await body(gateway, $0) }
        await legacy.close()
        await candidate.close()
    }

    @Test(
        "5: no cache stands between a rollback and the traffic: the first request after its acknowledgement goes to legacy; nor between a change and an answer"
    )
    func five() async throws {
        try await gateway(TestGateway.table(1, .all)) { gateway, url in
            for turn in 0..<20 {
                let back = Int64(turn * 2 + 2)
                #expect(try await Self.ask(url, user: "u") == "candidate")
                gateway.route(TestGateway.table(back, .zero))
                try await eventually("the rollback's acknowledgement") { gateway.acknowledged.contains(back) }
                #expect(try await Self.ask(url, user: "u") == "legacy")
                gateway.route(TestGateway.table(back + 1, .all))
                try await eventually("the acknowledgement") { gateway.acknowledged.contains(back + 1) }
            }
        }
        let shop = try await shop(), other = try await TestShop()
        let preview: JSONValue = ["jobId": "job", "recommendationId": "weak_opener-work-0-highlights-0"]
        _ = try await shop.ask(.getRecommendations, ["jobId": "job"])
        _ = try await shop.ask(.previewImprovement, preview)
        _ = try await other.ask(
            .customizePlaceholders,
            [
                "jobId": "job", "recommendationId": "weak_opener-work-0-highlights-0",
                "placeholderValues": ["ACTION_VERB": "Ran"],
            ]
        )
        // Another process changed it: this one's memory is asked with another number.
        let seen = try await shop.ask(.previewImprovement, preview)
        #expect(seen.data["afterContent"]?.string?.hasPrefix("Ran ") ?? false)
        // Nor an answer that was begun before the résumé was another.
        let before = try await shop.ask(.getRecommendations, ["jobId": "job"])
        try await shop.store.put(["basics": ["name": "B"]], into: "job", of: "ana")
        let after = try await shop.ask(.getRecommendations, ["jobId": "job"])
        #expect(after.data["cached"] == false && after.data["recommendations"] != before.data["recommendations"])
    }

    @Test("6: callers without a user come under the percentage too, and each service has its own")
    func six() async throws {
        for (weight, allowed) in [(Weight.zero, ["legacy"]), (.all, ["candidate"])] {
            try await gateway(TestGateway.table(1, weight)) { _, url in
                for _ in 0..<50 {
                    let answered = try await Self.ask(url, user: nil) ?? ""
                    #expect(allowed.contains(answered))
                }
            }
        }
        try await gateway(TestGateway.table(1, SamplePlan.weight(5_000))) { _, url in
            var candidates = 0
            for _ in 0..<400 where try await Self.ask(url, user: nil) == "candidate" { candidates += 1 }
            // Half of them, within what chance does once in a million.
            #expect((150...250).contains(candidates), "\(candidates) of 400")
        }
        var migration = try MigrationScenario()
        try migration.reach(1, 1)
        try migration.perform(
            .setWeight(weight: SamplePlan.weight(1_000), service: "a", environment: "production", reason: "r"),
            by: "ana"
        )
        #expect(
            try migration.migration.traffic(in: "production")?.effective == [
                SamplePlan.weight(1_000), SamplePlan.weight(5_000),
            ]
        )
        let shop = try await shop()
        for operation in Operation.allCases {
            #expect(await shop.status(operation, ["jobId": "job"], user: nil) == .unauthenticated)
        }
    }

    @Test("7: an error is an error to whoever counts, and never inside a success")
    func seven() async throws {
        let shop = try await shop()
        let cases: [(Operation, JSONValue)] = [
            (.getRecommendations, ["jobId": "none"]),
            (.previewImprovement, ["jobId": "job", "recommendationId": "none"]),
            (.applyImprovements, ["jobId": "job", "selectedRecommendationIds": ["none"]]),
        ]
        for (operation, data) in cases {
            for legacy in [false, true] { #expect(await shop.status(operation, data, legacy: legacy) == .notFound) }
        }
    }

    @Test("8: invalidation is by what an answer rests on, whatever stands in its name")
    func eight() async throws {
        let shop = try await shop()
        for job in ["job*", "job%", "jo"] { try await shop.store.put(TestShop.resume, into: job, of: "ana") }
        for job in ["job", "job*", "job%", "jo"] {
            _ = try await shop.ask(.getRecommendations, ["jobId": .string(job)])
        }
        try await shop.cache.invalidate(CacheTag("job", "job*"))
        for (job, isKept) in [("job", true), ("job*", false), ("job%", true), ("jo", true)] {
            #expect(
                try await shop.ask(.getRecommendations, ["jobId": .string(job)]).data["cached"] == .bool(isKept),
                "\(job)"
            )
        }
    }

    @Test("9: a key has the user in it, and ownership comes before the cache")
    func nine() async throws {
        let shop = try await shop()
        let preview: JSONValue = ["jobId": "job", "recommendationId": "weak_opener-work-0-highlights-0"]
        _ = try await shop.ask(.getRecommendations, ["jobId": "job"])
        _ = try await shop.ask(.previewImprovement, preview)
        let before = shop.cache.counts.lookUps
        #expect(await shop.status(.previewImprovement, preview, user: "eve") == .permissionDenied)
        #expect(await shop.status(.getRecommendations, ["jobId": "job"], user: "eve") == .permissionDenied)
        #expect(shop.cache.counts.lookUps == before)
        #expect(CacheKey(user: "eve", "x") != CacheKey(user: "ana", "x"))
    }

    @Test("10: one setting says how long, and a tier that is not there says so")
    func ten() async throws {
        let shop = try await shop()
        let answer = try await shop.ask(.getRecommendations, ["jobId": "job"])
        #expect(answer.cacheStatus == "recommendations; fwd=miss; stored")
        let status = try #require(try await shop.ask(.getRecommendations, ["jobId": "job"]).cacheStatus)
        let rest = try #require(status.split(separator: "=").last.flatMap { Int($0) })
        // 300 s, a tenth more or less.
        #expect((269...330).contains(rest))
        let nobody = PostgresTier(pool: PostgresPool("host=/nowhere", name: "none"))
        await #expect(throws: PostgresError.self) { try await nobody.generation([]) }
    }

    @Test("11: one limit for all tries together, a limit of rate is waited for, and a success closes the breaker")
    func eleven() async throws {
        try await withStubModel { address in
            let breaker = ModelBreaker(limit: 5)
            func model(_ name: String, retries: Int) -> HTTPModel {
                var settings = HTTPModel.Settings(
                    address: address,
                    model: name,
                    key: { "stub-key" },
                    budget: ModelBudget(requests: 1_000, tokens: 1_000_000),
                    breaker: breaker
                )
                settings.retries = retries
                return HTTPModel(AnthropicWire(), settings)
            }
            let request = ModelRequest(system: "s", prompt: #"{"lines":[]}"#, name: "n", schema: ["type": "object"])
            func ask(_ name: String, within limit: Duration = .seconds(20), retries: Int = 4) async -> ModelError? {
                do throws(ModelError) {
                    _ = try await model(name, retries: retries).complete(request, deadline: .now + limit)
                    return nil
                } catch {
                    return error
                }
            }
            #expect(await ask("stub-429-1-eleven") == nil)
            let begun = ContinuousClock.now
            #expect(await ask("stub-500-9999-eleven", within: .seconds(1), retries: 500) != nil)
            #expect(await ask("stub-stall", within: .seconds(1), retries: 500) == .deadline)
            #expect(ContinuousClock.now - begun < .seconds(10))
            #expect(await ask("stub") == nil)
            // One failure short of what opens it, a success, and as many again: what was counted is forgotten.
            for round in 0..<2 {
                for _ in 0..<4 { #expect(await ask("stub-500-99-again\(round)", retries: 0) != nil) }
                #expect(!breaker.isOpen)
                #expect(await ask("stub") == nil)
            }
        }
        let failing = try await shop(TestModel { _ throws(ModelError) in throw .deadline })
        let answer = try await failing.ask(.getRecommendations, ["jobId": "job"])
        #expect(answer.data["metadata"]?["modelError"] == "deadline")
    }

    @Test("12: 10 is the most urgent everywhere")
    func twelve() async throws {
        let shop = try await shop()
        let found = try await shop.ask(.getRecommendations, ["jobId": "job"]).data["recommendations"]?.array ?? []
        let priorities = found.compactMap { $0["priority"]?.int }
        #expect(priorities == priorities.sorted(by: >) && priorities.first == 10)
        for recommendation in found {
            let priority = recommendation["priority"]?.int ?? 0
            #expect(recommendation["impact"] == (priority >= 7 ? "high" : priority >= 4 ? "medium" : "low"))
        }
    }
}
