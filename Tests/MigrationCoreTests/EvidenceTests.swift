import MigrationCore
import TestSupport
import Testing

@Suite("Conditions that need more than one window")
struct EvidenceTests {
    private func plan(criteria: [Condition] = [], triggers: [Condition] = []) -> Plan {
        var plan = SamplePlan.plan()
        plan.stages = [
            Stage(
                name: "p",
                environment: "production",
                services: [0, 1],
                steps: [SamplePlan.weight(5_000)],
                bake: .seconds(30)
            )
        ]
        plan.criteria = criteria.map { Criterion(condition: $0) }
        plan.triggers = triggers.map {
            Trigger(condition: $0, duration: .zero, exit: nil, maxGap: .seconds(20), noData: nil)
        }
        return plan
    }

    private func started(_ plan: Plan) throws -> MigrationScenario {
        var scenario = try MigrationScenario(plan)
        try scenario.perform(.start(reason: nil), by: "ana")
        try scenario.acknowledge()
        return scenario
    }

    private func window(_ scenario: inout MigrationScenario, _ candidate: Counts, _ legacy: Counts) throws {
        try scenario.window { _, service, side in
            service == 0 ? (side == .candidate ? candidate : legacy) : Counts()
        }
    }

    private let claim = Condition(metric: .errorRate, test: .compared(factor: 1_500_000, alpha: 50_000))

    @Test("a step goes on only with evidence that the candidate is no worse: silence is none, and neither is a bad one")
    func noWorse() throws {
        for (candidate, legacy, advances) in [(20, 20, true), (60, 20, false), (0, 0, false)] {
            var scenario = try started(plan(criteria: [claim]))
            for _ in 0..<40 where try scenario.migration.phase.name == "running" {
                try window(
                    &scenario,
                    MigrationScenario.counts(1_000, errors: candidate),
                    MigrationScenario.counts(1_000, errors: legacy)
                )
            }
            #expect(try scenario.migration.phase.name == (advances ? "watching" : "running"), "\(candidate)")
        }
        var silent = try started(plan(criteria: [claim]))
        for _ in 0..<40 { try window(&silent, Counts(), Counts()) }
        #expect(try silent.migration.phase.name == "running")
        #expect(try silent.migration.judgement?.criteria[0].verdict == .missing)
    }

    @Test("evidence that the candidate is worse rolls back, and an equal one stays")
    func worse() throws {
        let worse = Condition(metric: .errorRate, test: .compared(factor: 1_000_000, alpha: 50_000))
        for (errors, phase) in [(10, "watching"), (60, "rollingBack")] {
            var scenario = try started(plan(triggers: [worse]))
            for _ in 0..<20 where try scenario.migration.phase.name != "rollingBack" {
                try window(
                    &scenario,
                    MigrationScenario.counts(500, errors: errors),
                    MigrationScenario.counts(500, errors: 10)
                )
                if try scenario.migration.phase.name == "completed" { break }
            }
            let name = try scenario.migration.phase.name
            #expect(name == phase || (phase == "watching" && name == "completed"))
        }
    }

    @Test("comparisons that stand beside each other share the false alarms that are borne")
    func shared() throws {
        let worse = Condition(metric: .errorRate, test: .compared(factor: 1_000_000, alpha: 50_000))
        let other = Condition(metric: .timeoutRate, test: .compared(factor: 1_000_000, alpha: 50_000))
        // One window whose ln E lies between ln 20 and ln 40.
        let candidate = MigrationScenario.counts(500, errors: 15), legacy = MigrationScenario.counts(500, errors: 3)
        var alone = try started(plan(triggers: [worse]))
        try window(&alone, candidate, legacy)
        let figure = try #require(try alone.migration.judgement?.triggers[0].figure)
        guard case .evidence(let logE) = figure else {
            Issue.record("no evidence")
            return
        }
        #expect((2_995_732_273..<3_688_879_454).contains(logE))
        #expect(try alone.migration.phase.name == "rollingBack")
        var two = try started(plan(triggers: [worse, other]))
        try window(&two, candidate, legacy)
        #expect(try two.migration.phase.name == "running")
    }

