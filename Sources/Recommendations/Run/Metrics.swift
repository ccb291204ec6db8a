import Cache
import Callable
import Synchronization

/// What a service has done, in the OpenMetrics text format (version 1.0.0), without anything of its users.
package final class Metrics: PerformanceMetrics {
    static let contentType = "application/openmetrics-text; version=1.0.0; charset=utf-8"
    /// Upper ends of the histogram's buckets, in seconds.
    private static let limits = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60]

    private struct Series {
        var buckets = [Int](repeating: 0, count: Metrics.limits.count + 1)
        var sum = 0.0

        mutating func count(_ seconds: Double) {
            buckets[Metrics.limits.firstIndex { seconds <= $0 } ?? Metrics.limits.count] += 1
            sum += seconds
        }
    }

    private struct State {
        var calls: [String: Int] = [:]
        var times: [String: Series] = [:]
        /// By labels.
        var stages: [String: Series] = [:]
        var failedStages: [String: Int] = [:]
        var quality: [String: (answers: Int, good: Int, sum: Double)] = [:]
    }

    private let implementation: String
    private let state = Mutex(State())

    package init(implementation: String) { self.implementation = implementation }

    func count(_ record: CallableServer.Record) {
        let seconds = record.took / .seconds(1)
        state.withLock { state in
            state.calls["function=\"\(record.function)\",status=\"\(record.status)\"", default: 0] += 1
            state.times["function=\"\(record.function)\"", default: Series()].count(seconds)
        }
    }

    package func record(_ stage: Stage, of operation: Operation, took: Duration, hasFailed: Bool) {
        let labels = "function=\"\(operation.rawValue)\",stage=\"\(stage.rawValue)\""
        state.withLock { state in
            state.stages[labels, default: Series()].count(took / .seconds(1))
            if hasFailed { state.failedStages[labels, default: 0] += 1 }
        }
    }

    func count(_ operation: Operation, _ quality: AnswerQuality) {
        state.withLock { state in
            var known = state.quality[operation.rawValue] ?? (0, 0, 0)
            known.answers += 1
            known.good += quality.isGood ? 1 : 0
            known.sum += quality.score
            state.quality[operation.rawValue] = known
        }
    }

    /// - Parameter cache: nil where there is none.
    func text(cache: AnswerCache<Answer>?) -> String {
        let state = state.withLock { $0 }
        let own = "implementation=\"\(implementation)\""
        var text = ""
        func family(_ name: String, _ type: String, _ help: String) {
            text += "# TYPE recommendations_\(name) \(type)\n# HELP recommendations_\(name) \(help)\n"
        }
        func sample(_ name: String, _ labels: String, _ value: String) {
            text += "recommendations_\(name){\(labels.isEmpty ? own : "\(own),\(labels)")} \(value)\n"
        }
        family("calls", "counter", "Calls that are over, by their canonical status.")
        for (labels, count) in state.calls.sorted(by: { $0.key < $1.key }) { sample("calls_total", labels, "\(count)") }
        func histogram(_ name: String, _ help: String, _ all: [String: Series]) {
            family(name, "histogram", help)
            for (labels, series) in all.sorted(by: { $0.key < $1.key }) {
                var count = 0
                for (index, bucket) in series.buckets.enumerated() {
                    count += bucket
                    let limit = index < Self.limits.count ? "\(Self.limits[index])" : "+Inf"
                    sample("\(name)_bucket", "\(labels),le=\"\(limit)\"", "\(count)")
                }
                sample("\(name)_count", labels, "\(count)")
                sample("\(name)_sum", labels, "\(series.sum)")
            }
        }
        histogram("call_seconds", "How long calls took.", state.times)
        histogram(
            "stage_seconds",
            "How long the parts of the work took; the cache's part has that in it for which it waited.",
            state.stages
        )
        family("stage_failures", "counter", "Parts of the work that ended with an error.")
        for (labels, count) in state.failedStages.sorted(by: { $0.key < $1.key }) {
            sample("stage_failures_total", labels, "\(count)")
        }
        family("quality_answers", "counter", "Answers that were judged.")
        for (name, quality) in state.quality.sorted(by: { $0.key < $1.key }) {
            sample("quality_answers_total", "function=\"\(name)\"", "\(quality.answers)")
        }
        family("quality_good_answers", "counter", "Judged answers that were good.")
        for (name, quality) in state.quality.sorted(by: { $0.key < $1.key }) {
            sample("quality_good_answers_total", "function=\"\(name)\"", "\(quality.good)")
        }
        family("quality_score_sum", "counter", "The scores of judged answers, added up.")
        for (name, quality) in state.quality.sorted(by: { $0.key < $1.key }) {
            sample("quality_score_sum_total", "function=\"\(name)\"", "\(quality.sum)")
        }
        family(
            "heap_used_bytes",
            "gauge",
            "What the program has taken of its heap and not given back, with what its threads keep for later."
        )
        sample("heap_used_bytes", "", "\(Heap.used)")
        if let cache {
            family("cache_entries", "gauge", "Answers in memory.")
            sample("cache_entries", "", "\(cache.count)")
            family("cache_cost", "gauge", "What they cost of the cache's capacity.")
            sample("cache_cost", "", "\(cache.cost)")
            let counts = cache.counts
            for (name, help, value) in [
                ("look_ups", "Look-ups.", counts.lookUps), ("hits", "Look-ups that found a fresh answer.", counts.hits),
                ("stale_hits", "Look-ups that were given an answer that was over.", counts.staleHits),
                ("coalesced", "Look-ups that waited for another's answer.", counts.coalesced),
                ("misses", "Look-ups for which an answer had to be made.", counts.misses),
                ("tier_hits", "Hits of the second tier.", counts.tierHits),
                ("tier_errors", "Failures of the second tier.", counts.tierErrors),
                ("evictions", "Answers that had to go for others.", counts.evictions),
                ("dropped_fills", "Answers that an invalidation overtook.", counts.droppedFills),
                ("loads", "Answers that were made.", counts.loads),
                ("failed_loads", "Answers that could not be made.", counts.failedLoads),
            ] {
                family("cache_\(name)", "counter", help)
                sample("cache_\(name)_total", "", "\(value)")
            }
            family("cache_load_seconds", "counter", "How long answers took to make, added up.")
            sample("cache_load_seconds_total", "", "\(counts.loadTime / .seconds(1))")
        }
        return text + "# EOF\n"
    }
}
