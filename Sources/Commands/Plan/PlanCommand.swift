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

    func plan() throws -> Plan {
        let attributes = try? FileManager.default.attributesOfItem(atPath: file)
        if let size = attributes?[.size] as? NSNumber, size.intValue > PlanFile.largest {
            throw Failure(.failed, "\(file): the plan is larger than \(PlanFile.largest / 1024) KiB")
        }
        guard let data = FileManager.default.contents(atPath: file) else {
            throw Failure(.failed, "the file \(file) cannot be read")
        }
        guard let text = String(data: data, encoding: .utf8) else {
            throw Failure(.failed, "\(file): this is not UTF-8")
        }
        var plan = try PlanFile.parse(text, file: file).divided(by: speed)
        if let name {
            let isName = name.allSatisfy { $0.isASCII && ($0.isLetter || $0.isNumber || "-_.".contains($0)) }
            guard isName, name.first?.isLetter ?? false, name.count <= 63 else {
                throw Failure(.usage, "“\(name)” is not a name for a migration")
            }
            plan.name = name
        }
        return plan
    }
}

struct PlanCheck: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "check",
        abstract: "Says whether a plan can be carried out, and what is wrong where.",
        discussion: "Example: migrate plan check examples/recommendations.yaml"
    )
    @OptionGroup var options: PlanOptions

    func run() async throws {
        let plan = try options.plan()
        let steps = plan.stages.map(\.steps.count).reduce(0, +)
        Output.line(
            "\(options.file): \(plan.name) is a plan of \(plan.services.count) services, \(plan.stages.count) stages, \(steps) steps"
        )
        Output.line("  hash \(try CommitHash.hash(of: plan))")
    }
}

struct PlanShow: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "show",
        abstract: "Shows a plan with everything that it leaves to defaults.",
        discussion: "Example: migrate plan show examples/recommendations.yaml --speed 100"
    )
    @OptionGroup var options: PlanOptions

    func run() async throws { Output.raw(PlanFile.render(try options.plan())) }
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

    func run() async throws { Output.raw(PlanFile.schema) }
}
