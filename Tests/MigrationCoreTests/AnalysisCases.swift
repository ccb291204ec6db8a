import MigrationCore
import TestSupport
import Testing

/// The cases of 2-analysis.md that are a row of letters, in its numbering: w = 10 s, D = 30 s, T_in = 5 %, T_out = 4 %, maxGap = 20 s,
/// no-data = 30 s; B breach, G gray, O pass, M missing.
struct AnalysisCase: Sendable, CustomTestStringConvertible {
    var number: Int
    var windows: String
    var firedAt: Int64?
    var noDataAt: Int64?
    var streak: Int?
    var duration: TimeSpan = .seconds(30)
    var missing: Trigger.Missing = .hold

    var testDescription: String { "case \(number): \(windows)" }

    static let all = [
        AnalysisCase(number: 1, windows: "BBB", firedAt: 3),
        AnalysisCase(number: 2, windows: "BBOB", streak: 1),
        AnalysisCase(number: 3, windows: "BBMB", firedAt: 4),
        AnalysisCase(number: 4, windows: "BMMBB", firedAt: 5),
        AnalysisCase(number: 5, windows: "BMMMB", noDataAt: 4, streak: 2),
        AnalysisCase(number: 6, windows: "MMM", noDataAt: 3, streak: 0),
        AnalysisCase(number: 7, windows: "BGBB", firedAt: 4),
        AnalysisCase(number: 8, windows: "BGGGB", streak: 1),
        AnalysisCase(number: 9, windows: "GGG", streak: 0),
        AnalysisCase(number: 10, windows: "BBB", firedAt: 3, duration: .seconds(25)),
        AnalysisCase(number: 11, windows: "B", firedAt: 1, duration: .zero),
        AnalysisCase(number: 12, windows: "MMM", firedAt: 3, noDataAt: 3, missing: .breach),
        AnalysisCase(number: 13, windows: "BBMB", streak: 1, missing: .pass),
        AnalysisCase(number: 14, windows: "MBMBMB", firedAt: 6),
    ]
}

@Suite("Triggers, by the cases of the design")
struct AnalysisCaseTests {
    private static let window = TimeSpan.seconds(10)

