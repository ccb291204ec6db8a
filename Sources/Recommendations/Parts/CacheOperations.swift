import Cache
import Callable
import JSON

/// What the candidate keeps, under which key, and what makes it stale.
struct CacheOperations: Sendable {
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

    /// A job's answer for its owner, kept or made.
    ///
    /// - Parameters:
    ///   - version: of what the job's answers rest on: another one's answers are never found, whichever process changed it.
    ///   - parts: everything that the answer depends on.
    func answer(
        _ operation: Operation,
        user: String,
        job: String,
        version: Int64,
        parts: [String],
        isForced: Bool = false,
        make: @escaping @Sendable () async throws -> Answer
    ) async throws -> Answer {
        let key = CacheKey(user: user, parts: [operation.rawValue, job] + parts)
        var tags = [Self.tag(job: job), CacheTag("user", user)]
        if operation == .previewImprovement { tags.append(Self.tag(previewsOf: job)) }
        let (value, outcome) = try await cache.value(
            for: key,
            version: version,
            tags: tags,
            isReload: isForced,
            load: make
        )
        var answer = value
        answer.data["cached"] = .bool(outcome.isHit)
        answer.cacheStatus = outcome.status(cache: Self.name)
        return answer
    }

    /// A job's answers are over.
    func forget(job: String) async { await forget(Self.tag(job: job)) }

    /// A job's previews are over, that there was none included.
    func forgetPreviews(of job: String) async { await forget(Self.tag(previewsOf: job)) }

    private func forget(_ tag: CacheTag) async {
        // A second tier that has not taken it is not read until it has: the cache sees to that, and counts it.
        try? await cache.invalidate(tag)
    }

    private static func tag(job: String) -> CacheTag { CacheTag("job", job) }

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
