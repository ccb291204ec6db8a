import Cache
import Callable
import JSON
import LanguageModel
import TimeLimits

/// Whether the service can do its work: each part says what was seen of it just now, and none is well by default.
struct Health: Sendable {
    private static let limit = Duration.seconds(2)

    let implementation: String
    let store: JobStore
    var cache: AnswerCache<Answer>?
    /// The second tier, where there is one.
    var tier: (any CacheTier)?
    var breaker: ModelBreaker?

    /// What `recommendationsHealthCheck` answers.
    ///
    /// - Throws: UNAVAILABLE where the database does not answer: nothing can be done without it.
    func check() async throws -> CallableAnswer {
        let database = await seen { try await store.check() }
        var parts: [String: JSONValue] = ["database": .string(database)]
        if let tier {
            parts["cacheTier"] = .string(await seen { _ = try await tier.generation([CacheTag("health", "")]) })
        }
        let model = breaker.map { $0.isOpen ? "left alone after failures" : $0.lastOutcome ?? "not asked yet" }
        parts["languageModel"] = model.map { .string($0) }
        if let rate = cache?.counts.hitRate { parts["cacheHitRate"] = .number((rate * 1_000).rounded() / 1_000) }
        guard database == "ok" else {
            throw CallableError(.unavailable, "the database does not answer", details: .object(parts))
        }
        let isWhole =
            parts["cacheTier"].map { $0 == "ok" } ?? true && (model == nil || model == "ok" || model == "not asked yet")
        return CallableAnswer([
            "success": true, "timestamp": .string(Workshop.now),
            "data": [
                "status": isWhole ? "healthy" : "degraded", "implementation": .string(implementation),
                "components": .object(parts),
            ],
        ])
    }

    private func seen(_ body: @escaping @Sendable () async throws -> Void) async -> String {
        do {
            try await TimeLimit.within(Self.limit, body)
            return "ok"
        } catch is TookTooLong {
            return "no answer in \(Self.limit)"
        } catch {
            return "failed"
        }
    }
}