    @Test("case", arguments: 1...25)
    func example(_ number: Int) throws {
        switch number {
        case 15: exactlyTheThreshold()
        case 16:
            for (errors, requests) in [(0, 0), (3, 0), (-1, 10), (1, -10), (11, 10)] { notMeasured(errors, requests) }
        case 17: tooFew()
        case 18: try late()
        case 19: try order()
        case 20: try restarted()
        case 21: try backfilled()
        case 22: try clock()
        case 23: try changedWeight()
        case 24: try editedThreshold()
        case 25: for haltsFirst in [true, false] { try haltAndBreach(haltsFirst) }
        default: letters(try #require(AnalysisCase.all.first { $0.number == number }))
        }
    }

    private func letters(_ example: AnalysisCase) {
        var trigger = SamplePlan.errors
        trigger.duration = example.duration
        trigger.missing = example.missing
        var streak = Streak()
        var firedAt: Int64?, noDataAt: Int64?
        for (index, letter) in example.windows.enumerated() {
            let k = Int64(index + 1)
            let verdict = trigger.judge(Self.sample(letter))
            let outcome = streak.after(verdict, k: k, trigger: trigger, window: Self.window)
            streak = outcome.streak
            if outcome.fires, firedAt == nil { firedAt = k }
            if outcome.noData, noDataAt == nil { noDataAt = k }
        }
        #expect(firedAt == example.firedAt)
        #expect(noDataAt == example.noDataAt)
        if let expected = example.streak { #expect(streak.breaches == expected) }
    }

    private static func sample(_ letter: Character) -> Sample {
        switch letter {
        case "B": sample(errors: 6, of: 100)
        case "G": sample(errors: 45, of: 1_000)
        case "O": sample(errors: 4, of: 100)
        default: sample(errors: 0, of: 0)
        }
    }

    private static func sample(errors: Int, of requests: Int) -> Sample {
        var counts = Counts()
        counts.errors = errors
        counts.requests = requests
        return Sample(counts, span: window)
    }

    /// Case 15: exactly the threshold is gray.
    private func exactlyTheThreshold() {
        #expect(SamplePlan.errors.judge(Self.sample(errors: 5, of: 100)) == .gray)
        #expect(SamplePlan.errors.judge(Self.sample(errors: 50_001, of: 1_000_000)) == .breach)
        #expect(SamplePlan.errors.judge(Self.sample(errors: 40_001, of: 1_000_000)) == .gray)
        #expect(SamplePlan.errors.judge(Self.sample(errors: 4, of: 100)) == .pass)
    }

    /// Case 16: nothing, and what cannot have been counted, is missing.
    private func notMeasured(_ errors: Int, _ requests: Int) {
        #expect(SamplePlan.errors.judge(Self.sample(errors: errors, of: requests)) == .missing)
    }

    /// Case 17: 19 samples, all errors, with a minimum of 20 are missing.
    private func tooFew() {
        var trigger = SamplePlan.errors
        trigger.minimum = 20
        #expect(trigger.judge(Self.sample(errors: 19, of: 19)) == .missing)
        #expect(trigger.judge(Self.sample(errors: 20, of: 20)) == .breach)
    }

    /// Case 18: late data is logged and changes no verdict.
    private func late() throws {
        var scenario = try MigrationScenario()
        try scenario.reach(0, 0)
        try scenario.window(errors: 10)
        let before = try scenario.migration
        try scenario.perform(.recordLate(k: try #require(before.nextWindow) - 1, router: "r1", requests: 7))
        #expect(scenario.last == [.signalLate(k: try #require(before.nextWindow) - 1, router: "r1", requests: 7)])
        #expect(try scenario.migration.guards == before.guards)
        #expect(try scenario.migration.judgement == before.judgement)
    }

    /// Case 19: the first seal of a window wins, and windows are judged in order.
    private func order() throws {
        var scenario = try MigrationScenario()
        try scenario.reach(0, 0)
        try scenario.window(errors: 10)
        let k = try #require(try scenario.migration.nextWindow)
        scenario.now = scenario.now + .seconds(100)
        for other in [k - 1, k + 1] {
            let window = try MigrationScenario.window(other, scenario.migration, errors: 0)
            #expect(throws: Refusal.self) { try scenario.perform(.sealWindow(window: window)) }
        }
        #expect(try scenario.migration.guards[0].streak.breaches == 1)
    }

    /// Case 20: a worker that was restarted fires in the same window.
    private func restarted() throws {
        var scenario = try MigrationScenario()
        try scenario.reach(0, 0)
        try scenario.window(errors: 10)
        try scenario.window(errors: 10)
        // Everything that the next worker knows is the state.
        #expect(try scenario.migration.guards[0].streak.breaches == 2)
        try scenario.window(errors: 10)
        #expect(scenario.last.contains { if case .triggerFired = $0 { true } else { false } })
    }

    /// Case 21: what was due while nobody worked fires now, and both times are recorded.
    private func backfilled() throws {
        var scenario = try MigrationScenario()
        try scenario.reach(0, 0)
        let first = try #require(try scenario.migration.nextWindow)
        let plan = try scenario.migration.plan
        scenario.now = plan.clock.end(of: first + 20)
        for _ in 0..<3 { try scenario.window(errors: 10) }
        let fired = scenario.last.compactMap { event -> (Int64, Timestamp, Timestamp)? in
            if case .triggerFired(_, _, let k, let onset, let due) = event { (k, onset, due) } else { nil }
        }.first
        let (k, onset, due) = try #require(fired)
        #expect(k == first + 2)
        #expect(onset == plan.clock.start(of: first))
        #expect(due == plan.clock.end(of: first + 2) + plan.grace)
        let rollback = try #require(try scenario.migration.phase.rollback)
        #expect(rollback.detectedAt == due)
        #expect(rollback.decidedAt == scenario.now)
    }

    /// Case 22: a clock that jumps ahead is a gap, one that goes back is ignored.
    private func clock() throws {
        var scenario = try MigrationScenario()
        try scenario.reach(0, 0)
        try scenario.window(errors: 10)
        try scenario.window(errors: 10)
        for _ in 0..<4 { try scenario.window(errors: nil) }
        #expect(try scenario.migration.guards[0].streak.breaches == 0)
        let k = try #require(try scenario.migration.nextWindow)
        scenario.now = scenario.now - .hours(1)
        let window = try MigrationScenario.window(k, scenario.migration, errors: 10)
        #expect(throws: Refusal.self) { try scenario.perform(.sealWindow(window: window)) }
    }

    /// Case 23: a changed weight does not break the streak, and begins the bake again.
    private func changedWeight() throws {
        var scenario = try MigrationScenario()
        try scenario.reach(1, 0)
        try scenario.window(errors: 0)
        try scenario.window(errors: 10)
        try scenario.window(errors: 10)
        #expect(try scenario.migration.guards[0].streak.breaches == 2)
        let command = Command.setWeight(
            weight: SamplePlan.weight(2_000),
            service: nil,
            environment: nil,
            reason: "look"
        )
        try scenario.perform(command, by: "ana")
        #expect(try scenario.migration.guards[0].streak.breaches == 2)
        #expect(try scenario.migration.phase.step?.progress == .shifting)
        try scenario.acknowledge()
        try scenario.window(errors: 10)
        #expect(try scenario.migration.phase.name == "rollingBack")
    }

    /// Case 24: another threshold is another trigger, whose streak starts at its beginning.
    private func editedThreshold() throws {
        var scenario = try MigrationScenario()
        try scenario.reach(0, 0)
        for _ in 0..<2 { try scenario.window(errors: 10) }
        #expect(try scenario.migration.guards[0].streak.breaches == 2)
        var plan = try scenario.migration.plan
        plan.triggers[0].condition.test = .threshold(side: .above, value: 60_000)
        try scenario.perform(.amend(plan: plan, hash: "other", reason: "closer"), by: "ana")
        #expect(try scenario.migration.guards == [Running()])
        for _ in 0..<2 { try scenario.window(errors: 10) }
        #expect(try scenario.migration.phase.name == "running")
        try scenario.window(errors: 10)
        #expect(try scenario.migration.phase.name == "rollingBack")
    }

    /// Case 25: a breach rolls back although a person has halted.
    private func haltAndBreach(_ haltsFirst: Bool) throws {
        var scenario = try MigrationScenario()
        try scenario.reach(0, 0)
        if haltsFirst { try scenario.perform(.halt(reason: "wait"), by: "ana") }
        try scenario.window(errors: 10)
        try scenario.window(errors: 10)
        if !haltsFirst { try scenario.perform(.halt(reason: "wait"), by: "ana") }
        #expect(try scenario.migration.phase.name == "halted")
        try scenario.window(errors: 10)
        #expect(try scenario.migration.phase.name == "rollingBack")
    }
}
