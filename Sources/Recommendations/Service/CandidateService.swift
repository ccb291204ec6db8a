import Synchronization

/// The new implementation: the same work behind a cache.
struct CandidateService: RecommendationService {
    private let operations: Operations
    private let cache: AnswerCache
    private let faults: Faults

    init(store: JobStore, faults: Faults) {
        operations = Operations(store: store)
        cache = AnswerCache(capacity: 20_000, life: .seconds(300))
        self.faults = faults
    }

    func answer(_ operation: Operation, _ request: CallableRequest) async throws -> Answer {
        faults.count()
        if faults.isDrawn { throw CallableError.unexpected }
        let (id, resume) = try await operations.job(request)
        let prefix = "\(request.user)/\(id)/"
        switch operation {
        case .getRecommendations:
            let isFresh = request.data["forceRegenerate"]?.bool ?? false
            return try await cached("\(prefix)get/\(try key(request))", isFresh: isFresh) {
                try await operations.recommend(id, resume, request)
            }
        case .previewImprovement:
            return try await cached("\(prefix)preview/\(try request.text("recommendationId"))", isFresh: false) {
                try await operations.preview(id, resume, request)
            }
        case .applyImprovements:
            return Answer(data: try await operations.apply(id, resume, request), cacheStatus: nil)
        case .customizePlaceholders:
            let data = try await operations.customize(id, request)
            await cache.forget(prefix: "\(prefix)preview/")
            return Answer(data: data, cacheStatus: nil)
        }
    }

    private func cached(
        _ key: String,
        isFresh: Bool,
        load: @escaping @Sendable () async throws -> [String: JSONValue]
    ) async throws -> Answer {
        var (data, outcome) = try await cache.value(key, isFresh: isFresh, load: load)
        data["cached"] = .bool(outcome == .hit)
        let status: String
        switch outcome {
        case .hit: status = "recommendations; hit"
        case .miss: status = "recommendations; fwd=\(isFresh ? "request" : "miss")"
        }
        return Answer(data: data, cacheStatus: status)
    }

    private func key(_ request: CallableRequest) throws -> String {
        let keywords = try request.texts("industryKeywords").sorted()
        return ([try request.optionalText("targetRole") ?? ""] + keywords).joined(separator: "|")
    }
}

/// What the candidate's admin port can switch: a share of requests that fail, for rehearsals; off by default.
final class Faults: Sendable {
    private let permille = Atomic<Int>(0)
    private let requests = Atomic<Int>(0)
    private let lastAt = Atomic<Int>(0)

    /// Requests that fail, in thousandths.
    var rate: Int {
        get { permille.load(ordering: .relaxed) }
        set { permille.store(newValue, ordering: .relaxed) }
    }

    var isDrawn: Bool { Int.random(in: 0..<1_000) < rate }

    /// One more request has arrived.
    func count() {
        requests.wrappingAdd(1, ordering: .relaxed)
        lastAt.store(WallClock.microseconds, ordering: .relaxed)
    }

    var seen: Int { requests.load(ordering: .relaxed) }
    /// Microseconds since 1970; 0 never.
    var lastSeenAt: Int { lastAt.load(ordering: .relaxed) }
}
