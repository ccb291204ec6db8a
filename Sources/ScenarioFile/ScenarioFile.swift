package import MigrationCore
package import PlanFile
package import Simulation

/// The scenario file: YAML text to what a plan is rehearsed against, with a place for everything that is wrong.
package enum ScenarioFile {
    /// Reads a scenario.
    ///
    /// - Parameters:
    ///   - text: the file's text.
    ///   - file: its name, for messages.
    ///   - plan: the plan that is rehearsed; services and environments that it does not have are refused.
    ///   - start: when it begins where the file does not say.
    /// - Throws: every problem with line, column and mend.
    package static func parse(_ text: String, file: String, plan: Plan, start: Timestamp) throws(PlanError)
        -> Scenario
    {
        var reader = ScenarioReader(plan: plan, scenario: Scenario(start: start))
        do {
            reader.read(try YAMLText.compose(text))
        } catch {
            reader.nodes.problems = [error]
        }
        guard !reader.nodes.problems.isEmpty else { return reader.scenario }
        let problems = reader.nodes.problems.sorted { ($0.line ?? 0, $0.column ?? 0) < ($1.line ?? 0, $1.column ?? 0) }
        throw PlanError(file: file, problems: problems)
    }
}
