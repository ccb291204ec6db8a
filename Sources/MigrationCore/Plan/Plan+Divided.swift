extension Plan {
    /// The shortest window that a gateway and a worker on a busy small machine still seal in time.
    package static let shortestWindow = TimeSpan.seconds(1)

    /// No minimum of samples is divided further.
    package static let fewestSamples = 3

    /// The same plan at another speed, for demonstrations and rehearsals: a plan of its own, with its own hash.
    ///
    /// Every time is divided, then raised to a floor that keeps the order of things: a window is at least
    /// ``shortestWindow``, with a grace of two; a trigger keeps up to four of its windows; a bake is at least the longest trigger and one window;
    /// the watch is at least a bake; a minimum of samples shrinks with the window, to ``fewestSamples``; limits of gates, of steps and of the whole are at least ten minutes.
    ///
    /// - Parameter speed: how many times faster, 1 or more; 1 is the plan itself.
    package func divided(by speed: Int64) -> Plan {
        guard speed > 1 else { return self }
        var plan = self
        plan.window = divide(window, speed, atLeast: min(window, Plan.shortestWindow))
        plan.grace = divide(grace, speed, atLeast: min(grace, plan.window * 2))
        let window = window
        let length = plan.window
        func kept(_ span: TimeSpan, upTo limit: Int) -> TimeSpan {
            divide(span, speed, atLeast: length * Int64(min(span.windows(of: window), limit)))
        }
        // A shorter window has fewer samples.
        func divided(_ minimum: Int) -> Int {
            let part = Int128(minimum) * Int128(length.rawValue) / Int128(max(1, window.rawValue))
            return max(Int(clamping: part), min(minimum, Plan.fewestSamples))
        }
        func divided(_ trigger: Trigger) -> Trigger {
            var trigger = trigger
            trigger.minimum = divided(trigger.minimum)
            trigger.duration = kept(trigger.duration, upTo: 4)
            trigger.maxGap = kept(trigger.maxGap, upTo: 4)
            trigger.noData = trigger.noData.map { kept($0, upTo: 8) }
            trigger.condition = divided(trigger.condition)
            return trigger
        }
        func divided(_ criterion: Criterion) -> Criterion {
            var criterion = criterion
            criterion.minimum = divided(criterion.minimum)
            criterion.condition = divided(criterion.condition)
            return criterion
        }
        func divided(_ condition: Condition) -> Condition {
            var condition = condition
            switch condition.test {
            case .threshold, .improved, .compared: break
            case .ranked(let alpha, let over): condition.test = .ranked(alpha: alpha, over: kept(over, upTo: 10))
            case .burning(let rate, let long, let short, let objective):
                condition.test = .burning(
                    rate: rate,
                    long: kept(long, upTo: 12),
                    short: kept(short, upTo: 2),
                    objective: objective
                )
            }
            return condition
        }
        plan.triggers = triggers.map(divided)
        plan.criteria = criteria.map(divided)
        plan.baseline = baseline.map { kept($0, upTo: 5) }
        plan.sources = sources.map { source in
            var source = source
            source.timeout = min(source.timeout, length)
            return source
        }
        plan.checks = checks.map { check in
            var check = check
            check.timeout = divide(check.timeout, speed, atLeast: min(check.timeout, .minutes(10)))
            return check
        }
        plan.stages = stages.map { stage in
            var stage = stage
            stage.triggers = stage.triggers?.map(divided)
            stage.criteria = stage.criteria?.map(divided)
            return stage
        }
        let longest = plan.stages.indices.flatMap { plan.triggers(at: $0) }.map(\.duration).max() ?? length
        plan.stages = plan.stages.map { stage in
            var stage = stage
            stage.bake = divide(stage.bake, speed, atLeast: min(stage.bake, longest + length))
            stage.limit = stage.limit.map { divide($0, speed, atLeast: min($0, .minutes(10))) }
            stage.approvals = stage.approvals.map { approval in
                var approval = approval
                approval.timeout = divide(approval.timeout, speed, atLeast: .minutes(10))
                return approval
            }
            return stage
        }
        plan.watch = divide(watch, speed, atLeast: min(watch, longest + length))
        plan.expires = divide(expires, speed, atLeast: .minutes(10))
        return plan
    }

    private func divide(_ span: TimeSpan, _ speed: Int64, atLeast floor: TimeSpan) -> TimeSpan {
        max(TimeSpan(rawValue: span.rawValue / speed), floor)
    }
}