    @Test("ranks of many windows roll back what is slower, and need at least four")
    func ranks() throws {
        let slower = Condition(metric: .latency(permille: 950), test: .ranked(alpha: 50_000, over: .minutes(2)))
        for (factor, isWorse) in [(1, false), (2, true)] {
            var scenario = try started(plan(triggers: [slower]))
            for turn in 0..<8 where try scenario.migration.phase.rollback == nil {
                func counts(_ millis: Int) -> Counts {
                    var counts = MigrationScenario.counts(10)
                    counts.latency = LatencyHistogram([.init(micros: millis * 1_000, count: 10)])
                    return counts
                }
                try window(&scenario, counts((100 + turn % 3) * factor), counts(100 + (turn + 1) % 3))
                if turn < 3 { #expect(try scenario.migration.phase.rollback == nil) }
            }
            #expect(try (scenario.migration.phase.name == "rollingBack") == isWorse)
        }
    }

    @Test("an error budget that burns over both times rolls back; one that burned only before does not")
    func burn() throws {
        let burning = Condition(
            metric: .errorRate,
            test: .burning(rate: 10_000, long: .minutes(10), short: .seconds(30), objective: 990_000)
        )
        var scenario = try started(plan(triggers: [burning]))
        // 5 % of errors burn a budget of 1 % five times as fast as is allowed: below the rate of ten.
        for _ in 0..<6 {
            try window(&scenario, MigrationScenario.counts(100, errors: 5), MigrationScenario.counts(100))
        }
        guard case .burn(let long, let short)? = try scenario.migration.judgement?.triggers[0].figure else {
            Issue.record("no burn rate")
            return
        }
        #expect(long == 5_000 && short == 5_000)
        #expect(try scenario.migration.phase.rollback == nil)
        try window(&scenario, MigrationScenario.counts(100, errors: 100), MigrationScenario.counts(100))
        #expect(try scenario.migration.phase.name == "rollingBack")
    }

    @Test("a short time that is over its rate does not roll back while the long one is not")
    func shortBurn() throws {
        let burning = Condition(
            metric: .errorRate,
            test: .burning(rate: 10_000, long: .minutes(10), short: .seconds(10), objective: 990_000)
        )
        var scenario = try started(plan(triggers: [burning]))
        for _ in 0..<40 where try scenario.migration.phase.name == "running" {
            try window(&scenario, MigrationScenario.counts(1_000), MigrationScenario.counts(100))
        }
        try window(&scenario, MigrationScenario.counts(100, errors: 50), MigrationScenario.counts(100))
        #expect(try scenario.migration.phase.rollback == nil)
    }

    @Test("the baseline is recorded before the first step, frozen, and compared with")
    func baseline() throws {
        var plan = plan(criteria: [Condition(metric: .timeoutRate, test: .improved(by: 800_000))])
        plan.baseline = .seconds(30)
        for (timeouts, advances) in [(3, true), (4, false)] {
            var scenario = try MigrationScenario(plan)
            try scenario.perform(.start(reason: nil), by: "ana")
            #expect(try scenario.migration.traffic[0].effective == [.zero, .zero])
            var legacy = MigrationScenario.counts(100)
            legacy.timeouts = 15
            for _ in 0..<3 { try window(&scenario, Counts(), legacy) }
            let recorded = try #require(try scenario.migration.baselines.first)
            #expect(recorded.value == Measurement(value: 45, of: 300))
            #expect(
                try scenario.migration.traffic[0].effective == [SamplePlan.weight(5_000), SamplePlan.weight(5_000)]
            )
            try scenario.acknowledge()
            // What legacy does now is not asked any more.
            var candidate = MigrationScenario.counts(100)
            candidate.timeouts = timeouts
            for _ in 0..<4 { try window(&scenario, candidate, MigrationScenario.counts(100)) }
            #expect(try scenario.migration.phase.name == (advances ? "watching" : "running"))
        }
    }

    @Test("a baseline waits for legacy's traffic, and for every router")
    func noBaseline() throws {
        var plan = plan(criteria: [Condition(metric: .timeoutRate, test: .improved(by: 800_000))])
        plan.baseline = .seconds(30)
        var scenario = try MigrationScenario(plan)
        try scenario.perform(.start(reason: nil), by: "ana")
        for _ in 0..<10 { try window(&scenario, Counts(), Counts()) }
        for _ in 0..<10 { try scenario.window(errors: nil) }
        #expect(try scenario.migration.baselines.isEmpty)
        #expect(try scenario.migration.steps.isEmpty)
    }

