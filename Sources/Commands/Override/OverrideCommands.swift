import ArgumentParser
import MigrationCore
import MigrationLog

struct Start: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Starts a planned migration at its first step.",
        discussion: "Example: migrate start recommendations"
    )
    @Argument(help: "The migration.") var migration: String
    @Option(help: "Why.") var reason: String?
    @OptionGroup var options: OverrideOptions

    func run() async throws { try await Overrides.run(.start(reason: reason), on: migration, options) }
}

struct Amend: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Puts another plan in a plan's place, for what has not been done yet.",
        discussion: """
            Conditions, bakes, gates, checks, freezes, times and later steps may be others. Services, keys, windows and steps that were \
            entered stay. A condition with another threshold begins anew; with other criteria the step's bake does.

            Example: migrate amend examples/recommendations.yaml --reason "the cache warms up slower than we thought"
            """
    )
    @OptionGroup var plan: PlanOptions
    @Option(help: "Why.") var reason: String
    @OptionGroup var options: OverrideOptions

    func run() async throws {
        let plan = try plan.plan()
        let command = Command.amend(plan: plan, hash: try CommitHash.hash(of: plan), reason: reason)
        try await Overrides.run(command, on: plan.name, options)
    }
}

struct Rewound: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Ends a quarantine: the log as it stands is what counts, and routers take its routes anew.",
        discussion: """
            After a failover that lost the last commits, or an old backup, routers know more than the log. Find out what was lost; roll back if
            you are not sure. Then say this: it begins a new incarnation of the log, whose routes gateways of the old one take by themselves.

            Example: migrate rewound recommendations --reason "the standby had not got the last two commits"
            """
    )
    @Argument(help: "The migration.") var migration: String
    @Option(help: "What happened.") var reason: String
    @OptionGroup var options: OverrideOptions

    func run() async throws {
        try Overrides.confirm("Declare that the log of \(migration), as it stands, is what counts?", options)
        try await Overrides.run(.declareRewound(reason: reason), on: migration, options)
    }
}

struct HaltCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "halt",
        abstract: "Stops a migration from advancing; its triggers go on.",
        discussion: "Example: migrate halt recommendations --reason \"the on-call is busy\""
    )
    @Argument(help: "The migration.") var migration: String
    @Option(help: "Why.") var reason: String
    @OptionGroup var options: OverrideOptions

    func run() async throws { try await Overrides.run(.halt(reason: reason), on: migration, options) }
}

struct Resume: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Lets a halted migration advance again.",
        discussion: "Example: migrate resume recommendations --reason \"all quiet\""
    )
    @Argument(help: "The migration.") var migration: String
    @Option(help: "Why.") var reason: String
    @OptionGroup var options: OverrideOptions

    func run() async throws { try await Overrides.run(.resume(reason: reason), on: migration, options) }
}

struct RollbackCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "rollback",
        abstract: "Takes all traffic back to legacy, now, or that of some services.",
        discussion: """
            What is left at the candidate stays guarded until the migration is restarted, or rolled back as a whole.

            Example: migrate rollback recommendations --reason "support calls"
            """
    )
    @Argument(help: "The migration.") var migration: String
    @Option(help: "Only this service, in every environment; may be given more than once.") var service: [String] = []
    @Option(help: "Why.") var reason: String
    @OptionGroup var options: OverrideOptions

    func run() async throws {
        let what = service.isEmpty ? "all traffic" : service.joined(separator: ", ")
        try Overrides.confirm("Take \(what) of \(migration) back to legacy?", options)
        let command = Command.rollBack(reason: reason, services: service.isEmpty ? nil : service)
        try await Overrides.run(command, on: migration, options)
    }
}

struct SetWeight: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Sets the candidate's share by hand; the step's bake begins again.",
        discussion:
            "Example: migrate set-weight recommendations 15% --service getRecommendations --reason \"a careful look\""
    )
    @Argument(help: "The migration.") var migration: String
    @Argument(help: "The share, 0%…100%.") var weight: WeightArgument
    @Option(help: "One service; else all.") var service: String?
    @Option(help: "One environment; else that of the current step.") var environment: String?
    @Option(help: "Why.") var reason: String
    @OptionGroup var options: OverrideOptions

    func run() async throws {
        let command = Command.setWeight(
            weight: weight.weight,
            service: service,
            environment: environment,
            reason: reason
        )
        try await Overrides.run(command, on: migration, options)
    }
}

struct FlagCommand: AsyncParsableCommand {
    enum State: String, ExpressibleByArgument, CaseIterable { case on, off }

