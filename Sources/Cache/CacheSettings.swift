public import TimeLimits

/// How long answers are kept, and how many.
public struct CacheSettings: Hashable, Sendable {
    /// What all answers in memory may cost together; with a cost of 1 each, how many there may be.
    public var capacity = 10_000
    /// How long an answer is fresh.
    public var fresh = Duration.seconds(300)
    /// How long after that it is still given while it is made anew in the background (RFC 5861, `stale-while-revalidate`).
    public var whileRevalidating = Duration.seconds(60)
    /// How long after it was fresh it is given where a new one cannot be made (RFC 5861, `stale-if-error`).
    public var ifError = Duration.seconds(3_600)
    /// How long an error that is kept is kept.
    public var negative = Duration.seconds(5)
    /// Freshness differs from entry to entry by up to so much of it either way, so that what was made together is not remade together. 0…1.
    public var jitter = 0.1
    /// How long the second tier may take to answer; then it is gone round, as where it fails.
    public var tierTime = Duration.seconds(1)
    /// How long an answer may take to be made; then it is given up, and ``TookTooLong`` is its error.
    public var loadTime = Duration.seconds(300)

    /// What is usual.
    public init() {}
}

/// The error of a load that took longer than ``CacheSettings/loadTime``.
public typealias TookTooLong = TimeLimits.TookTooLong

/// What becomes of an error of a load.
public enum CacheErrorPolicy: Hashable, Sendable {
    /// It is an answer about the thing itself, such as that it is not there: kept for ``CacheSettings/negative``.
    case keptBriefly
    /// The maker failed: an answer that is no longer fresh is given instead, where there is one.
    case staleAnswers
    /// It is told to those who wait, and that is all.
    case told
}

/// How a look-up ended.
public enum CacheOutcome: Hashable, Sendable {
    /// A fresh answer, which had so long to live.
    case hit(rest: Duration)
    /// An answer that was over so long ago, while a new one is made.
    case stale(over: Duration)
    /// The same, because a new one could not be made.
    case staleOnError(over: Duration)
    /// Another look-up's answer, which was on its way.
    case coalesced
    /// It was made for this look-up.
    case miss
    /// It was made for this look-up, which wanted it so.
    case reloaded
    /// It was made for this look-up and not kept: something that it rests on was invalidated meanwhile, or it is too large.
    case unkept(isReload: Bool)

    /// Whether nothing had to be made for this look-up.
    public var isHit: Bool {
        switch self {
        case .hit, .stale, .staleOnError, .coalesced: true
        case .miss, .reloaded, .unkept: false
        }
    }

    /// The value of a `Cache-Status` field (RFC 9211) by a cache of this name.
    public func status(cache: String) -> String {
        switch self {
        case .hit(let rest): "\(cache); hit; ttl=\(rest.components.seconds)"
        case .stale(let over): "\(cache); hit; ttl=-\(over.components.seconds)"
        case .staleOnError(let over): "\(cache); fwd=stale; detail=stale-if-error-\(over.components.seconds)s"
        case .coalesced: "\(cache); fwd=miss; collapsed"
        case .miss: "\(cache); fwd=miss; stored"
        case .reloaded: "\(cache); fwd=request; stored"
        case .unkept(let isReload): "\(cache); fwd=\(isReload ? "request" : "miss")"
        }
    }
}

/// What a cache has done since it began.
public struct CacheCounts: Hashable, Sendable {
    /// Look-ups; each is also a hit, a stale hit, coalesced or a miss.
    public var lookUps = 0
    /// Look-ups that found a fresh answer.
    public var hits = 0
    /// Look-ups that were given an answer that was over, while it was made anew.
    public var staleHits = 0
    /// Look-ups that waited for another's answer.
    public var coalesced = 0
    /// Look-ups for which an answer was made.
    public var misses = 0
    /// Hits of an error that is kept; also counted as hits.
    public var negativeHits = 0
    /// Hits of the second tier; also counted as hits.
    public var tierHits = 0
    /// Reads, writes and invalidations that the second tier failed.
    public var tierErrors = 0
    /// Answers that had to go for others.
    public var evictions = 0
    /// Answers that were made before an invalidation was over, and were not kept.
    public var droppedFills = 0
    /// Answers that were made, for refreshes too.
    public var loads = 0
    /// Answers that could not be made.
    public var failedLoads = 0
    /// How long loads took, added up.
    public var loadTime = Duration.zero

    /// Nothing yet.
    public init() {}

    /// (hit + stale hit + coalesced) / look-ups; nil before the first.
    public var hitRate: Double? { lookUps == 0 ? nil : Double(hits + staleHits + coalesced) / Double(lookUps) }
}
