import ArgumentParser
import Foundation
import Gateway
import MigrationCore
import MigrationLog
import Postgres
import Routing
import ServiceLifecycle
import UnixSignals

struct GatewayRun: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "gateway",
        abstract: "Splits a migration's traffic in one environment, following the log.",
        discussion: """
            It serves what the log says from its first request on; with the database away, what it has kept.

            Example: migrate gateway --migration recommendations --environment production --listen 127.0.0.1:8080
            """
    )
    @Option(help: "The migration.") var migration: String
    @Option(help: "The environment that it serves.") var environment: String
    @Option(help: "A name of its own among the migration's routers; else gateway-ENVIRONMENT.") var name: String?
    @Option(help: "Where clients are accepted.") var listen: ListenArgument
    @Option(help: "Where it speaks of itself: /health, /routes; nowhere without it.") var admin: ListenArgument?
    @Option(help: "Where its routes are kept; else in this user's state folder.") var state: String?
    @Option(help: "Threads that carry requests.") var threads: Int = 2
    @OptionGroup var database: DatabaseOptions

    func validate() throws {
        if !(1...64).contains(threads) { throw ValidationError("threads are between 1 and 64") }
    }

    func run() async throws {
        let name = name ?? "gateway-\(environment)"
        let logger = Logs.logger("migrate.gateway")
        OpenFiles.raiseLimit()
        let file =
            state.map { URL(fileURLWithPath: $0) }
            ?? StateFolder.url.appendingPathComponent("gateways").appendingPathComponent("\(migration)-\(name).json")
        let kept = try RouteStore(file: file).read()
        let head = try await GatewayHead.pull(
            migration,
            environment,
            kept,
            GatewayHead.Database(options: database, name: name),
            logger
        )
        let routes = LogRoutes(
            migration: migration,
            environment: environment,
            router: name,
            clock: head.plan.clock,
            access: head.access,
            kept: kept?.table,
            logger: logger
        )
        let settings = GatewaySettings(
            name: name,
            environment: environment,
            host: listen.host,
            port: listen.port,
            adminHost: admin?.host ?? "127.0.0.1",
            adminPort: admin?.port,
            stateFile: file,
            threads: threads
        )
        let host = listen.host
        let gateway = try await Gateway(
            settings: settings,
            plan: head.plan,
            kept: kept?.table,
            first: head.table,
            source: routes,
            sink: routes,
            logger: logger,
            didBind: { port in Output.line("gateway \(name) serves \(environment) on http://\(host):\(port)") }
        )
        let witness = GatewayWitness(stateFile: file, log: head.access.log, logger: logger)
        try await ServiceGroup(
            services: [routes, witness, gateway],
            gracefulShutdownSignals: [.sigterm, .sigint],
            logger: logger
        ).run()
    }
}
