import Cache
import Callable
import Foundation
import JSON
import LanguageModel
import MigrationCore
import Postgres
import Recommendations
import Resumes
import Signals
import TestSupport
import Testing

/// What the first implementation of this migration got wrong, by the numbers of 5-recommendations.md. Faults 1 to 6 were the controller's, and are
/// tested with it (MigrationCoreTests, RoutingTests, SimulationTests); here is what the services have to do with each.
@Suite("The twelve faults", .database)
struct FaultTests {
    private func shop(_ model: (any LanguageModel)? = nil) async throws -> TestShop {
        let shop = try await TestShop(model: model)
        try await shop.store.put(TestShop.resume, into: "job", of: "ana")
        return shop
    }

    @Test("1: a metric that cannot be read is missing, and not healthy")
    func one() {
        // No answer was judged and nothing looked up: there is no rate, and no 100 %.
        #expect(CacheCounts().hitRate == nil)
        #expect(CacheOutcome(header: "").isNone && CacheOutcome(header: "recommendations").isNone)
    }

    @Test("2: every threshold that a plan can state is one that is checked")
    func two() {
        let nothing = Sample(Counts(), span: .seconds(10))
        // A window in which nothing was measured has no value to pass with; no requests are a throughput of none.
        for metric in [
            Metric.latency(permille: 950), .latencyMean, .errorRate, .cacheHitRate,
            .named(name: "quality", unit: .ratio, isBadWhenHigh: false),
        ] {
            #expect(metric.measure(nothing) == nil)
        }
        #expect(Metric.throughput.measure(nothing)?.value == 0)
    }

    @Test("3: what is applied is there as a whole, and said by what is stored")
    func three() async throws {
        let shop = try await shop()
        _ = try await shop.ask(.getRecommendations, ["jobId": "job"])
        #expect(try await shop.store.improved("job") == nil)
        let applied = try await shop.ask(
            .applyImprovements,
            ["jobId": "job", "selectedRecommendationIds": ["first_person-work-0-highlights-1"]]
        )
        #expect(try await shop.store.improved("job")?.resume == applied.data["improvedCV"])
    }

    @Test("4: an answer that was begun before an invalidation does not outlive it")
    func four() async throws {
        let shop = try await shop()
        _ = try await shop.ask(.getRecommendations, ["jobId": "job"])
        let before = try await shop.ask(.getRecommendations, ["jobId": "job"])
        try await shop.store.put(["basics": ["name": "B"]], into: "job", of: "ana")
        let after = try await shop.ask(.getRecommendations, ["jobId": "job"])
        #expect(after.data["cached"] == false && after.data["recommendations"] != before.data["recommendations"])
    }

    @Test("5: no cache stands between a change and the next answer")
    func five() async throws {
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
    }

    @Test("6: nobody is let through without a user, and each operation has its own route")
    func six() async throws {
        let shop = try await shop()
        for operation in Operation.allCases {
            #expect(await shop.status(operation, ["jobId": "job"], user: nil) == .unauthenticated)
        }
        #expect(Set(Operation.allCases.map(\.rawValue)).count == 4)
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

    @Test(
        "11: one limit for all tries, limits of rate are waited for, a success closes the breaker: LanguageModelTests"
    )
    func eleven() async throws {
        let shop = try await shop(TestModel { _ throws(ModelError) in throw .deadline })
        let answer = try await shop.ask(.getRecommendations, ["jobId": "job"])
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

extension Optional {
    var isNone: Bool { self == nil }
}
