import Foundation
import MigrationCore
import TestSupport
import Testing

@Suite("Folding")
struct FoldTests {
    @Test("a state survives its own coding, so a snapshot is the fold at its version")
    func snapshot() throws {
        var scenario = try MigrationScenario()
        try scenario.reach(1, 1)
        for _ in 0..<3 { try scenario.window(errors: 10) }
        let copy = try JSONDecoder().decode(MigrationState.self, from: JSONEncoder().encode(scenario.state))
        #expect(copy == scenario.state)
    }

    @Test("a commit that is not the next one is a misfit")
    func gap() throws {
        let scenario = try MigrationScenario()
        let commit = Commit(
            version: scenario.state.version + 2,
            actor: "x",
            decidedAt: scenario.now,
            command: .tick,
            events: []
        )
        #expect(throws: Misfit.self) { try scenario.state.folding(commit) }
    }

    private static let outside: [Event] = [
        .stepEntered(position: Position(stage: 7, step: 0)),
        .stepPassed(position: Position(stage: 0, step: -1), skipped: false),
        .weightsSet(environment: "nowhere", weights: [.all, .all], planned: [.all, .all], revision: 1),
        .weightsSet(environment: "staging", weights: [.all], planned: [.all], revision: 1),
        .flagSet(service: 2, enabled: false, revision: 1),
        .noDataDetected(stage: 0, number: 1, k: 1), .planned(plan: SamplePlan.plan(), hash: "again"),
        .windowJudged(
            judgement: Judgement(
                k: .max,
                stage: 0,
                triggers: Array(repeating: Judged(verdict: .pass, candidate: nil, legacy: nil), count: 5),
                observed: []
            )
        ),
    ]

    @Test("an event that names what the plan does not have is a misfit, not a crash", arguments: outside)
    func misfit(_ event: Event) throws {
        let scenario = try MigrationScenario()
        let commit = Commit(
            version: scenario.state.version + 1,
            actor: "x",
            decidedAt: scenario.now,
            command: .tick,
            events: [event]
        )
        #expect(throws: Misfit.self) { try scenario.state.folding(commit) }
    }

    @Test("quantiles are nearest ranks")
    func quantiles() {
        let histogram = LatencyHistogram((1...100).map { LatencyHistogram.Bucket(micros: $0 * 1_000, count: 1) })
        #expect(histogram.quantile(permille: 950) == 95_000)
        #expect(histogram.quantile(permille: 500) == 50_000)
        #expect(histogram.quantile(permille: 990) == 99_000)
        #expect(LatencyHistogram().quantile(permille: 950) == nil)
    }

    /// Checked against the `xxhash` module of Python.
    @Test(
        "xxHash64",
        arguments: [
            ("", 0xEF46_DB37_51D8_E999), ("a", 0xD24E_C4F1_A98C_6E5B), ("abc", 0x44BC_2CF5_AD77_0999),
            ("recommendations:user-1", 0x46C4_E2D3_9B40_B637),
            (String(repeating: "0123456789", count: 10), 0xF80E_7B96_315A_FFFA),
        ] as [(String, UInt64)]
    )
    func xxHash(_ text: String, _ expected: UInt64) { #expect(XXHash64.hash(text) == expected) }

    @Test("a divided plan keeps the order of things")
    func divided() {
        let plan = SamplePlan.plan().divided(by: 10_000)
        #expect(plan.window == .seconds(1))
        #expect(plan.triggers[0].need(window: plan.window) == 3)
        #expect(plan.stages.allSatisfy { $0.bake >= plan.triggers[0].duration })
        #expect(SamplePlan.plan().divided(by: 1) == SamplePlan.plan())
    }
}
