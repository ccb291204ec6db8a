import ArgumentParser

struct SignalsCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "signals",
        abstract: "Says what a migration would be judged by now, source by source.",
        subcommands: [SignalsShow.self, SignalsQueries.self],
        defaultSubcommand: SignalsShow.self
    )
}

struct SignalsShow: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "show",
        abstract: "The routers' last measurements, and each source of the plan, asked now.",
        discussion: """
            The routers' are those of the last window that was sealed; a source is asked for the last window that is over, and says a value for each
            side, nothing, or why it failed. The exit code is 1 when a source failed.

            Example: migrate signals recommendations
            """
    )
    @Argument(help: "The migration.") var migration: String
    @Option(help: "The environment; else the one under guard, or the plan's last.") var environment: String?
    @OptionGroup var database: DatabaseOptions
    @OptionGroup var format: FormatOptions

    func run() async throws {
        let report = try await SignalsReport(migration, environment, LogAccess(database).log)
        switch format.format {
        case .json: try Output.json(report)
        case .text: for line in report.lines { Output.line(line) }
        }
        if report.sources.contains(where: { $0.failure != nil }) { throw ExitCode(1) }
    }
}
