import MigrationCore

extension PlanExplorer {
    /// The time from the start to completion when every window passes and people are at hand, freezes waited for; nil when it would expire.
    func shortest() -> TimeSpan? {
        var now = start
        let end = start + plan.expires
        func thaw() {
            while plan.isFrozen(at: now), now < end { now = now + .minutes(1) }
        }
        thaw()
        if let baseline = plan.baseline {
            now = now + plan.window + plan.window * Int64(max(1, baseline.windows(of: plan.window))) + plan.grace
            thaw()
        }
        for stage in plan.stages {
            // A step's bake begins with the next window, and its last one is judged after its grace.
            let step = plan.window * Int64(max(1, stage.bake.windows(of: plan.window)) + 1) + plan.grace
            for _ in stage.steps {
                now = now + step
                thaw()
            }
        }
        now = now + plan.watch + plan.window + plan.grace
        return now < end ? now - start : nil
    }

    func durations(_ shortest: TimeSpan?) -> [Finding] {
        guard let shortest else {
            return [
                Finding(
                    .error,
                    "expires",
                    "bakes, freezes and the watch take longer than \(plan.expires), even if every window passes",
                    "let it expire later, bake for less, or freeze less"
                )
            ]
        }
        let patience = plan.stages.flatMap(\.approvals).reduce(shortest) { $0 + $1.timeout }
        guard patience > plan.expires, !plan.stages.allSatisfy(\.approvals.isEmpty) else { return [] }
        return [
            Finding(
                .note,
                "expires",
                "it takes \(words(shortest)) at the least; if people take all the time that approvals give them, it expires first",
                "let it expire after \(words(patience)) or later, or give people less time"
            )
        ]
    }

    func shapes() -> [Finding] {
        var findings: [Finding] = []
        for (index, stage) in plan.stages.enumerated() {
            let place = "stages/\(stage.name)"
            let longest = plan.triggers(at: index).map(\.duration).max() ?? .zero
            if stage.bake < longest + plan.grace + plan.window {
                findings.append(
                    Finding(
                        .warning,
                        "\(place)/bake",
                        "a fault that begins in the last \(longest + plan.grace + plan.window) of \(stage.name)’s bake has not fired “\(slowest(index))” when the step ends",
                        "bake for \(longest + plan.grace + plan.window) or longer"
                    )
                )
            }
            if let first = stage.steps.first(where: { $0 > .zero }), first == .all, stage.steps.count == 1,
                stage.environment == plan.stages.last?.environment
            {
                findings.append(
                    Finding(
                        .warning,
                        "\(place)/steps",
                        "\(stage.name) takes all users at once",
                        "begin with a few: steps: [1%, 10%, 50%, 100%]"
                    )
                )
            }
            findings += comparisons(stage, index, place)
            if stage.limit == nil, index == plan.stages.count - 1 {
                findings.append(
                    Finding(
                        .note,
                        place,
                        "a step of \(stage.name) may wait for its criteria as long as the plan has time, \(plan.expires)",
                        "give it a limit: limit: \(words(stage.bake * 4))"
                    )
                )
            }
        }
        for service in plan.services where service.legacy == service.candidate {
            findings.append(
                Finding(
                    .note,
                    "services/\(service.name)",
                    "the candidate of \(service.name) is legacy itself: an A/A run, in which every alarm is a false one"
                )
            )
        }
        return findings + ending()
    }

    /// A comparison that has nothing to compare with never passes: evidence that was gathered stays, ranks are of the last windows.
    private func comparisons(_ stage: Stage, _ index: Int, _ place: String) -> [Finding] {
        let isEver = stage.steps.contains { $0 > .zero && $0 < .all }
        return plan.criteria(at: index).enumerated().compactMap { number, criterion in
            let isStuck: Bool
            switch criterion.condition.test {
            case .compared: isStuck = !isEver
            case .ranked(_, let over): isStuck = !isEver || (stage.steps.contains(.all) && stage.bake >= over)
            case .threshold, .improved, .burning: isStuck = false
            }
            guard isStuck else { return nil }
            return Finding(
                .error,
                stage.criteria == nil ? "criteria/\(number)" : "\(place)/criteria/\(number)",
                "“\(criterion)” has no requests of legacy to compare with at the 100 % of \(stage.name), which would not pass it",
                "compare by evidence (by 1.5x) over steps below 100 %, or give 100 % a stage and criteria of its own"
            )
        }
    }

    /// A plan that ends below 100 % leaves the rest at legacy for good.
    private func ending() -> [Finding] {
        guard let last = plan.stages.last, let weight = last.steps.last, weight < .all else { return [] }
        return [
            Finding(
                .warning,
                "stages/\(last.name)/steps",
                "the plan ends at \(weight) in \(last.name): it is called completed with the rest at legacy",
                "let the last step be 100%"
            )
        ]
    }

    private func slowest(_ stage: Int) -> String {
        plan.triggers(at: stage).max { $0.duration < $1.duration }?.description ?? ""
    }

    func gates() -> [Finding] {
        let all = plan.stages.enumerated().flatMap { index, stage in
            plan.triggers(at: index).enumerated().map {
                (
                    stage.triggers == nil ? "rollback/\($0.offset)" : "stages/\(stage.name)/rollback/\($0.offset)",
                    $0.element
                )
            }
        }
        var seen: Set<String> = []
        var findings: [Finding] = []
        let isSilent = all.allSatisfy { $0.1.noData == nil && $0.1.missing != .breach }
        if isSilent, let first = all.first {
            findings.append(
                Finding(
                    .note,
                    first.0,
                    "when measurements stop, nothing advances and nobody is told",
                    "let a trigger say so: \(first.1) (no data 5m)"
                )
            )
        }
        for (place, trigger) in all where seen.insert(place).inserted {
            if trigger.missing == .pass, trigger.duration > plan.window {
                findings.append(
                    Finding(
                        .warning,
                        place,
                        "one missing window ends the streak of “\(trigger)”, so a candidate that fails and goes silent by turns is never taken back",
                        "let missing data hold the streak: missing hold"
                    )
                )
            }
        }
        return findings
    }

    /// The larger two units of a time.
    func words(_ span: TimeSpan) -> String {
        let units: [Int64] = [86_400_000_000, 3_600_000_000, 60_000_000, 1_000_000]
        guard let unit = units.first(where: { span.rawValue >= $0 }) else { return span.description }
        let smaller = max(1_000_000, units.last { $0 < unit && $0 >= unit / 60 } ?? 1_000_000)
        return TimeSpan(rawValue: span.rawValue / smaller * smaller).description
    }
}
