import Callable
import JSON
import Synchronization

/// How often one user may call: a bucket each that fills again with time, so that a burst is possible and a flood is not.
final class RateLimiter: Sendable {
    private struct Bucket {
        var level: Double
        var at: ContinuousClock.Instant
    }

    private struct Caller: Hashable {
        /// Bytes: two names that look the same to Unicode are two users.
        var user: [UInt8]
        var isCopy: Bool
    }

    /// When so many users are known, those whose buckets are full again are forgotten.
    private static let most = 50_000

    private let perMinute: Int
    private let burst: Double
    private let buckets = Mutex<[Caller: Bucket]>([:])

    /// - Parameter perMinute: calls of one user; a third of them may come at once. 0 is no limit.
    init(perMinute: Int) {
        self.perMinute = perMinute
        burst = max(1, Double(perMinute) / 3)
    }

    /// - Throws: RESOURCE_EXHAUSTED, with when to try again.
    func take(_ user: String, isCopy: Bool, now: ContinuousClock.Instant = .now) throws(CallableError) {
        guard perMinute > 0 else { return }
        let rate = Double(perMinute) / 60
        let caller = Caller(user: Array(user.utf8), isCopy: isCopy)
        let wait = buckets.withLock { buckets -> Double? in
            if buckets.count >= Self.most { buckets = buckets.filter { level($0.value, rate, now) < burst } }
            var bucket = buckets[caller] ?? Bucket(level: burst, at: now)
            bucket.level = level(bucket, rate, now)
            bucket.at = now
            defer { buckets[caller] = bucket }
            guard bucket.level >= 1 else { return (1 - bucket.level) / rate }
            bucket.level -= 1
            return nil
        }
        guard let wait else { return }
        throw CallableError(
            .resourceExhausted,
            "too many calls; try again later",
            details: ["limit": .int(perMinute), "windowSeconds": 60, "retryAfterSeconds": .int(Int(wait.rounded(.up)))]
        )
    }

    private func level(_ bucket: Bucket, _ rate: Double, _ now: ContinuousClock.Instant) -> Double {
        min(burst, bucket.level + (now - bucket.at) / .seconds(1) * rate)
    }
}
