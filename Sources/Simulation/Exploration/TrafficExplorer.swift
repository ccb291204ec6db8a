package import MigrationCore
import Randomness

/// What a plan's conditions can see at the traffic that is expected: whether windows have samples enough, whether a healthy candidate passes
/// them, and how soon a comparison sees a difference.
package struct TrafficExplorer: Sendable {
    private let plan: Plan
    private let scenario: Scenario
    private let runs: Int
    private let seed: UInt64

    /// - Parameters:
    ///   - scenario: its rates are the traffic; legacy's share of bad requests is its errors'.
    ///   - runs: how many runs a comparison's figures rest on.
    package init(_ plan: Plan, _ scenario: Scenario, runs: Int = 300, seed: UInt64 = 1) {
        self.plan = plan
        self.scenario = scenario
        self.runs = runs
        self.seed = seed
    }

    /// No comparison is looked at for longer.
    private static let looks = 3_000

    // MARK: - Samples

    /// For each criterion the step at which it is hardest to meet.
    package func findings() -> [Finding] {
        var found: [(finding: Finding, scarce: Double)] = []
        for position in positions where plan.weight(at: position) > .zero {
            let stage = plan.stage(at: position)
            let mean = samples(position, .candidate)
            for (index, criterion) in plan.criteria(at: position.stage).enumerated() {
                let metric = criterion.condition.metric
                guard metric.needsTraffic, metric.unit != .rate else { continue }
                let place = stage.criteria != nil ? "stages/\(stage.name)/criteria/\(index)" : "criteria/\(index)"
                if let finding = tooFewUsers(criterion, position, place) ?? scarcity(criterion, mean, position, place)
                    ?? chance(criterion, mean, position, place)
                {
                    found.append((finding, mean))
                }
            }
        }
        return Dictionary(grouping: found, by: \.finding.place).sorted { $0.key < $1.key }.compactMap { _, group in
            let worst = group.min { ($0.finding.severity, $0.scarce) < ($1.finding.severity, $1.scarce) }?.finding
            guard var worst, group.count > 1 else { return worst }
            worst.message += "; \(group.count - 1) other step\(group.count == 2 ? " has" : "s have") the same trouble"
            return worst
        }
    }

    private var positions: [Position] {
        plan.stages.indices.flatMap { stage in
            plan.stages[stage].steps.indices.map { Position(stage: stage, step: $0) }
        }
    }

    /// Requests that can be compared and one side has in a window of a step, on average.
    private func samples(_ position: Position, _ side: Implementation) -> Double {
        let stage = plan.stage(at: position)
        let share = Double(plan.weight(at: position).rawValue) / 10_000
        let rate = plan.comparable(stage.services).reduce(0) {
            $0 + scenario.rate(plan.services[$1].name, stage.environment)
        }
        return rate * (side == .candidate ? share : 1 - share) * Double(plan.window.rawValue) / 1_000_000
    }

    /// Different users that one side has in a window of a step, on average.
    private func different(_ position: Position, _ side: Implementation) -> Double {
        let share = Double(plan.weight(at: position).rawValue) / 10_000
        let users = Double(scenario.users) * (side == .candidate ? share : 1 - share)
        guard users >= 1 else { return 0 }
        return users * (1 - Transcendental.exp(-samples(position, side) / users))
    }

    /// Too few users for a comparison of users.
    private func tooFewUsers(_ criterion: Criterion, _ position: Position, _ place: String) -> Finding? {
        guard case .compared(_, _, .some(let users)) = criterion.condition.test, plan.weight(at: position) < .all else {
            return nil
        }
        let mean = min(different(position, .candidate), different(position, .legacy))
        guard mean < Double(users) else { return nil }
        return Finding(
            .error,
            place,
            "a window of \(plan.name(at: position)) has \(Self.text(mean)) different users on the smaller side, and “\(criterion)” needs \(users): nothing would be compared",
            "let windows be longer, or ask for fewer users"
        )
    }

    /// Too few samples for the condition's minimum.
    private func scarcity(_ criterion: Criterion, _ mean: Double, _ position: Position, _ place: String) -> Finding? {
        let minimum = Double(max(1, criterion.minimum))
        guard mean < minimum + 3 * minimum.squareRoot() else { return nil }
        let name = plan.name(at: position)
        let metric = criterion.condition.metric.name
        // So long that hardly a window has too few.
        let needed = (minimum + 4 * minimum.squareRoot()) / max(mean, 1e-9) * Double(plan.window.rawValue)
        let isLongEnough = needed.isFinite && needed < Double(TimeSpan.days(1).rawValue)
        let window = TimeSpan(rawValue: isLongEnough ? (Int64(needed) / 1_000_000 + 1) * 1_000_000 : 0)
        let mend =
            isLongEnough
            ? "let windows be \(window) long, begin with a larger step, or ask for fewer samples"
            : "begin with a larger step, or ask for fewer samples"
        if mean < minimum {
            return Finding(
                .error,
                place,
                "a window of \(name) has \(Self.text(mean)) requests on average, and \(metric) needs \(criterion.minimum): it would be missing, and \(name) would not pass",
                mend
            )
        }
        return Finding(
            .warning,
            place,
            "a window of \(name) has \(Self.text(mean)) requests on average, and \(metric) needs \(criterion.minimum): some windows have fewer, and each of them begins the bake again",
            mend
        )
    }

    /// Whether a candidate that is well passes so many windows in a row: one half as bad as the criterion allows.
    private func chance(_ criterion: Criterion, _ mean: Double, _ position: Position, _ place: String) -> Finding? {
        guard case .threshold(let side, let threshold) = criterion.condition.test,
            criterion.condition.metric.unit == .ratio
        else { return nil }
        let bad = Double(side == .below ? threshold : 1_000_000 - threshold) / 1_000_000
        let healthy = bad / 2
        let bake = plan.stage(at: position).bake
        let need = max(1, bake.windows(of: plan.window))
        let passing = passing(mean, healthy, bad)
        let expected = expectedWindows(need, passing)
        guard expected > Double(need) * 3 else { return nil }
        let time = expected * Double(plan.window.rawValue)
        let isHopeless = time > Double(plan.expires.rawValue)
        let spell =
            isHopeless
            ? "longer than the plan has time"
            : TimeSpan(rawValue: Int64(time) / 60_000_000 * 60_000_000).description + " on average"
        let longer = longerWindow(mean, healthy, bad, bake)
        return Finding(
            isHopeless ? .error : .warning,
            place,
            "with \(Self.text(mean)) requests in a window of \(plan.name(at: position)), a candidate that is half as bad as “\(criterion)” allows fails \(Self.text((1 - passing) * 100)) % of the windows by chance: \(need) passing ones in a row take \(spell)",
            longer.map { "let windows be \($0) long, so that each has more requests, or the criterion looser" }
                ?? "let the criterion be looser, or begin with a larger step"
        )
    }

    /// The shortest usual window with which the bake is hardly longer than it has to be; nil when none is.
    private func longerWindow(_ mean: Double, _ healthy: Double, _ limit: Double, _ bake: TimeSpan) -> TimeSpan? {
        let usual = [15, 30, 60, 120, 300, 600, 900, 1_800, 3_600].map { TimeSpan.seconds($0) }
        return usual.first { window in
            guard window > plan.window, window <= bake else { return false }
            let need = max(1, bake.windows(of: window))
            let mean = mean * Double(window.rawValue) / Double(plan.window.rawValue)
            return expectedWindows(need, passing(mean, healthy, limit)) < Double(need) * 1.5
        }
    }

    /// The share of windows in which the bad part is strictly below the limit.
    private func passing(_ mean: Double, _ healthy: Double, _ limit: Double) -> Double {
        var random = SplitMix(seed: seed)
        var passed = 0
        let draws = 20_000
        for _ in 0..<draws {
            let n = random.poisson(mean)
            if n > 0, Double(random.successes(n, healthy)) < limit * Double(n) { passed += 1 }
        }
        return Double(passed) / Double(draws)
    }

    /// How many windows it takes until so many have passed in a row (Feller, An Introduction to Probability Theory, XIII.7).
    private func expectedWindows(_ need: Int, _ p: Double) -> Double {
        guard p > 0 else { return .infinity }
        guard p < 1 else { return Double(need) }
        let power = Transcendental.exp(Double(need) * Transcendental.ln(p))
        return power > 0 ? (1 - power) / ((1 - p) * power) : .infinity
    }

    // MARK: - Comparisons

    /// The figures of every comparison with legacy, at the first and at the last step of each stage that has traffic on both sides.
    package func powers() -> [Power] {
        var powers: [Power] = []
        for (index, stage) in plan.stages.enumerated() {
            let steps = stage.steps.indices.filter { stage.steps[$0] > .zero && stage.steps[$0] < .all }
            let ends = Set([steps.first, steps.last].compactMap(\.self)).sorted()
            for step in ends {
                let position = Position(stage: index, step: step)
                for (number, criterion) in plan.criteria(at: index).enumerated() {
                    let place = stage.criteria == nil ? "criteria/\(number)" : "stages/\(stage.name)/criteria/\(number)"
                    let power =
                        power(criterion.condition, position, place, .noWorse)
                        ?? ranks(criterion.condition, plan.comparable(stage.services), position, place, nil)
                    if let power { powers.append(power) }
                }
                for (number, trigger) in plan.triggers(at: index).enumerated() {
                    let place = stage.triggers == nil ? "rollback/\(number)" : "stages/\(stage.name)/rollback/\(number)"
                    let power =
                        power(trigger.condition, position, place, .worse)
                        ?? ranks(
                            trigger.condition,
                            plan.comparable(Array(plan.services.indices)),
                            position,
                            place,
                            trigger
                        )
                    if let power { powers.append(power) }
                }
            }
        }
        return powers
    }

    private func power(_ condition: Condition, _ position: Position, _ place: String, _ direction: EProcess.Direction)
        -> Power?
    {
        guard case .compared(let factor, let borne, let users) = condition.test else { return nil }
        // Those that stand in one list share the false alarms.
        let list =
            direction == .worse
            ? plan.guards(at: position.stage).map(\.trigger.condition)
            : plan.criteria(at: position.stage).map(\.condition)
        let alpha = max(1, borne / max(1, list.count(where: \.isCompared)))
        let counted = { (side: Implementation) in
            Int(min(users == nil ? samples(position, side) : different(position, side), 1e9))
        }
        let candidate = counted(.candidate), legacy = counted(.legacy)
        // In windows with fewer users nothing is compared.
        if let users, min(candidate, legacy) < users { return nil }
        let rate = max(scenario.legacy.errors + scenario.legacy.timeouts, 0.000_1)
        func trial(_ ratio: Double, _ looks: Int) -> EvidenceTrial {
            EvidenceTrial(
                candidate: candidate,
                legacy: legacy,
                rate: min(rate, 0.9 / max(1, ratio)),
                ratio: ratio,
                window: plan.window,
                looks: looks,
                factor: factor,
                direction: direction
            )
        }
        let limit = Double(factor) / 1_000_000
        // A trigger is to see what is worse than the limit; a criterion, that a candidate is as good as legacy, or better.
        let ratios = direction == .worse ? [2, 3, 5].map { ($0, limit * $0) } : [1, 0.5].map { ($0, $0) }
        let longest = TimeSpan(rawValue: plan.window.rawValue * Int64(Self.looks))
        let seen = ratios.map { times, ratio in
            let median = trial(ratio, Self.looks).play(runs: runs, alpha: alpha, seed: seed).median
            return Power.Seen(
                times: times,
                after: median.map { .after(micros: $0.rawValue) } ?? .longer(micros: longest.rawValue)
            )
        }
        var power = Power(
            place: place,
            condition: condition.text(asTrigger: direction == .worse),
            against: direction == .worse ? .limit : .nothing,
            step: plan.name(at: position),
            candidatePerWindow: candidate,
            legacyPerWindow: legacy,
            seen: seen,
            falseAlarms: nil
        )
        if direction == .worse {
            let outcome = trial(limit, planLooks).play(runs: runs, alpha: alpha, seed: seed &+ 1)
            power.falseAlarms = Double(outcome.alarms) / Double(max(1, outcome.runs))
        }
        return power
    }

    /// How many windows the plan takes, as far as they are tried.
    private var planLooks: Int {
        let bakes = plan.stages.reduce(TimeSpan.zero) { $0 + $1.bake * Int64($1.steps.count) }
        return min(Self.looks, (bakes + plan.watch).windows(of: plan.window))
    }

    /// The figures of a comparison by ranks; nil for another condition, and for a metric of which the traffic says nothing.
    ///
    /// - Parameter trigger: whose condition it is; nil for a criterion's.
    private func ranks(
        _ condition: Condition,
        _ services: [Int],
        _ position: Position,
        _ place: String,
        _ trigger: Trigger?
    ) -> Power? {
        guard case .ranked(let alpha, let over) = condition.test else { return nil }
        func play(_ times: Double, _ looks: Int) -> EvidenceTrial.Outcome? {
            scenario.steady(condition.metric, timesAsBad: times).map { scenario in
                RankTrial(
                    metric: condition.metric,
                    alpha: alpha,
                    depth: max(1, over.windows(of: plan.window)),
                    need: trigger?.need(window: plan.window) ?? 1,
                    looks: looks,
                    traffic: ScenarioTraffic(scenario: scenario, services: plan.services.map(\.name)),
                    environment: plan.stage(at: position).environment,
                    services: services,
                    share: Double(plan.weight(at: position).rawValue) / 10_000,
                    window: plan.window
                ).play(runs: min(runs, 60), seed: seed)
            }
        }
        guard let equal = play(1, planLooks) else { return nil }
        // Ranks see what they can within a few times what they compare.
        let looks = min(Self.looks, over.windows(of: plan.window) * 5)
        let longest = TimeSpan(rawValue: plan.window.rawValue * Int64(looks))
        return Power(
            place: place,
            condition: condition.text(asTrigger: trigger != nil),
            against: .legacy,
            step: plan.name(at: position),
            candidatePerWindow: Int(min(samples(position, .candidate), 1e9)),
            legacyPerWindow: Int(min(samples(position, .legacy), 1e9)),
            seen: [2.0, 3, 5].map { times in
                let median = play(times, looks)?.median
                return Power.Seen(
                    times: times,
                    after: median.map { .after(micros: $0.rawValue) } ?? .longer(micros: longest.rawValue)
                )
            },
            falseAlarms: Double(equal.alarms) / Double(max(1, equal.runs))
        )
    }

    private static func text(_ value: Double) -> String {
        value < 10 ? Decimals.text(Int((value * 10).rounded()), scale: 10) : "\(Int(value.rounded()))"
    }
}
