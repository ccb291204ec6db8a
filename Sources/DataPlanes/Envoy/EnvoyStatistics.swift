import Foundation
import MigrationCore
import Routing

/// What Envoy has counted since it started, for each back end.
struct EnvoyStatistics: Hashable, Sendable {
    struct Bucket: Hashable, Sendable {
        var lower: Double
        var width: Double

        /// Its middle, in microseconds.
        var micros: Int { Int(((lower + width / 2) * 1_000).rounded()) }
    }
    struct Totals: Hashable, Sendable {
        var completed = 0
        /// Answers of 500 and more, Envoy's own among them; those of 503 and 504.
        var failed = 0
        var unavailable = 0
        var late = 0
        /// Requests that took too long, also those whose answer had begun; answers that the back end broke off.
        var timedOut = 0
        var broken = 0
        var latencies: [Bucket: Int] = [:]
    }
    var totals: [BackEnd: Totals] = [:]
    /// When this Envoy began, by its own clock: another one counts from 0.
    var begun: String
    /// Connections of the one before a hot restart, whose requests are counted here without their latencies.
    var elders = 0

    private static let counters = (
        options: "format=json",
        filter:
            #"^(cluster\.[0-9]+\.(legacy|candidate)\.upstream_rq_(completed|5xx|503|504|timeout|rx_reset)|server\.parent_connections)$"#
    )
    private static let latencies = (
        options: "format=json&histogram_buckets=detailed&type=Histograms",
        filter: #"^cluster\.[0-9]+\.(legacy|candidate)\.upstream_rq_time$"#
    )

    private struct Answer: Decodable {
        struct Stat: Decodable {
            var name: String?
            var value: Int?
            var histograms: Histograms?
        }
        struct Histograms: Decodable {
            var details: [Detail]?
        }
        struct Detail: Decodable {
            struct Total: Decodable {
                enum CodingKeys: String, CodingKey { case lower = "lower_bound", width, count }
                var lower: Double
                var width: Double
                var count: Int
            }
            var name: String
            var totals: [Total]
        }
        var stats: [Stat]
    }

    /// - Throws: where Envoy does not answer, and where it was another one at the end than at the beginning.
    static func read(_ admin: EnvoyAdmin) async throws -> EnvoyStatistics {
        var statistics = EnvoyStatistics(begun: try await admin.begun())
        let decoder = JSONDecoder()
        // The latencies first: what comes between is counted without one, and never the other way round.
        let histograms = try decoder.decode(
            Answer.self,
            from: Data(try await admin.stats(latencies.options, filter: latencies.filter).utf8)
        )
        let counters = try decoder.decode(
            Answer.self,
            from: Data(try await admin.stats(counters.options, filter: counters.filter).utf8)
        )
        for stat in counters.stats {
            guard let name = stat.name, let value = stat.value else { continue }
            if name == "server.parent_connections" { statistics.elders = value }
            guard let (backEnd, what) = parts(name) else { continue }
            switch what {
            case "upstream_rq_completed": statistics.totals[backEnd, default: Totals()].completed = value
            case "upstream_rq_5xx": statistics.totals[backEnd, default: Totals()].failed = value
            case "upstream_rq_503": statistics.totals[backEnd, default: Totals()].unavailable = value
            case "upstream_rq_504": statistics.totals[backEnd, default: Totals()].late = value
            case "upstream_rq_rx_reset": statistics.totals[backEnd, default: Totals()].broken = value
            case "upstream_rq_timeout": statistics.totals[backEnd, default: Totals()].timedOut = value
            default: break
            }
        }
        guard try await admin.begun() == statistics.begun else {
            throw RoutingError(.unreachable, "Envoy began anew while it was asked what it has counted")
        }
        for detail in histograms.stats.flatMap({ $0.histograms?.details ?? [] }) {
            guard let (backEnd, _) = parts(detail.name), statistics.totals[backEnd] != nil else { continue }
            for total in detail.totals {
                statistics.totals[backEnd, default: Totals()].latencies[
                    Bucket(lower: total.lower, width: total.width),
                    default: 0
                ] += total.count
            }
        }
        return statistics
    }

    /// `cluster.0.legacy.upstream_rq_time`
    private static func parts(_ name: String) -> (BackEnd, String)? {
        let parts = name.split(separator: ".")
        guard parts.count == 4, parts[0] == "cluster", let backEnd = BackEnd("\(parts[1]).\(parts[2])") else {
            return nil
        }
        return (backEnd, String(parts[3]))
    }

    /// What was counted since an earlier look.
    ///
    /// - Parameter timeout: how long each request that timed out took.
    /// - Returns: nil when something was counted less often than before, as another Envoy counts, or was not told at all.
    func counts(_ backEnd: BackEnd, since earlier: EnvoyStatistics, timeout: TimeSpan) -> Counts? {
        guard let was = earlier.totals[backEnd], let now = totals[backEnd] else { return nil }
        var counts = Counts()
        counts.requests = now.completed - was.completed
        let (late, unavailable) = (now.late - was.late, now.unavailable - was.unavailable)
        let (timedOut, broken) = (now.timedOut - was.timedOut, now.broken - was.broken)
        let failed = now.failed - was.failed
        guard [counts.requests, late, unavailable, timedOut, broken, failed - late].allSatisfy({ $0 >= 0 }) else {
            return nil
        }
        counts.timeouts = max(timedOut, late)
        // An answer that never began is a 503 too; what is more than those was broken off in the middle.
        counts.errors = failed - late + max(0, broken - unavailable)
        var latencies: [Int: Int] = counts.timeouts == 0 ? [:] : [Int(timeout.rawValue): counts.timeouts]
        for (bucket, count) in now.latencies {
            let more = count - (was.latencies[bucket] ?? 0)
            guard more >= 0 else { return nil }
            if more > 0 { latencies[bucket.micros, default: 0] += more }
        }
        counts.latency = LatencyHistogram(
            latencies.sorted { $0.key < $1.key }.map { LatencyHistogram.Bucket(micros: $0.key, count: $0.value) }
        )
        return counts
    }
}
