import MigrationCore
import Randomness

/// What a comparison by ranks does over many runs of a scenario's traffic, looked at in every window as the core does.
struct RankTrial {
    var metric: Metric
    /// The false alarms of one look that are borne, in millionths.
    var alpha: Int
    /// So many windows are compared.
    var depth: Int
    /// So many windows in a row have to be worse.
    var need: Int
    /// How often one looks.
    var looks: Int
    var traffic: ScenarioTraffic
    var environment: String
    /// By their places in the plan.
    var services: [Int]
    /// The candidate's share of the requests.
    var share: Double
    var window: TimeSpan

    /// Fewer windows are never compared (Running.figure).
    private static let fewest = 4
    /// So many pairs of windows are compared at most, in all runs together.
    private static let budget = 150_000_000

    /// - Returns: the runs, those that alarmed, and when.
    func play(runs: Int, seed: UInt64) -> EvidenceTrial.Outcome {
        let affordable = Self.budget / max(1, looks * depth * depth)
        var outcome = EvidenceTrial.Outcome()
        for run in 0..<max(10, min(runs, affordable)) {
            var random = SplitMix(seed: seed &+ UInt64(run) &* 0x1000_0001)
            outcome.runs += 1
            guard let look = firstAlarm(&random) else { continue }
            outcome.alarms += 1
            outcome.times.append(window * Int64(look))
        }
        return outcome
    }

    private func firstAlarm(_ random: inout SplitMix) -> Int? {
        var recent: [(candidate: Double, legacy: Double)?] = []
        var streak = 0
        for look in 1...max(1, looks) {
            recent.append(pair(look, &random))
            if recent.count > depth { recent.removeFirst() }
            let pairs = recent.compactMap(\.self)
            streak = pairs.count >= Self.fewest && isWorse(pairs) ? streak + 1 : 0
            if streak >= need { return look }
        }
        return nil
    }

    private func isWorse(_ pairs: [(candidate: Double, legacy: Double)]) -> Bool {
        let candidate = pairs.map(\.candidate), legacy = pairs.map(\.legacy)
        let sum = metric.isBadWhenHigh ? RankSum(candidate, over: legacy) : RankSum(legacy, over: candidate)
        return sum.map { $0.p < Double(alpha) / 1_000_000 } ?? false
    }

    /// One value of a window for either side; nil where one has none.
    private func pair(_ look: Int, _ random: inout SplitMix) -> (candidate: Double, legacy: Double)? {
        let all = services.reduce(ServiceWindow()) { sum, service in
            let stretch = Stretch(
                service: service,
                environment: environment,
                from: traffic.scenario.start + window * Int64(look - 1),
                span: window,
                share: share,
                routers: 1
            )
            return sum + traffic.measure(stretch, &random)
        }
        func value(_ side: Implementation) -> Double? {
            metric.measure(Sample(all[side], side, span: window))?.number(metric.unit)
        }
        guard let candidate = value(.candidate), let legacy = value(.legacy) else { return nil }
        return (candidate, legacy)
    }
}

extension Scenario {
    /// The same traffic, steady, with a candidate that is so many times as bad as legacy in a metric and like it in all else.
    ///
    /// - Returns: nil for a metric of which the scenario says nothing.
    func steady(_ metric: Metric, timesAsBad times: Double) -> Scenario? {
        var scenario = self
        scenario.changes = []
        scenario.candidate = legacy
        func longer(_ span: TimeSpan) -> TimeSpan { TimeSpan(rawValue: Int64(Double(span.rawValue) * times)) }
        switch metric {
        case .errorRate: scenario.candidate.errors = min(1, legacy.errors * times)
        case .timeoutRate: scenario.candidate.timeouts = min(1, legacy.timeouts * times)
        case .latency, .latencyMean, .slowRate:
            scenario.candidate.median = longer(legacy.median)
            scenario.candidate.p95 = longer(legacy.p95)
        case .cacheHitRate:
            guard let hits = legacy.cacheHits else { return nil }
            scenario.candidate.cacheHits = max(0, 1 - (1 - hits) * times)
        case .availability, .difference, .throughput, .named: return nil
        }
        return scenario
    }
}