    // MARK: - Services that are new

    @Test("what legacy does not have is in no comparison: its refusals do not make a bad candidate look good")
    func newService() throws {
        // Of the new service legacy refuses everything; of the other the candidate is four times as bad.
        func compare(isNew: Bool, _ plan: Plan) throws -> MigrationScenario {
            var plan = plan
            plan.services[1].isNew = isNew ? true : nil
            var scenario = try started(plan)
            for _ in 0..<40 where try scenario.migration.phase.name == "running" {
                try scenario.window { _, service, side in
                    switch (service, side) {
                    case (0, .candidate): MigrationScenario.counts(1_000, errors: 80)
                    case (0, .legacy): MigrationScenario.counts(1_000, errors: 20)
                    case (_, .candidate): MigrationScenario.counts(1_000)
                    case (_, .legacy): MigrationScenario.counts(1_000, errors: 1_000)
                    }
                }
            }
            return scenario
        }
        #expect(try compare(isNew: false, plan(criteria: [claim])).migration.phase.name == "watching")
        #expect(try compare(isNew: true, plan(criteria: [claim])).migration.phase.name == "running")
        let worse = plan(triggers: [Condition(metric: .errorRate, test: .compared(factor: 1_000_000, alpha: 50_000))])
        #expect(try compare(isNew: false, worse).migration.phase.rollback == nil)
        #expect(try compare(isNew: true, worse).migration.phase.rollback != nil)
        // What asks for no comparison still sees it: 40 of 1,000 over both.
        let limit = plan(triggers: [Condition(metric: .errorRate, side: .above, threshold: 50_000)])
        let watched = try compare(isNew: true, limit)
        #expect(try watched.migration.phase.rollback == nil)
        // Of legacy only what it has is set beside it.
        #expect(try watched.migration.judgement?.triggers[0].legacy == Measurement(value: 20, of: 1_000))
        #expect(try watched.migration.judgement?.triggers[0].candidate == Measurement(value: 80, of: 2_000))
    }

    @Test("a service's own comparison is not watched where the service is new, and every other trigger is")
    func newServiceScope() throws {
        var plan = plan(triggers: [
            Condition(metric: .errorRate, test: .compared(factor: 1_000_000, alpha: 50_000)),
            Condition(metric: .errorRate, side: .above, threshold: 50_000),
        ])
        for index in plan.triggers.indices { plan.triggers[index].scope = .service }
        #expect(plan.guards(at: 0).map(\.service) == [0, 1, 0, 1])
        plan.services[1].isNew = true
        #expect(plan.guards(at: 0).map(\.service) == [0, 0, 1])
    }

    @Test("a baseline is recorded of what legacy has")
    func newServiceBaseline() throws {
        var plan = plan(criteria: [Condition(metric: .errorRate, test: .improved(by: 100_000))])
        plan.baseline = .seconds(30)
        plan.services[1].isNew = true
        var scenario = try MigrationScenario(plan)
        try scenario.perform(.start(reason: nil), by: "ana")
        for _ in 0..<3 {
            try scenario.window { _, service, side in
                side == .candidate ? Counts() : MigrationScenario.counts(100, errors: service == 0 ? 2 : 100)
            }
        }
        #expect(try scenario.migration.baselines.first?.value == Measurement(value: 6, of: 300))
    }

    // MARK: - Users, and sources

