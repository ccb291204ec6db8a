import ArgumentParser
import DataPlanes
import MigrationCore
import MigrationLog
import Routing

extension RenderedRoutes.Kind: ExpressibleByArgument {}

struct RouteRender: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "render",
        abstract:
            "Prints what is asked of an environment for Consul or Traefik. Unverified.",
        discussion: """
            Somebody else applies it: nothing is read back, fenced or measured, users do not stay where they are, and no step is acknowledged by it.

            Example: migrate route render traefik recommendations --environment production > dynamic.yaml
            """
    )
    @Argument(help: "consul or traefik.") var kind: RenderedRoutes.Kind
    @Argument(help: "The migration.") var migration: String
    @Option(help: "The environment.") var environment: String
    @OptionGroup var database: DatabaseOptions

    func run() async throws {
        let stream = try await Status.load(migration, LogAccess(database).log)
        guard let found = stream.state.migration, let traffic = found.traffic(in: environment) else {
            throw Failure(.refused, "\(migration) has no environment “\(environment)”")
        }
        let pairs = zip(found.plan.services, traffic.effective).map { ($0.name, $1) }
        let routes = try RenderedRoutes(plan: found.plan, weights: Dictionary(pairs) { first, _ in first })
        Output.line(try routes.text(kind))
    }
}
