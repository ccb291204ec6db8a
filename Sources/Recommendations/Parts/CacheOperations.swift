import Cache
import Callable
import JSON

/// What an answer is kept under: everything that it depends on, and what makes it stale.
package struct AnswerPlace: Hashable, Sendable {
    package var operation: Operation
    package var user: String
    package var job: String
    /// Of what the job's answers rest on: another one's answers are never found, whichever process changed it.
    package var version: Int64
    /// The recommendation that it is about, where it is about one.
    package var recommendation: String?
    /// Whatever else the answer depends on.
    package var parts: [String] = []
    /// Whether what is kept is not wanted.
    package var isForced = false
}

/// Keeps answers: the candidate's cache, as its orchestrator sees it.
package protocol AnswerKeeping: Sendable {
    /// A job's answer for its owner, kept or made; it says which.
    ///
    /// - Parameter waiting: is told the `Cache-Status` so far when there is no answer at hand.
    func answer(
        at place: AnswerPlace,
        waiting: @escaping @Sendable (_ cacheStatus: String) -> Void,
        make: @escaping @Sendable () async throws -> Answer
    ) async throws -> Answer
    /// A job's answers are over.
    func forget(job: String) async
    /// A job's previews are over, that there was none included.
    func forgetPreviews(of job: String) async
}

/// What the candidate keeps, under which key, and what makes it stale.
struct CacheOperations: AnswerKeeping {
    static let name = "recommendations"

    let cache: AnswerCache<Answer>

    init(_ settings: CacheSettings, tier: (any CacheTier)?) {
        cache = AnswerCache(
            settings,
            tier: tier.map { ($0, Self.codec) },
            // An answer costs what it takes of memory, more or less: JSON values are about four times their text.
            cost: { key, answer in
                512 + key.bytes.count + 4 * (answer.map { JSONValue.object($0.data).bytes.count } ?? 0)
            },
            policy: Self.policy
        )
    }

    func answer(
        at place: AnswerPlace,
        waiting: @escaping @Sendable (_ cacheStatus: String) -> Void,
        make: @escaping @Sendable () async throws -> Answer
    ) async throws -> Answer {
        let about = [place.operation.rawValue, place.job] + [place.recommendation].compactMap { $0 }
        let key = CacheKey(user: place.user, parts: about + place.parts)
        var tags = [Self.tag(job: place.job), Self.tag(user: place.user)]
        if place.operation == .previewImprovement { tags.append(Self.tag(previewsOf: place.job)) }
        if let recommendation = place.recommendation { tags.append(Self.tag(recommendation, of: place.job)) }
        let value: Answer, outcome: CacheOutcome
        do {
            (value, outcome) = try await cache.value(
                for: key,
                version: place.version,
                tags: tags,
                isReload: place.isForced,
                waiting: { waiting($0.status(cache: Self.name)) },
                load: make
            )
        } catch is TookTooLong {
            throw CallableError(.deadlineExceeded, "the answer took too long to be made")
        }
        var answer = value
        answer.data["cached"] = .bool(outcome.isHit)
        answer.cacheStatus = outcome.status(cache: Self.name)
        return answer
    }

    func forget(job: String) async { await forget(Self.tag(job: job)) }

    func forgetPreviews(of job: String) async { await forget(Self.tag(previewsOf: job)) }

    private func forget(_ tag: CacheTag) async {
        // A second tier that has not taken it is not read until it has: the cache sees to that, and counts it.
        try? await cache.invalidate(tag)
    }

    /// Of everything that is kept for a job.
    static func tag(job: String) -> CacheTag { CacheTag("job", job) }

    /// Of everything that is kept for a user.
    static func tag(user: String) -> CacheTag { CacheTag("user", user) }

    /// Of everything that is kept about one recommendation of a job.
    static func tag(_ recommendation: String, of job: String) -> CacheTag {
        // The length parts the two: whatever stands in them, no two pairs are one.
        CacheTag("recommendation", "\(job.utf8.count):\(job):\(recommendation)")
    }

    private static func tag(previewsOf job: String) -> CacheTag { CacheTag("previews", job) }

    /// What is not there is kept for a while; a maker that failed may be stood in for by an older answer; what is wrong with a request is told.
    private static func policy(_ error: any Error) -> CacheErrorPolicy {
        guard let error = error as? CallableError else { return .staleAnswers }
        switch error.status {
        case .notFound: return .keptBriefly
        case .unknown, .internal, .dataLoss, .unavailable, .deadlineExceeded: return .staleAnswers
        case .invalidArgument, .failedPrecondition, .outOfRange, .unauthenticated, .permissionDenied, .aborted,
            .alreadyExists, .resourceExhausted, .cancelled, .unimplemented:
            return .told
        }
    }

    private static let codec = CacheCodec<Answer>(
        encode: { answer in
            var fields: [String: JSONValue] = ["data": .object(answer.data)]
            fields["quality"] = answer.quality?.json
            return JSONValue.object(fields).bytes
        },
        decode: { bytes in
            let value = try JSONValue(parsing: bytes)
            guard let data = value["data"]?.object else { throw CallableError(.dataLoss, "a kept answer has no data") }
            return Answer(data: data, quality: value["quality"].flatMap { AnswerQuality(json: $0) })
        }
    )
}
