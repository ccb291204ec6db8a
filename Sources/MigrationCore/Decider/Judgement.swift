/// What a window showed: verdicts by the order of the stage's criteria and guards, and the shares that were seen.
package struct Judgement: Hashable, Codable, Sendable {
    package var k: Int64
    /// The stage whose criteria and guards these are; nil when nothing was judged but the shares.
    package var stage: Int?
    package var criteria: [Judged]
    package var triggers: [Judged]
    /// Windows in a row, this one included, in which every criterion passed since the step's acknowledgement.
    package var run: Int
    package var observed: [Observed]
    /// What the window adds to the baseline, by the plan's order of stages; nil when none is being recorded.
    package var recorded: [Counts]?

    package init(
        k: Int64,
        stage: Int? = nil,
        criteria: [Judged] = [],
        triggers: [Judged] = [],
        run: Int = 0,
        observed: [Observed],
        recorded: [Counts]? = nil
    ) {
        self.k = k
        self.stage = stage
        self.criteria = criteria
        self.triggers = triggers
        self.run = run
        self.observed = observed
        self.recorded = recorded
    }
}

/// One condition's verdict with its evidence, and legacy's value beside it.
package struct Judged: Hashable, Codable, Sendable {
    /// The number by which a cumulative condition is judged.
    package enum Figure: Hashable, Codable, Sendable {
        /// ln E in billionths.
        case evidence(Int)
        /// The one-sided p and the estimated difference, both in billionths.
        case ranks(p: Int, estimate: Int)
        /// Burn rates over the long and the short time, in thousandths.
        case burn(long: Int, short: Int)
    }

    package var verdict: Verdict
    package var candidate: Measurement?
    package var legacy: Measurement?
    package var figure: Figure?
    package var process: EProcess?
    /// A guard's streak after the window; a criterion has none.
    package var streak: Streak

    package init(verdict: Verdict, candidate: Measurement?, legacy: Measurement?) {
        self.verdict = verdict
        self.candidate = candidate
        self.legacy = legacy
        streak = Streak()
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

    /// Whether every registered router reported.
    package var isWhole: Bool { expected > 0 && reported >= expected }
}
