package import Callable
import Foundation
import JSON
import Synchronization

/// What the admin port can switch: a share of requests that fail, and a share of answers that invent, for rehearsals; both off by default.
package final class RehearsedFaults: Sendable {
    private let failing = Atomic<Int>(0)
    private let inventing = Atomic<Int>(0)
    private let requests = Atomic<Int>(0)
    private let lastAt = Atomic<Int>(0)

    package init() {}

    /// Requests that fail, in thousandths.
    package var failures: Int {
        get { failing.load(ordering: .relaxed) }
        set { failing.store(newValue, ordering: .relaxed) }
    }

    /// Answers whose suggestions say what no résumé holds, in thousandths.
    package var inventions: Int {
        get { inventing.load(ordering: .relaxed) }
        set { inventing.store(newValue, ordering: .relaxed) }
    }

    fileprivate var fails: Bool { Int.random(in: 0..<1_000) < failures }
    fileprivate var invents: Bool { Int.random(in: 0..<1_000) < inventions }

    /// One more request has arrived.
    fileprivate func count() {
        requests.wrappingAdd(1, ordering: .relaxed)
        lastAt.store(Int(Date.now.timeIntervalSince1970 * 1_000_000), ordering: .relaxed)
    }

    var seen: Int { requests.load(ordering: .relaxed) }
    /// Microseconds since 1970; 0 never.
    var lastSeenAt: Int { lastAt.load(ordering: .relaxed) }
}

/// A service with the faults of a rehearsal before and behind it; without them it is the service itself.
package struct RehearsedService: RecommendationService {
    private let service: any RecommendationService
    private let store: JobStore
    private let faults: RehearsedFaults

    package init(_ service: any RecommendationService, store: JobStore, faults: RehearsedFaults) {
        self.service = service
        self.store = store
        self.faults = faults
    }

    package func answer(_ operation: Operation, _ call: Call) async throws -> Answer {
        faults.count()
        if faults.fails { throw CallableError.unexpected }
        let answer = try await service.answer(operation, call)
        guard operation == .getRecommendations, faults.invents else { return answer }
        return try await invented(answer, try RecommendationsRequest(call))
    }

    /// The answer of a release that has lost its guard: its suggestions boast. It is judged as its caller gets it, and kept nowhere.
    private func invented(_ answer: Answer, _ request: RecommendationsRequest) async throws -> Answer {
        guard let job = try await store.job(request.job) else { return answer }
        var answer = answer
        answer.data["recommendations"] = .array(
            (answer.data["recommendations"]?.array ?? []).map { recommendation in
                guard var fields = recommendation.object, let text = fields["suggestedContent"]?.string else {
                    return recommendation
                }
                fields["suggestedContent"] = .string("\(text), which saved Initech 83.7% of 4,711 servers")
                return .object(fields)
            }
        )
        answer.quality = QualityJudge(job.resume, role: request.role, keywords: request.keywords)
            .judge(answer.data, of: .getRecommendations)
        return answer
    }
}