    @Test("users are counted instead of requests, and a window with too few on either side says nothing")
    func users() throws {
        let claim = Condition(metric: .errorRate, test: .compared(factor: 1_000_000, alpha: 50_000, users: 60))
        var scenario = try MigrationScenario(
            SamplePlan.plan(
                triggers: [Trigger(condition: claim, duration: .zero, exit: nil, maxGap: .seconds(20), noData: nil)]
            )
        )
        try scenario.reach(1, 0)
        // Both services together have twice as many.
        func window(users: Int, bad: Int) throws {
            try scenario.window { _, _, side in
                // One user makes a thousand requests that fail.
                var counts = MigrationScenario.counts(2_000, errors: side == .candidate ? 1_000 : 0)
                counts.users = users
                counts.usersWithErrors = side == .candidate ? bad : 0
                return counts
            }
        }
        try window(users: 50, bad: 1)
        let first = try #require(scenario.migration.judgement?.triggers.first)
        #expect(first.verdict == .pass)
        #expect(first.candidate == Measurement(value: 2, of: 100))
        let evidence = try #require(first.process)
        try window(users: 20, bad: 20)
        #expect(try scenario.migration.judgement?.triggers.first?.process == evidence)
        for _ in 0..<20 where try scenario.migration.phase.name == "running" { try window(users: 50, bad: 10) }
        #expect(try scenario.migration.phase.name == "rollingBack")
    }

    @Test(
        "a window joins what routers counted and what several sources said, and one that fails is an error of its own conditions alone"
    )
    func joined() throws {
        func said(_ name: String) -> Metric { .named(name: name, unit: .ratio, isBadWhenHigh: false) }
        var plan = SamplePlan.plan()
        plan.criteria =
            [Criterion(condition: Condition(metric: .errorRate, side: .below, threshold: 20_000), minimum: 1)]
            + ["quality", "coverage"].map { name in
                Criterion(condition: Condition(metric: said(name), side: .above, threshold: 950_000), minimum: 50)
            }
        var scenario = try MigrationScenario(plan)
        try scenario.reach(0, 0)
        func judged(_ readings: [String: Reading]) throws -> [Verdict] {
            let migration = try scenario.migration
            let k = try #require(migration.nextWindow)
            scenario.now = max(scenario.now, plan.clock.end(of: k) + plan.grace)
            var window = try MigrationScenario.window(k, migration, errors: 0)
            window.environments[0].readings = readings
            try scenario.perform(.sealWindow(window: window))
            return try scenario.migration.judgement?.criteria.map(\.verdict) ?? []
        }
        let well = Reading(candidate: Measurement(value: 96, of: 100), legacy: nil)
        let failed = Reading(candidate: nil, legacy: nil, isFailed: true)
        #expect(try judged(["quality": well, "coverage": failed]) == [.pass, .pass, .error])
        #expect(try judged(["quality": failed, "coverage": well]) == [.pass, .error, .pass])
        #expect(try judged(["quality": well, "coverage": well]) == [.pass, .pass, .pass])
    }

    @Test("what a source says is judged; what it does not say is missing, and what it fails to say is an error")
    func named() throws {
        let metric = Metric.named(name: "quality", unit: .ratio, isBadWhenHigh: false)
        var plan = SamplePlan.plan()
        plan.criteria = [Criterion(condition: Condition(metric: metric, side: .above, threshold: 950_000), minimum: 50)]
        var scenario = try MigrationScenario(plan)
        try scenario.reach(0, 0)
        func judged(_ reading: Reading?) throws -> Verdict? {
            let migration = try scenario.migration
            let k = try #require(migration.nextWindow)
            scenario.now = max(scenario.now, plan.clock.end(of: k) + plan.grace)
            var window = try MigrationScenario.window(k, migration, errors: 0)
            window.environments[0].readings = reading.map { ["quality": $0] }
            try scenario.perform(.sealWindow(window: window))
            return try scenario.migration.judgement?.criteria.first?.verdict
        }
        #expect(try judged(Reading(candidate: Measurement(value: 96, of: 100), legacy: nil)) == .pass)
        #expect(try judged(Reading(candidate: Measurement(value: 95, of: 100), legacy: nil)) == .breach)
        #expect(try judged(Reading(candidate: Measurement(value: 20, of: 20), legacy: nil)) == .missing)
        #expect(try judged(Reading(candidate: Measurement(value: 101, of: 100), legacy: nil)) == .missing)
        #expect(try judged(Reading(candidate: nil, legacy: Measurement(value: 1, of: 2))) == .missing)
        #expect(try judged(Reading(candidate: nil, legacy: nil, isFailed: true)) == .error)
        #expect(try judged(nil) == .missing)
        #expect(try scenario.migration.phase.step?.bake?.run == 0)
    }
}
