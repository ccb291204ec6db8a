import ArgumentParser
import DataPlanes

struct HAProxyRun: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "haproxy",
        abstract: "Has a HAProxy split a migration's traffic in one environment, following the log.",
        discussion: """
            HAProxy carries the requests; this tells it who goes where, tells it again when it has forgotten, and measures what it says of
            each request. While this is away HAProxy goes on as it was told last: run it beside HAProxy, under the same supervisor.

            Example:
              migrate route config haproxy examples/recommendations.yaml --environment production --listen 127.0.0.1:8080 --folder /var/lib/migrate/haproxy
              haproxy -f /var/lib/migrate/haproxy/haproxy.cfg &
              migrate haproxy --migration recommendations --environment production --folder /var/lib/migrate/haproxy
            """
    )
    @Option(help: "The migration.") var migration: String
    @Option(help: "The environment that it serves.") var environment: String
    @Option(
        help: "A name of its own among the migration's routers, which no other process has; else haproxy-ENVIRONMENT."
    ) var name: String?
    @OptionGroup var haproxy: LoggedPlaneOptions
    @OptionGroup var trust: UpstreamTrustOptions
    @OptionGroup var follower: FollowerOptions

    func run() async throws {
        let folder = HAProxyFolder(haproxy.folder)
        let plane = HAProxyPlane(folder: folder, logPort: haproxy.logPort)
        try await PlaneRun(migration: migration, environment: environment, options: follower, trust: trust).run(
            plane,
            name: name ?? "haproxy-\(environment)"
        )
    }
}
