import MigrationCore
import PlanFile
import Testing

@Suite("Services that only the candidate has, in a plan")
struct NewServiceTests {
    private static let text = """
        migration: shop
        services:
          a: { legacy: "http://127.0.0.1:1", candidate: "http://127.0.0.1:2" }
          n: { legacy: "http://127.0.0.1:1", candidate: "http://127.0.0.1:2", new: true }
        sticky_by: [client_ip]
        window: 10s
        stages:
          - { name: first, environment: production, services: [a], steps: [50%, 100%], bake: 10m }
          - { name: second, environment: production, services: [n], steps: [50%, 100%], bake: 10m }
        criteria: [error_rate < 5%]
        rollback: [error_rate > 10% for 1m]
        watch: 1h
        expires: 1d

        """

    @Test("are read, and rendered again")
    func reads() throws {
        let plan = try PlanFile.parse(Self.text, file: "p.yaml")
        #expect(plan.services.map(\.isNew) == [nil, true])
        #expect(try PlanFile.parse(PlanFile.render(plan), file: "again.yaml") == plan)
    }

    private static let wrong: [(String, String, String)] = [
        ("new: true", "new: true, fallback: legacy", "it answers no fallback"),
        ("new: true", "new: true, shadow: 5%", "it answers no shadow"),
        ("new: true", "new: yes", "new is true, or is left out"),
        (
            "criteria: [error_rate < 5%]", "criteria: [error_rate < 5%, error_rate no worse than legacy by 1.5x]",
            "compares with legacy, which has none of the services of second"
        ),
        ("criteria: [error_rate < 5%]", "criteria: [availability > 99%]", "no criterion of second looks at n"),
        (
            "rollback: [error_rate > 10% for 1m]", "rollback: [availability < 90% for 1m]",
            "no trigger of second looks at n"
        ),
        (
            "rollback: [error_rate > 10% for 1m]", "rollback: [error_rate worse than legacy by 2x]",
            "no trigger of second looks at n"
        ),
        (
            "environment: production, services: [n], steps: [50%, 100%], bake: 10m }",
            "environment: lab, services: [n], steps: [50%, 100%], bake: 10m, rollback: [error_rate > 10% for 1m, error_rate worse than legacy by 2x] }",
            "none of the services that lab moves"
        ),
    ]

    @Test("are judged by something, and compared with nothing", arguments: wrong.indices)
    func refuses(_ index: Int) throws {
        let (replace, with, says) = Self.wrong[index]
        let text = Self.text.replacing(replace, with: with)
        #expect(text != Self.text)
        let error = try #require(throws: PlanError.self) { try PlanFile.parse(text, file: "p.yaml") }
        #expect(error.description.contains(says), "\(error.description)")
    }
}
