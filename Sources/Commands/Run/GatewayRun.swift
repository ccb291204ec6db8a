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
    @Option(
        help: "A name of its own among the migration's routers, which no other process has; else gateway-ENVIRONMENT."
    ) var name: String?
    @Option(help: "Where clients are accepted.") var listen: ListenArgument
    @Option(help: "Where it speaks of itself: /health, /routes; nowhere without it.") var admin: ListenArgument?
    @Option(help: "Where its routes are kept; else in this user's state folder.") var state: String?
    @Option(
        help:
            "The certificate chain (PEM) that clients are shown: then TLS is spoken, with HTTP/2 and HTTP/1.1. A new file is taken as it is written."
    )
    var certificate: String?
    @Option(help: "The certificate's private key (PEM).") var key: String?
    @OptionGroup var trust: UpstreamTrustOptions
    @Option(help: "Where each request leaves a line of JSON; a file that is moved away is begun anew.") var accessLog:
        String?
    @OptionGroup(title: "Limits") var limits: GatewayLimits
    @Option(
        help:
            "The file of a secret, 32 bytes at least, with which people ask for one side (migrate route force); nobody may without it."
    )
    var forceKey: String?
    @Option(help: "Threads that carry requests.") var threads: Int = 2
    @OptionGroup var database: DatabaseOptions

    func validate() throws {
        if !(1...64).contains(threads) { throw ValidationError("threads are between 1 and 64") }
        if (certificate == nil) != (key == nil) { throw ValidationError("--certificate and --key belong together") }
    }

    func run() async throws {
        let name = name ?? "gateway-\(environment)"
        let forceKey = try forceKey.map { try RouteForce.key($0, migration, environment) }
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
        var settings = GatewaySettings(
            name: name,
            environment: environment,
            host: listen.host,
            port: listen.port,
            adminHost: admin?.host ?? "127.0.0.1",
            adminPort: admin?.port,
            stateFile: file,
            threads: threads
        )
        if let certificate, let key {
            settings.certificate = CertificateFiles(
                chain: URL(fileURLWithPath: certificate),
                key: URL(fileURLWithPath: key)
            )
        }
        settings.trust = trust.file
        settings.accessLog = accessLog.map { URL(fileURLWithPath: $0) }
        limits.apply(to: &settings)
        settings.forceKey = forceKey
        let scheme = settings.certificate == nil ? "http" : "https"
        let host = listen.host
        let gateway = try await Gateway(
            settings: settings,
            plan: head.plan,
            kept: kept?.table,
            first: head.table,
            source: routes,
            sink: routes,
            logger: logger,
            didBind: { port in Output.line("gateway \(name) serves \(environment) on \(scheme)://\(host):\(port)") }
        )
        let witness = GatewayWitness(stateFile: file, log: head.access.log, logger: logger)
        try await ServiceGroup(
            services: [routes, witness, gateway],
            gracefulShutdownSignals: [.sigterm, .sigint],
            logger: logger
        ).run()
    }
}
