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

    private let ownership: Ownership
    private let workshop: Workshop
    private let settings: Settings

    /// One that is neither slow nor late.
    package static func make(store: JobStore) -> LegacyService {
        LegacyService(store: store, settings: Settings(delay: .zero, timeouts: 0, timeLimit: .zero))
    }

    init(store: JobStore, settings: Settings) {
        ownership = Ownership(store: store)
        workshop = Workshop(store: store)
        self.settings = settings
    }

    package func answer(_ operation: Operation, _ call: Call) async throws -> Answer {
        let user = try call.user
        switch operation {
        case .getRecommendations:
            let request = try RecommendationsRequest(call.request)
            try await wait(for: request.job, of: user)
            var answer = try await workshop.analyze(request, wants: { _ in false }) { ($0, ["source": "rules"]) }
            answer.data["cached"] = false
            return answer
        case .previewImprovement:
            let request = try PreviewRequest(call.request)
            try await wait(for: request.job, of: user)
            return try await workshop.preview(request)
        case .applyImprovements:
            let request = try ApplyRequest(call.request)
            try await wait(for: request.job, of: user)
            return try await workshop.apply(request)
        case .customizePlaceholders:
            throw CallableError(.unimplemented, "customizePlaceholders is not available here")
        }
    }

    /// Ownership first, and then what is slow.
    private func wait(for job: String, of user: String) async throws {
        _ = try await ownership.check(job, of: user)
        if Int.random(in: 0..<1_000) < settings.timeouts {
            try await Task.sleep(for: settings.timeLimit)
            throw CallableError(.deadlineExceeded, "the time limit has passed")
        }
        try await Task.sleep(for: settings.delay)
    }
}
