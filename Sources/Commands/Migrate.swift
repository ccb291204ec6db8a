package import ArgumentParser

/// The root of the command line.
package struct Migrate: AsyncParsableCommand {
    package static let configuration = CommandConfiguration(
        commandName: "migrate",
        abstract: "Moves live traffic from an old service to its replacement, and answers for every percent it moved.",
        discussion: """
            A migration is made from a plan, carried out by workers, and kept in a log that can be replayed:

              migrate plan check examples/recommendations.yaml
              migrate create examples/recommendations.yaml
              migrate gateway --migration recommendations --environment production --listen 127.0.0.1:8080 &
              migrate worker &
              migrate start recommendations
              migrate status recommendations --watch
              migrate replay recommendations

            Exit codes: 0 done, 1 failed or diverged, 2 usage, 3 refused by the rules, 4 database or network.
            """,
        groupedSubcommands: [
            CommandGroup(
                name: "Set up",
                subcommands: [
                    Database.self, KeysCommand.self, PlanCommand.self, Create.self, Run.self, GatewayRun.self,
                    HAProxyRun.self, EnvoyRun.self, NginxRun.self, EtcdRun.self, KubernetesRun.self,
                ]
            ),
            CommandGroup(
                name: "See",
                subcommands: [
                    Status.self, History.self, WindowsCommand.self, ReplayCommand.self,
                    ExportCommand.self, VerifyCommand.self, ImportCommand.self, CheckpointCommand.self,
                    FollowCommand.self,
                    DoctorCommand.self, RouteCommand.self, SignalsCommand.self, Try.self,
                    SimulateCommand.self,
                ]
            ),
            CommandGroup(
                name: "Override",
                subcommands: [
                    Start.self, Amend.self, HaltCommand.self, Resume.self, RollbackCommand.self, SetWeight.self,
                    FlagCommand.self,
                    Approve.self, CheckCommand.self, Skip.self, Abandon.self, Restart.self, RetireRouter.self,
                    Rewound.self, ShadowCommand.self,
                    RedactCommand.self,
                ]
            ),
        ]
    )

    package init() {}

    /// Runs the program: parses, runs, and turns every error into words and an exit code.
    package static func start() async {
        do {
            var command = try parseAsRoot()
            if var asynchronous = command as? any AsyncParsableCommand {
                try await asynchronous.run()
            } else {
                try command.run()
            }
        } catch {
            Failure.end(error)
        }
    }
}
