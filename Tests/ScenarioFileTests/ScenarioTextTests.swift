import Foundation
import MigrationCore
import PlanFile
import ScenarioFile
import Simulation
import Testing

@Suite("The scenario file")
struct ScenarioTextTests {
    private static let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent().appendingPathComponent("examples")

    private func plan() throws -> Plan {
        let text = try String(contentsOf: Self.root.appendingPathComponent("recommendations.yaml"), encoding: .utf8)
        return try PlanFile.parse(text, file: "p")
    }

    private func parse(_ text: String) throws -> Scenario {
        try ScenarioFile.parse(text, file: "s", plan: plan(), start: Timestamp(rawValue: 7))
    }

    @Test("the example says what it says")
    func example() throws {
        let file = Self.root.appendingPathComponent("recommendations.scenario.yaml")
        let scenario = try parse(String(contentsOf: file, encoding: .utf8))
        #expect(scenario.start == Timestamp(rawValue: 1_796_115_600_000_000))
        #expect(scenario.users == 50_000)
        #expect(scenario.rates["getRecommendations"] == 200)
        #expect(scenario.rate("applyImprovements", "staging") == 20)
        #expect(scenario.candidate.cacheHits == 0.68)
        #expect(scenario.legacy.cacheHits == nil)
        #expect(scenario.legacy.p95 == .seconds(17))
        #expect(scenario.changes.count == 1)
        #expect(scenario.changes[0].lasting == .minutes(30))
        #expect(scenario.firstFault == .minutes(130))
        #expect(scenario.people.approveAfter == .minutes(20))
    }

    @Test("what is not said has a default")
    func defaults() throws {
        let scenario = try parse("traffic: 3.5/s\npeople: { approve: never, checks: fail after 1m }")
        #expect(scenario.start == Timestamp(rawValue: 7))
        #expect(scenario.rate("getRecommendations", "production") == 3.5)
        #expect(scenario.people.approveAfter == nil)
        #expect(!scenario.people.checksPass)
    }

    private static let wrong: [(String, String)] = [
        ("trafic: 3/s", "1:1: a scenario has no key “trafic”\n  did you mean “traffic”?"),
        (
            "traffic: { getRecomendations: 3/s }",
            "1:12: the plan has no service “getRecomendations”\n  did you mean “getRecommendations”?"
        ),
        ("traffic: 3", "1:10: traffic:"),
        ("candidate: { errors: 120% }", "1:22: errors:"),
        ("candidate: { latency: { p50: 9s, p95: 3s } }", "1:23: p95, 3s, is shorter than p50, 9s"),
        ("candidate: { latency: { p50: 9s } }", "latency lacks “p95”"),
        ("changes: [{ of: candidate, errors: 1% }]", "a change lacks “at”"),
        ("changes: [{ at: 1h, of: cadidate }]", "1:25: nothing of “cadidate” can change\n  did you mean “candidate”?"),
        ("changes: [{ at: 1h, of: traffic, errors: 1% }]", "1:34: “errors” is nothing that traffic has"),
        ("changes: [{ at: 1h, of: legacy, times: 2 }]", "1:33: “times” is nothing that legacy has"),
        ("changes: [{ at: 1h, of: legacy, environment: prod }]", "1:46: the plan has no environment “prod”"),
        ("people: { approve: soon }", "1:20: “soon” is nothing that people do\n  write after 10m, or never"),
        ("people: { checks: after 1m }", "“after 1m” is nothing that people do"),
        ("start: tomorrow", "1:8: “tomorrow” is not a moment"),
        ("users: 0", "1:8: users is a whole number between 1 and 1000000000"),
        ("users: &a 5", "anchor"),
        ("", "the file is empty"),
        ("- 1", "a scenario is a mapping"),
    ]

    @Test("what is wrong is named with its place and its mend", arguments: wrong.indices)
    func bad(_ index: Int) throws {
        let (text, says) = Self.wrong[index]
        let error = try #require(throws: PlanError.self) { try parse(text) }
        #expect(error.description.contains(says), "\(error.description)")
    }

    @Test("changes begin and end, for what they name")
    func changes() throws {
        let scenario = try parse(
            """
            traffic: 10/s
            changes:
              - { at: 1h, for: 1h, of: traffic, times: 3, environment: staging }
            """
        )
        #expect(scenario.rate("getRecommendations", "staging", at: .minutes(59)) == 10)
        #expect(scenario.rate("getRecommendations", "staging", at: .minutes(60)) == 30)
        #expect(scenario.rate("getRecommendations", "production", at: .minutes(60)) == 10)
        #expect(scenario.rate("getRecommendations", "staging", at: .minutes(120)) == 10)
    }
}
