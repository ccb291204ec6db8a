package import Callable
import JSON
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

    init(store: JobStore, cache: CacheOperations, rewriter: Rewriter, limiter: RateLimiter, faults: Faults) {
        ownership = Ownership(store: store)
        workshop = Workshop(store: store)
        self.cache = cache
        self.rewriter = rewriter
        self.limiter = limiter
        self.faults = faults
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
            let revision = try await ownership.check(request.job, of: user)
            return try await cache.answer(
                operation,
                user: user,
                job: request.job,
                revision: revision,
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
            // What was kept has the recommendation without what has just been filled in.
            await cache.forget(job: request.job)
            return answer
        }
    }

    private func recommendations(_ request: RecommendationsRequest, _ user: String, _ call: Call) async throws -> Answer
    {
        let revision = try await ownership.check(request.job, of: user)
        call.tell(["stage": "analyzing"])
        let answer = try await cache.answer(
            .getRecommendations,
            user: user,
            job: request.job,
            revision: revision,
            // The order of keywords tells in what is reported of them, and so they are not sorted.
            parts: [request.role ?? ""] + request.keywords,
            isForced: request.isForced
        ) {
            try await workshop.analyze(request) { await rewriter.rewrite($0, $1) }
        }
        // Suggestions made anew are others than those that previews were made of.
        if request.isForced { await cache.forget(job: request.job) }
        return answer
    }
}
