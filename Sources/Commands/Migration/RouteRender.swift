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
            "Prints what is asked of an environment for the Kubernetes Gateway API, Consul or Traefik. Unverified.",
        discussion: """
            Somebody else applies it: nothing is read back, fenced or measured, users do not stay where they are, and no step is acknowledged by it.

            Example: migrate route render kubernetes recommendations --environment production --gateway web | kubectl apply -f -
            """
    )
    @Argument(help: "kubernetes, consul or traefik.") var kind: RenderedRoutes.Kind
    @Argument(help: "The migration.") var migration: String
    @Option(help: "The environment.") var environment: String
    @Option(help: "The Gateway that HTTPRoutes belong to.") var gateway = "gateway"
    @OptionGroup var database: DatabaseOptions

    func validate() throws {
        guard gateway.wholeMatch(of: /[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?/) != nil else {
            throw ValidationError("“\(gateway)” is no name of a Gateway")
        }
    }

    func run() async throws {
        let stream = try await Status.load(migration, LogAccess(database).log)
        guard let found = stream.state.migration, let traffic = found.traffic(in: environment) else {
            throw Failure(.refused, "\(migration) has no environment “\(environment)”")
        }
        let pairs = zip(found.plan.services, traffic.effective).map { ($0.name, $1) }
        let routes = try RenderedRoutes(plan: found.plan, weights: Dictionary(pairs) { first, _ in first })
        Output.line(routes.text(kind, parent: gateway))
    }
}
