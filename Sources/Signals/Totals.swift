package import MigrationCore

/// What one implementation of a service did since its router began; only ever grows, as metrics that are scraped must.
package struct Totals: Hashable, Sendable {
    /// Upper bounds of the latency buckets, in microseconds.
    package static let bounds: [Int64] = [
        5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000, 1_000_000, 2_500_000, 5_000_000, 10_000_000,
        30_000_000,
    ]

    package private(set) var requests = 0
    package private(set) var errors = 0
    package private(set) var timeouts = 0
    package private(set) var cacheHits = 0
    package private(set) var cacheMisses = 0
    /// Of which the client went away before there was any answer; none of the requests above.
    package private(set) var givenUp = 0
    package private(set) var latencySum = TimeSpan.zero
    /// One for each bound, and one for what lies above them all; not cumulated.
    package private(set) var latencies = [Int](repeating: 0, count: Self.bounds.count + 1)

    package mutating func countGivenUp() { givenUp += 1 }

    package mutating func count(_ outcome: Outcome, latency: TimeSpan, cache: CacheOutcome?) {
        requests += 1
        switch outcome {
        case .answered: break
        case .failed: errors += 1
        case .timedOut: timeouts += 1
        }
        switch cache {
        case .hit?: cacheHits += 1
        case .miss?: cacheMisses += 1
        case nil: break
        }
        latencySum = latencySum + latency
        latencies[Self.bounds.firstIndex { latency.rawValue <= $0 } ?? Self.bounds.count] += 1
    }
}