    static let configuration = CommandConfiguration(
        commandName: "flag",
        abstract: "Takes a service, or all, to legacy whatever its weight is (off), or back (on).",
        discussion: "Example: migrate flag recommendations off --service applyImprovements --reason \"wrong totals\""
    )
    @Argument(help: "The migration.") var migration: String
    @Argument(help: "on or off.") var state: State
    @Option(help: "One service; else all.") var service: String?
    @Option(help: "Why.") var reason: String
    @OptionGroup var options: OverrideOptions

    func run() async throws {
        try await Overrides.run(
            .setFlag(service: service, enabled: state == .on, reason: reason),
            on: migration,
            options
        )
    }
}

struct Approve: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Approves a step that only people open; it names the step, so that a late approval is noticed.",
        discussion: "Example: migrate approve recommendations --stage production --step 50%"
    )
    @Argument(help: "The migration.") var migration: String
    @Option(help: "The stage.") var stage: String
    @Option(help: "The step's weight.") var step: WeightArgument
    @Option(help: "Why.") var reason: String?
    @OptionGroup var options: OverrideOptions

    func run() async throws {
        try await Overrides.run(.approve(stage: stage, step: step.weight, reason: reason), on: migration, options)
    }
}

struct Skip: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Ends the current step without its bake and criteria.",
        discussion: "Example: migrate skip recommendations --stage development --step 50% --reason \"tested elsewhere\""
    )
    @Argument(help: "The migration.") var migration: String
    @Option(help: "The stage.") var stage: String
    @Option(help: "The step's weight.") var step: WeightArgument
    @Option(help: "Why.") var reason: String
    @OptionGroup var options: OverrideOptions

    func run() async throws {
        try await Overrides.run(.skip(stage: stage, step: step.weight, reason: reason), on: migration, options)
    }
}

struct CheckCommand: AsyncParsableCommand {
    enum Result: String, ExpressibleByArgument, CaseIterable { case passed, failed }

    static let configuration = CommandConfiguration(
        commandName: "check",
        abstract: "Says what a check of the current step has shown.",
        discussion: "Example: migrate check recommendations rollback-drill passed --detail \"11 s\""
    )
    @Argument(help: "The migration.") var migration: String
    @Argument(help: "The check, as the plan names it.") var check: String
    @Argument(help: "passed or failed.") var result: Result
    @Option(help: "What was seen.") var detail: String = ""
    @OptionGroup var options: OverrideOptions

    func validate() throws {
        if detail.utf8.count > 2_000 { throw ValidationError("--detail is at most 2000 bytes") }
    }

    func run() async throws {
        let command = Command.reportCheck(check: check, isPassed: result == .passed, detail: detail)
        try await Overrides.run(command, on: migration, options)
    }
}

struct Abandon: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Takes all traffic back to legacy and ends the migration for good.",
        discussion: "Example: migrate abandon recommendations --reason \"the candidate is withdrawn\""
    )
    @Argument(help: "The migration.") var migration: String
    @Option(help: "Why.") var reason: String
    @OptionGroup var options: OverrideOptions

    func run() async throws {
        try Overrides.confirm("Take all traffic of \(migration) back to legacy and end it?", options)
        try await Overrides.run(.abandon(reason: reason), on: migration, options)
    }
}

struct Restart: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Begins a migration again after a rollback, at the first stage that was taken back.",
        discussion: "Example: migrate restart recommendations --reason \"fixed in 2.4.1\""
    )
    @Argument(help: "The migration.") var migration: String
    @Option(help: "Why.") var reason: String
    @OptionGroup var options: OverrideOptions

    func run() async throws { try await Overrides.run(.restart(reason: reason), on: migration, options) }
}

struct RetireRouter: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Stops waiting for a router that will not come back.",
        discussion: "Example: migrate retire-router recommendations gateway-3 --reason \"the machine is gone\""
    )
    @Argument(help: "The migration.") var migration: String
    @Argument(help: "The router's name.") var router: String
    @Option(help: "Why.") var reason: String
    @OptionGroup var options: OverrideOptions

    func run() async throws {
        let access = try await LogAccess(options.database)
        // Its last word goes with it, or the next look would register it again.
        let also = [MigrationLog.forgetting(router: router, of: migration)]
        let command = Command.retireRouter(router: router, reason: reason)
        _ = try await Overrides.perform(command, on: migration, options, access, also: also)
        Output.line("\(router) is no longer waited for")
    }
}
