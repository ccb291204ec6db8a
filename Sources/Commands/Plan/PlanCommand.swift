import ArgumentParser
import Foundation
import MigrationCore
import MigrationLog
import PlanFile

struct PlanCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "plan",
        abstract: "Checks a plan file, shows what it means, and what may stand in it.",
        subcommands: [PlanCheck.self, PlanShow.self, PlanSchema.self]
    )
}

struct PlanOptions: ParsableArguments {
    @Argument(help: "The plan's file, in YAML.")
    var file: String

    @Option(help: "How many times faster: all times are divided, down to what can still be measured.")
    var speed: Int64 = 1

    @Option(help: "Another name for the migration.")
    var name: String?

    func validate() throws {
        guard (1...1_000_000).contains(speed) else { throw ValidationError("a speed lies between 1 and 1000000") }
    }

    func plan() throws -> Plan { try read().plan }

    /// The plan, and its text.
    func read() throws -> (plan: Plan, text: String) {
        let text = try TextFile.read(file, "plan")
        var plan = try PlanFile.parse(text, file: file).divided(by: speed)
        if let name {
            let isName = name.allSatisfy { $0.isASCII && ($0.isLetter || $0.isNumber || "-_.".contains($0)) }
            guard isName, name.first?.isLetter ?? false, name.count <= 63 else {
                throw Failure(.usage, "“\(name)” is not a name for a migration")
            }
            plan.name = name
        }
        return (plan, text)
    }
}

struct PlanShow: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "show",
        abstract: "Shows a plan with everything that it leaves to defaults.",
        discussion: "Example: migrate plan show examples/recommendations.yaml --speed 100"
    )
    @OptionGroup var options: PlanOptions

    func run() async throws { try Output.raw(PlanFile.render(try options.plan())) }
}

struct PlanSchema: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "schema",
        abstract: "Prints a JSON Schema of the plan file, by which editors complete and check it.",
        discussion: """
            Example: migrate plan schema > plan.schema.json

            With the YAML language server, the plan's first line is then: # yaml-language-server: $schema=plan.schema.json
            """
    )

    func run() async throws { try Output.raw(PlanFile.schema) }
}
