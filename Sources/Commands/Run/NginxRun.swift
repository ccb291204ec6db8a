import ArgumentParser
import DataPlanes

struct NginxRun: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "nginx",
        abstract: "Has an nginx split a migration's traffic in one environment, following the log.",
        discussion: """
            nginx carries the requests; this writes who goes where into its configuration, has it reload, waits until the workers of the old
            configuration are gone, and measures what it says of each request. It runs as the user that nginx's first process runs as.

            Example:
              migrate route config nginx examples/recommendations.yaml --environment production --listen 127.0.0.1:8080 --folder /var/lib/migrate/nginx
              /var/lib/migrate/nginx/start
              migrate nginx --migration recommendations --environment production --folder /var/lib/migrate/nginx
            """
    )
    @Option(help: "The migration.") var migration: String
    @Option(help: "The environment that it serves.") var environment: String
    @Option(
        help: "A name of its own among the migration's routers, which no other process has; else nginx-ENVIRONMENT."
    ) var name: String?
    @OptionGroup var nginx: LoggedPlaneOptions
    @OptionGroup var trust: UpstreamTrustOptions
    @OptionGroup var follower: FollowerOptions

    func run() async throws {
        let plane = NginxPlane(folder: NginxFolder(nginx.folder), logPort: nginx.logPort)
        try await PlaneRun(migration: migration, environment: environment, options: follower, trust: trust).run(
            plane,
            name: name ?? "nginx-\(environment)"
        )
    }
}
