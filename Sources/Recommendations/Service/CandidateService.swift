package import Cache
package import Callable
import JSON
package import LanguageModel
import Resumes

/// The new implementation: an orchestrator over parts that each do one thing, and that can each be another.
///
///     call ─► validation ─► cache ─miss─► work (rules, guard, store) ─► rewriting (language model) ─► guard
///                  └──────────┴────────────┴──── performance metrics ────┘
package struct CandidateService: RecommendationService {
    private let validation: any Validation
    private let cache: any AnswerKeeping
    private let work: any ResumeWork
    private let rewriting: any SuggestionRewriting
    private let metrics: any PerformanceMetrics

    package init(
        validation: any Validation,
        cache: any AnswerKeeping,
        work: any ResumeWork,
        rewriting: any SuggestionRewriting,
        metrics: any PerformanceMetrics
    ) {
        self.validation = validation
        self.cache = cache
        self.work = work
        self.rewriting = rewriting
        self.metrics = metrics
    }

    /// Puts a candidate of the shipped parts together, and gives its cache beside it.
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
        callsPerMinute: Int,
        metrics: any PerformanceMetrics
    ) -> (CandidateService, AnswerCache<Answer>) {
        let cache = CacheOperations(settings, tier: tier)
        let service = CandidateService(
            validation: CallValidation(store: store, limiter: RateLimiter(perMinute: callsPerMinute)),
            cache: cache,
            work: Workshop(store: store),
            rewriting: Rewriter(model: model, metrics: metrics),
            metrics: metrics
        )
        return (service, cache.cache)
    }

    package func answer(_ operation: Operation, _ call: Call) async throws -> Answer {
        switch operation {
        case .getRecommendations:
            return try await recommendations(try await admit(operation, call), call)
        case .previewImprovement:
            let admitted: Admitted<PreviewRequest> = try await admit(operation, call)
            let request = admitted.request
            let place = AnswerPlace(
                operation: operation,
                user: admitted.user,
                job: request.job,
                version: admitted.version,
                recommendation: request.recommendation
            )
            return try await kept(at: place, for: call) { try await work.preview(request) }
        case .applyImprovements:
            let admitted: Admitted<ApplyRequest> = try await admit(operation, call)
            return try await metrics.measure(.work, of: operation) { try await work.apply(admitted.request) }
        case .customizePlaceholders:
            let admitted: Admitted<CustomizeRequest> = try await admit(operation, call)
            let answer = try await metrics.measure(.work, of: operation) {
                try await work.customize(admitted.request, rewriting: rewriting)
            }
            // What was kept has the recommendation without what has just been filled in, and another version; what it takes is given back.
            await cache.forget(job: admitted.request.job)
            return answer
        }
    }

    private func admit<Request: JobRequest>(_ operation: Operation, _ call: Call) async throws -> Admitted<Request> {
        try await metrics.measure(.validation, of: operation) { try await validation.admit(call, as: Request.self) }
    }

    private func kept(
        at place: AnswerPlace,
        for call: Call,
        _ make: @escaping @Sendable () async throws -> Answer
    ) async throws -> Answer {
        let metrics = metrics
        return try await metrics.measure(.cache, of: place.operation) {
            try await cache.answer(at: place) { status in
                call.announce([Functions.cacheStatus: status])
                if place.operation == .getRecommendations { call.tell(["stage": "analyzing"]) }
            } make: {
                try await metrics.measure(.work, of: place.operation, make)
            }
        }
    }

    private func recommendations(_ admitted: Admitted<RecommendationsRequest>, _ call: Call) async throws -> Answer {
        let request = admitted.request
        let place = AnswerPlace(
            operation: .getRecommendations,
            user: admitted.user,
            job: request.job,
            // Suggestions made anew are others than those that previews were made of: keeping them makes the next version, and this answer is of it.
            version: admitted.version + (request.isForced ? 1 : 0),
            // The order of keywords tells in what is reported of them, and so they are not sorted.
            parts: [request.role ?? ""] + request.keywords,
            isForced: request.isForced
        )
        return try await kept(at: place, for: call) {
            let answer = try await work.analyze(request, rewriting: rewriting)
            // A preview that was not there may be there now.
            await cache.forgetPreviews(of: request.job)
            return answer
        }
    }
}
