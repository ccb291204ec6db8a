package import Cache
package import Callable
import JSON
package import LanguageModel
import Resumes

/// The new implementation: an orchestrator over parts that each do one thing.
///
///     call ─► rate limit ─► ownership ─► cache ─miss─► workshop (rules) ─► rewriter (model) ─► guard ─► store
package struct CandidateService: RecommendationService {
    private let limiter: RateLimiter
    private let ownership: Ownership
    private let cache: CacheOperations
    private let workshop: Workshop
    private let rewriter: Rewriter
    private let faults: Faults

    /// Puts a candidate together, and gives its cache beside it.
    ///
    /// - Parameters:
    ///   - tier: the cache's second tier; none without it.
    ///   - model: the language model; none without it.
    ///   - callsPerMinute: of one user; 0 is no limit.
    package static func make(
        store: JobStore,
        cache settings: CacheSettings,
        tier: (any CacheTier)?,
        model: (any LanguageModel)?,
        callsPerMinute: Int
    ) -> (CandidateService, AnswerCache<Answer>) {
        make(store: store, cache: settings, tier: tier, model: model, callsPerMinute: callsPerMinute, faults: Faults())
    }

    static func make(
        store: JobStore,
        cache settings: CacheSettings,
        tier: (any CacheTier)?,
        model: (any LanguageModel)?,
        callsPerMinute: Int,
        faults: Faults
    ) -> (CandidateService, AnswerCache<Answer>) {
        let cache = CacheOperations(settings, tier: tier)
        let service = CandidateService(
            limiter: RateLimiter(perMinute: callsPerMinute),
            ownership: Ownership(store: store),
            cache: cache,
            workshop: Workshop(store: store),
            rewriter: Rewriter(model: model),
            faults: faults
        )
        return (service, cache.cache)
    }

    package func answer(_ operation: Operation, _ call: Call) async throws -> Answer {
        faults.count()
        if faults.isDrawn { throw CallableError.unexpected }
        let user = try call.user
        try limiter.take(user)
        switch operation {
        case .getRecommendations: return try await recommendations(RecommendationsRequest(call.request), user, call)
        case .previewImprovement:
            let request = try PreviewRequest(call.request)
            let version = try await ownership.check(request.job, of: user)
            return try await cache.answer(
                operation,
                user: user,
                job: request.job,
                version: version,
                parts: [request.recommendation]
            ) {
                try await workshop.preview(request)
            }
        case .applyImprovements:
            let request = try ApplyRequest(call.request)
            _ = try await ownership.check(request.job, of: user)
            return try await workshop.apply(request)
        case .customizePlaceholders:
            let request = try CustomizeRequest(call.request)
            _ = try await ownership.check(request.job, of: user)
            let answer = try await workshop.customize(request) { await rewriter.polish($0, $1, $2) }
            // What was kept has the recommendation without what has just been filled in, and another version; what it takes is given back.
            await cache.forget(job: request.job)
            return answer
        }
    }

    private func recommendations(_ request: RecommendationsRequest, _ user: String, _ call: Call) async throws -> Answer
    {
        var version = try await ownership.check(request.job, of: user)
        // Suggestions made anew are others than those that previews were made of: keeping them makes the next version, and this answer is of it.
        if request.isForced { version += 1 }
        call.tell(["stage": "analyzing"])
        return try await cache.answer(
            .getRecommendations,
            user: user,
            job: request.job,
            version: version,
            // The order of keywords tells in what is reported of them, and so they are not sorted.
            parts: [request.role ?? ""] + request.keywords,
            isForced: request.isForced
        ) {
            let answer = try await workshop.analyze(request, wants: rewriter.wants) { await rewriter.rewrite($0) }
            // A preview that was not there may be there now.
            await cache.forgetPreviews(of: request.job)
            return answer
        }
    }
}
