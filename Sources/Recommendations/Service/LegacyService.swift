/// The old implementation: one slow path without a cache, with the faults that were measured on it as settings.
struct LegacyService: RecommendationService {
    /// What is wrong with it.
    struct Settings: Sendable {
        /// How long every answer takes.
        var delay: Duration
        /// Requests that run into the time limit, in thousandths.
        var timeouts: Int
        var timeLimit: Duration
    }

    private let operations: Operations
    private let settings: Settings

    init(store: JobStore, settings: Settings) {
        operations = Operations(store: store)
        self.settings = settings
    }

    func answer(_ operation: Operation, _ request: CallableRequest) async throws -> Answer {
        let (id, resume) = try await operations.job(request)
        if Int.random(in: 0..<1_000) < settings.timeouts {
            try await Task.sleep(for: settings.timeLimit)
            throw CallableError(.deadlineExceeded, "the time limit has passed")
        }
        try await Task.sleep(for: settings.delay)
        switch operation {
        case .getRecommendations:
            var data = try await operations.recommend(id, resume, request)
            data["cached"] = false
            return Answer(data: data)
        case .previewImprovement: return Answer(data: try await operations.preview(id, resume, request))
        case .applyImprovements: return Answer(data: try await operations.apply(id, resume, request))
        case .customizePlaceholders: throw CallableError(.unimplemented, "customizePlaceholders is not available here")
        }
    }
}
