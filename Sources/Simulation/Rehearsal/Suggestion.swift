package import MigrationCore
import Randomness

/// What a trigger's threshold would have to be so that a healthy candidate hardly ever fires it, by what was measured.
package struct ThresholdAdvice: Sendable {
    package var stage: String?
    package var trigger: Trigger
    /// Windows that had a value, and its middle, 99th percentile and worst among them, as thresholds are counted.
    package var windows: Int
    package var middle: Int
    package var far: Int
    package var worst: Int
    /// The share of plays in which the trigger as it stands fires on healthy windows.
    package var alarms: Double
    /// A threshold, and the share with it; nil where none that makes sense is better.
    package var suggested: (threshold: Int, alarms: Double)?
}

/// Works out advice from healthy windows: they are drawn anew in blocks, so that what comes together stays together, for as long as the plan
/// takes, and the real streak decides.
package struct Advisor: Sendable {
    /// Healthy values of one side in the order of their windows, by environment.
    package struct History: Sendable {
        package var samples: [Sample]
        package init(samples: [Sample]) { self.samples = samples }
    }

    private let plan: Plan
    private let plays: Int
    private let seed: UInt64
    /// How many windows are drawn together.
    private static let block = 30
    /// What is borne: one play in a hundred.
    private static let borne = 0.01

    package init(_ plan: Plan, plays: Int, seed: UInt64) {
        self.plan = plan
        self.plays = plays
        self.seed = seed
    }

    /// Advice for every threshold trigger of every stage, from what was seen in the stage's environment.
    ///
    /// - Parameter history: by environment.
    package func advice(_ history: [String: History]) -> [ThresholdAdvice] {
        var told: Set<Trigger> = []
        return plan.stages.indices.reversed().flatMap { index -> [ThresholdAdvice] in
            guard let samples = history[plan.stages[index].environment]?.samples, !samples.isEmpty else { return [] }
            return plan.triggers(at: index).compactMap { trigger in
                guard told.insert(trigger).inserted else { return nil }
                return advice(trigger, plan.stages[index].triggers == nil ? nil : plan.stages[index].name, samples)
            }
        }
    }

    private func advice(_ trigger: Trigger, _ stage: String?, _ samples: [Sample]) -> ThresholdAdvice? {
        guard case .threshold(let side, let threshold) = trigger.condition.test else { return nil }
        let metric = trigger.condition.metric
        let values = samples.compactMap { sample -> Int? in
            guard let measured = metric.measure(sample), measured.of >= trigger.minimum || metric.unit == .rate else {
                return nil
            }
            return Self.threshold(measured, metric)
        }.sorted()
        guard !values.isEmpty else { return nil }
        func quantile(_ permille: Int) -> Int { values[(values.count - 1) * permille / 1_000] }
        var advice = ThresholdAdvice(
            stage: stage,
            trigger: trigger,
            windows: values.count,
            middle: quantile(500),
            far: side == .above ? quantile(990) : quantile(10),
            worst: side == .above ? values[values.count - 1] : values[0],
            alarms: alarms(trigger, samples)
        )
        let candidates = Self.round(metric).filter { side == .above ? $0 >= advice.far : $0 <= advice.far }
        let ordered = side == .above ? candidates : candidates.reversed()
        for candidate in ordered where metric.accepts(threshold: candidate) && candidate != threshold {
            var other = trigger
            other.condition.test = .threshold(side: side, value: candidate)
            other.exit = Trigger.defaultExit(other.condition)
            let share = alarms(other, samples)
            guard share <= Self.borne else { continue }
            advice.suggested = (candidate, share)
            break
        }
        return advice
    }

    /// A measurement as thresholds are counted.
    private static func threshold(_ measured: Measurement, _ metric: Metric) -> Int {
        switch metric.unit {
        case .ratio: Int(Int128(measured.value) * 1_000_000 / Int128(max(1, measured.of)))
        case .time, .number: measured.value
        case .rate: Int(Int128(measured.value) * 1_000_000_000 / Int128(max(1, measured.of)))
        }
    }

    /// Round numbers of the metric's unit, rising.
    private static func round(_ metric: Metric) -> [Int] {
        let steps = [10, 15, 20, 25, 30, 40, 50, 60, 70, 80, 90]
        let scales =
            metric.unit == .ratio
            ? [10, 100, 1_000, 10_000] : (2...10).map { power in (0..<power).reduce(1) { value, _ in value * 10 } }
        return scales.flatMap { scale in steps.map { $0 * scale } }.sorted()
    }

    /// The share of plays in which the trigger fires.
    private func alarms(_ trigger: Trigger, _ samples: [Sample]) -> Double {
        let verdicts = samples.map { trigger.judge($0) }
        guard verdicts.contains(.breach) || trigger.missing == .breach else { return 0 }
        let bakes = plan.stages.reduce(TimeSpan.zero) { $0 + $1.bake * Int64($1.steps.count) }
        let length = min((bakes + plan.watch).windows(of: plan.window), 200_000)
        var random = SplitMix(seed: seed)
        var fired = 0
        for _ in 0..<plays where fires(trigger, verdicts, length, &random) { fired += 1 }
        return Double(fired) / Double(plays)
    }

    private func fires(_ trigger: Trigger, _ verdicts: [Verdict], _ length: Int, _ random: inout SplitMix) -> Bool {
        var streak = Streak()
        var place = 0
        for index in 0..<length {
            if index % Self.block == 0 { place = Int.random(in: verdicts.indices, using: &random) }
            let verdict = verdicts[place % verdicts.count]
            place += 1
            let outcome = streak.after(verdict, k: Int64(index), trigger: trigger, window: plan.window)
            if outcome.fires { return true }
            streak = outcome.streak
        }
        return false
    }
}

extension Rehearsal {
    /// What the candidate did in healthy windows, by environment: up to the scenario's first fault, or to the first breach that rolled back.
    package func history(_ outcome: Outcome) -> [String: Advisor.History] {
        let healthy = [against.scenario.firstFault, outcome.onset].compactMap(\.self).min()
        var samples: [String: [Sample]] = [:]
        for commit in outcome.commits {
            guard case .sealWindow(let window) = commit.command else { continue }
            let end = plan.clock.end(of: window.k) - against.scenario.start
            if let healthy, end > healthy { continue }
            for environment in window.environments {
                let all = environment.total(.candidate, Array(plan.services.indices))
                guard all.requests > 0 else { continue }
                samples[environment.environment, default: []].append(
                    Sample(all, .candidate, span: plan.window, readings: environment.readings ?? [:])
                )
            }
        }
        return samples.mapValues { Advisor.History(samples: $0) }
    }
}

extension RecordedWindows {
    /// What the candidate did, by environment, and legacy where no request went to it; of the plan's new services legacy did nothing.
    package func history(_ plan: Plan) -> [String: Advisor.History] {
        let new = Set(plan.services.filter { $0.isNew == true }.map(\.name))
        let comparable = services.indices.filter { !new.contains(services[$0]) }
        var samples: [String: [Sample]] = [:]
        for window in windows {
            for environment in window.environments {
                let candidate = environment.total(.candidate, Array(services.indices))
                let legacy = environment.total(.legacy, comparable)
                guard candidate.requests + legacy.requests > 0 else { continue }
                let side: Implementation = candidate.requests > 0 ? .candidate : .legacy
                samples[environment.environment, default: []].append(
                    Sample(
                        side == .candidate ? candidate : legacy,
                        side,
                        span: length,
                        readings: environment.readings ?? [:]
                    )
                )
            }
        }
        return samples.mapValues { Advisor.History(samples: $0) }
    }
}
