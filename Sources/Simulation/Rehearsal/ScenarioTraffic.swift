import MigrationCore
import Randomness

/// Traffic as a scenario describes it: requests come by a Poisson process, each fails by itself, latencies are log-normal.
struct ScenarioTraffic: Traffic {
    let scenario: Scenario
    /// The names of the plan's services.
    let services: [String]

    /// Where the standard log-normal distribution is cut into buckets: quantiles of the normal one, ½ % apart in the middle and closer at the
    /// upper end, where triggers look.
    private static let cuts: [(z: Double, share: Double)] = {
        var cuts: [(Double, Double)] = []
        var below = 0.0
        for step in stride(from: -2.0, through: 3.5, by: 0.25) {
            let share = 1 - Transcendental.normalTail(step)
            cuts.append((step, share - below))
            below = share
        }
        cuts.append((4, 1 - below))
        return cuts
    }()
    /// How many standard deviations the 95th percentile lies above the median.
    private static let z95 = 1.644_853_626_951_472_7

    func measure(_ stretch: Stretch, _ random: inout SplitMix) -> ServiceWindow {
        let name = services[stretch.service]
        let at = stretch.from - scenario.start
        let seconds = Double(stretch.span.rawValue) / 1_000_000
        let routers = Double(max(1, stretch.routers))
        let requests = random.poisson(scenario.rate(name, stretch.environment, at: at) * seconds / routers)
        let candidate = random.successes(requests, stretch.share)
        var window = ServiceWindow()
        for (side, count) in [(Implementation.legacy, requests - candidate), (.candidate, candidate)] {
            let behaviour = scenario.behaviour(side, name, stretch.environment, at: at)
            var counts = counts(count, behaviour, seconds, &random)
            let users = Double(scenario.users) * (side == .legacy ? 1 - stretch.share : stretch.share) / routers
            counts.users = Self.different(count, of: users)
            counts.usersWithErrors = Self.different(counts.errors, of: Double(counts.users))
            counts.usersWithTimeouts = Self.different(counts.timeouts, of: Double(counts.users))
            if side == .legacy { window.legacy = counts } else { window.candidate = counts }
        }
        return window
    }

    /// What the scenario says; a source that it does not name never answers.
    func read(_ source: Source, in environment: String, from: Timestamp, _ random: inout SplitMix) -> SourceAnswer? {
        let at = from - scenario.start
        func value(_ side: Implementation) -> Measurement? {
            // A source is of the whole environment: what holds for its first service holds for it.
            scenario.behaviour(side, services.first ?? "", environment, at: at).sources[source.name]
        }
        let candidate = value(.candidate), legacy = value(.legacy)
        guard candidate != nil || legacy != nil else { return nil }
        return SourceAnswer(reading: Reading(candidate: candidate, legacy: legacy), after: .milliseconds(100))
    }

    /// How many different ones so many draws from some users give on average.
    private static func different(_ draws: Int, of users: Double) -> Int {
        guard draws > 0, users >= 1 else { return 0 }
        return min(draws, Int((users * (1 - Transcendental.exp(-Double(draws) / users))).rounded(.up)))
    }

    private func counts(_ requests: Int, _ behaviour: Scenario.Behaviour, _ seconds: Double, _ random: inout SplitMix)
        -> Counts
    {
        var counts = Counts()
        counts.requests = requests
        counts.timeouts = random.successes(requests, behaviour.timeouts)
        counts.errors = random.successes(requests - counts.timeouts, behaviour.errors)
        if let hits = behaviour.cacheHits {
            counts.cacheHits = random.successes(requests, hits)
            counts.cacheMisses = requests - counts.cacheHits
        }
        if let different = behaviour.different {
            counts.compared = requests
            counts.different = random.successes(requests, different)
        }
        // A health probe a second.
        let probes = max(1, Int(seconds))
        counts.probesUp = random.successes(probes, behaviour.available)
        counts.probesDown = probes - counts.probesUp
        counts.latency = latency(requests, behaviour, &random)
        return counts
    }

    private func latency(_ requests: Int, _ behaviour: Scenario.Behaviour, _ random: inout SplitMix)
        -> LatencyHistogram
    {
        guard requests > 0, behaviour.median > .zero else { return LatencyHistogram() }
        let median = Double(behaviour.median.rawValue)
        let spread = max(0, Transcendental.ln(Double(behaviour.p95.rawValue) / median) / Self.z95)
        var left = requests
        var rest = 1.0
        var buckets: [LatencyHistogram.Bucket] = []
        for cut in Self.cuts where left > 0 {
            let count = cut.share >= rest ? left : random.successes(left, cut.share / rest)
            left -= count
            rest -= cut.share
            if count > 0 {
                let micros = Int(min(median * Transcendental.exp(cut.z * spread), 1e15))
                buckets.append(LatencyHistogram.Bucket(micros: max(1, micros), count: count))
            }
        }
        return LatencyHistogram(buckets)
    }
}
