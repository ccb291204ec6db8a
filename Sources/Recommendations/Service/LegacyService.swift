package import Callable
import JSON

/// The old implementation: one slow path without a cache, with the faults that were measured on it as settings.
package struct LegacyService: RecommendationService {
    /// What is wrong with it.
    struct Settings: Hashable, Sendable {
        /// How long every answer takes.
        var delay: Duration
        /// Requests that run into the time limit, in thousandths.
        var timeouts: Int
        var timeLimit: Duration
    }

    private let validation: any Validation
    private let work: any ResumeWork
    private let settings: Settings

    /// One that is neither slow nor late.
    package static func make(store: JobStore) -> LegacyService {
        LegacyService(store: store, settings: Settings(delay: .zero, timeouts: 0, timeLimit: .zero))
    }

    init(store: JobStore, settings: Settings) {
        validation = CallValidation(store: store, limiter: nil)
        work = Workshop(store: store)
        self.settings = settings
    }

    package func answer(_ operation: Operation, _ call: Call) async throws -> Answer {
        switch operation {
        case .getRecommendations:
            let request: RecommendationsRequest = try await admit(call)
            var answer = try await work.analyze(request, rewriting: RulesAlone())
            answer.data["cached"] = false
            return answer
        case .previewImprovement: return try await work.preview(try await admit(call))
        case .applyImprovements: return try await work.apply(try await admit(call))
        case .customizePlaceholders:
            _ = try call.user
            throw CallableError(.unimplemented, "customizePlaceholders is not available here")
        }
    }

    /// Whether the call may be answered first, and then what is slow.
    private func admit<Request: JobRequest>(_ call: Call) async throws -> Request {
        let request = try await validation.admit(call, as: Request.self).request
        if Int.random(in: 0..<1_000) < settings.timeouts {
            try await Task.sleep(for: settings.timeLimit)
            throw CallableError(.deadlineExceeded, "the time limit has passed")
        }
        try await Task.sleep(for: settings.delay)
        return request
    }
}
