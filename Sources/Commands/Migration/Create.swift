import ArgumentParser
import MigrationCore
import MigrationLog

struct Create: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Begins a migration's stream with its plan; no traffic moves yet.",
        discussion: "Example: migrate create examples/recommendations.yaml"
    )
    @OptionGroup var plan: PlanOptions
    @OptionGroup var options: OverrideOptions

    func run() async throws {
        let plan = try plan.plan()
        let hash = try CommitHash.hash(of: plan)
        let access = try await LogAccess(options.database)
        let performed = try await Overrides.perform(.plan(plan: plan, hash: hash), on: plan.name, options, access)
        Output.line("planned \(plan.name) at version \(performed.commit.version), plan \(hash.prefix(7))")
        Output.line("  migrate start \(plan.name)")
    }
}
