package import ArgumentParser

/// The demonstration's command line; the scripts in `tools` call it.
package struct Demonstration: AsyncParsableCommand {
    package static let configuration = CommandConfiguration(
        commandName: "demo",
        abstract: "Shows the product on a real stage, and measures it there.",
        subcommands: [
            Acts.self, SwitchLatency.self, LogBench.self, RoutingBench.self, DecisionBench.self,
            RecommendationsBench.self, StubModel.self,
        ]
    )

    package init() {}

    /// Runs the program.
    package static func start() async { await main() }
}

struct StageOptions: ParsableArguments {
    @Option(help: "An empty folder for everything that is started.") var folder: String
    @Option(help: "Requests a second.") var rate = 250
    @Option(help: "Users.") var users = 2_000
}
