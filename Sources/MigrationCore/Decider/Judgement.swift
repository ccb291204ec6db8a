/// What a window showed: verdicts by the plan's order of criteria and triggers, and the shares that were seen.
package struct Judgement: Hashable, Codable, Sendable {
    package var k: Int64
    package var criteria: [Judged]
    package var triggers: [JudgedTrigger]
    /// Windows in a row, this one included, in which every criterion passed since the step's acknowledgement.
    package var run: Int
    package var observed: [Observed]

    package init(k: Int64, criteria: [Judged], triggers: [JudgedTrigger], run: Int, observed: [Observed]) {
        self.k = k
        self.criteria = criteria
        self.triggers = triggers
        self.run = run
        self.observed = observed
    }
}

/// One criterion's verdict with its evidence, and legacy's value beside it.
package struct Judged: Hashable, Codable, Sendable {
    package var verdict: Verdict
    package var candidate: Measurement?
    package var legacy: Measurement?

    package init(verdict: Verdict, candidate: Measurement?, legacy: Measurement?) {
        self.verdict = verdict
        self.candidate = candidate
        self.legacy = legacy
    }
}

/// One trigger's verdict with its evidence, and the streak after it.
package struct JudgedTrigger: Hashable, Codable, Sendable {
    package var verdict: Verdict
    package var candidate: Measurement?
    package var streak: Streak

    package init(verdict: Verdict, candidate: Measurement?, streak: Streak) {
        self.verdict = verdict
        self.candidate = candidate
        self.streak = streak
    }
}

/// What the routers of one environment were seen to do in a window.
package struct Observed: Hashable, Codable, Sendable {
    package var environment: String
    /// Routers that reported the window, and routers that are registered.
    package var reported: Int
    package var expected: Int
    /// Requests to the candidate out of all, by the plan's order of services.
    package var shares: [Measurement]

    package init(environment: String, reported: Int, expected: Int, shares: [Measurement]) {
        self.environment = environment
        self.reported = reported
        self.expected = expected
        self.shares = shares
    }
}
