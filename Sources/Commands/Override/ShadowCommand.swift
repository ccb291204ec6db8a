import ArgumentParser
import MigrationCore
import MigrationLog

struct ShadowCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "shadow",
        abstract: "Judges a second plan on the same windows, and does nothing that it decides.",
        discussion: """
            What it would have done stands in the log beside what was done, marked; status and replay compare the two. Try a tighter trigger
            or a shorter bake on live traffic this way before you amend the plan.
            """,
        subcommands: [Begin.self, End.self]
    )

    struct Begin: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Begins with a plan that could amend the one in force, in place of an earlier shadow plan.",
            discussion: "Example: migrate shadow begin tighter.yaml --reason \"would 1 % have been too strict?\""
        )
        @OptionGroup var plan: PlanOptions
        @Option(help: "Why.") var reason: String
        @OptionGroup var options: OverrideOptions

        func run() async throws {
            let plan = try plan.plan()
            let command = Command.beginShadow(plan: plan, hash: try CommitHash.hash(of: plan), reason: reason)
            try await Overrides.run(command, on: plan.name, options)
        }
    }

    struct End: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Judges the shadow plan no longer; what it decided stays in the log.",
            discussion: "Example: migrate shadow end recommendations --reason \"seen enough\""
        )
        @Argument(help: "The migration.") var migration: String
        @Option(help: "Why.") var reason: String
        @OptionGroup var options: OverrideOptions

        func run() async throws { try await Overrides.run(.endShadow(reason: reason), on: migration, options) }
    }
}
