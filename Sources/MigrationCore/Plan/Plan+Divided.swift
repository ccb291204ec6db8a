extension Plan {
    /// The shortest window that a gateway and a worker on a busy small machine still seal in time.
    package static let shortestWindow = TimeSpan.seconds(1)

    /// The same plan at another speed, for demonstrations and rehearsals: a plan of its own, with its own hash.
    ///
    /// Every time is divided, then raised to a floor that keeps the order of things: a window is at least
    /// ``shortestWindow``; a trigger keeps up to four of its windows; a bake is at least the longest trigger and one window;
    /// the watch is at least a bake; limits for people and for the whole are at least ten minutes.
    ///
    /// - Parameter speed: how many times faster, 1 or more; 1 is the plan itself.
    package func divided(by speed: Int64) -> Plan {
        guard speed > 1 else { return self }
        var plan = self
        plan.window = divide(window, speed, atLeast: min(window, Plan.shortestWindow))
        plan.grace = divide(grace, speed, atLeast: min(grace, plan.window))
        let window = window
        let divided = plan.window
        func kept(_ span: TimeSpan, upTo limit: Int) -> TimeSpan {
            divide(span, speed, atLeast: divided * Int64(min(span.windows(of: window), limit)))
        }
        plan.triggers = triggers.map { trigger in
            var trigger = trigger
            trigger.duration = kept(trigger.duration, upTo: 4)
            trigger.maxGap = kept(trigger.maxGap, upTo: 4)
            trigger.noData = trigger.noData.map { kept($0, upTo: 8) }
            return trigger
        }
        let longest = plan.triggers.map(\.duration).max() ?? divided
        plan.stages = stages.map { stage in
            var stage = stage
            stage.bake = divide(stage.bake, speed, atLeast: min(stage.bake, longest + divided))
            stage.approval = stage.approval.map { approval in
                var approval = approval
                approval.timeout = divide(approval.timeout, speed, atLeast: .minutes(10))
                return approval
            }
            return stage
        }
        plan.watch = divide(watch, speed, atLeast: min(watch, longest + divided))
        plan.expires = divide(expires, speed, atLeast: .minutes(10))
        return plan
    }

    private func divide(_ span: TimeSpan, _ speed: Int64, atLeast floor: TimeSpan) -> TimeSpan {
        max(TimeSpan(rawValue: span.rawValue / speed), floor)
    }
}
