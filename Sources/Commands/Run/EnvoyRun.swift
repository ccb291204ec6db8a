import ArgumentParser
import DataPlanes

/// How Envoy and the program beside it know of each other.
struct EnvoyOptions: ParsableArguments {
    @Option(help: "The folder with Envoy's configuration, its routes and its socket.") var folder: String
    @Option(
        help:
            "HOST:PORT at which Envoy asks for its routes; without it Envoy sees the file in the folder. What is asked there is answered to whoever asks."
    )
    var discovery: ListenArgument?
    @Option(
        help:
            "HOST:PORT of Envoy's administration where it is no socket in the folder. Whoever reaches it can do everything to Envoy: keep it among hosts of your own."
    )
    var admin: ListenArgument?

    var place: EnvoyFolder { EnvoyFolder(folder, admin: admin?.address) }
}

struct EnvoyRun: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "envoy",
        abstract: "Has an Envoy split a migration's traffic in one environment, following the log.",
        discussion: """
            Envoy carries the requests; this tells it who goes where by the file of its routes, or with --discovery whenever Envoy asks, sees that they are in force,
            and measures what Envoy counts. While this is away Envoy goes on as it was told last: run it beside Envoy, under the same supervisor. Envoy counts no
            users and no cache answers, so conditions on those are missing, and never pass.

            Example:
              migrate route config envoy examples/recommendations.yaml --environment production --listen 127.0.0.1:8080 --folder /var/lib/migrate/envoy
              /var/lib/migrate/envoy/start &
              migrate envoy --migration recommendations --environment production --folder /var/lib/migrate/envoy
            """
    )
    @Option(help: "The migration.") var migration: String
    @Option(help: "The environment that it serves.") var environment: String
    @Option(
        help: "A name of its own among the migration's routers, which no other process has; else envoy-ENVIRONMENT."
    ) var name: String?
    @OptionGroup var envoy: EnvoyOptions
    @OptionGroup var trust: UpstreamTrustOptions
    @OptionGroup var follower: FollowerOptions

    func run() async throws {
        let discovery = try envoy.discovery.map {
            try EnvoyDiscovery(folder: envoy.place, listen: $0.address, logger: Logs.logger("migrate.envoy"))
        }
        try await PlaneRun(migration: migration, environment: environment, options: follower, trust: trust).run(
            EnvoyPlane(folder: envoy.place, discovery: discovery),
            name: name ?? "envoy-\(environment)",
            beside: discovery.map { [$0] } ?? []
        )
    }
}
