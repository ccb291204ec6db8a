import ArgumentParser
import DataPlanes
import Foundation
import Gateway
import Logging
import MigrationCore
import Routing
import ServiceLifecycle
import UnixSignals

/// What every follower of a data plane may be told.
struct FollowerOptions: ParsableArguments {
    @Option(help: "HOST:PORT at which this program answers GET /health and GET /metrics (OpenMetrics); else nowhere.")
    var metrics: ListenArgument?
    @OptionGroup var database: DatabaseOptions
}

/// Has a data plane that somebody else wrote follow the log.
struct PlaneRun {
    let migration: String
    let environment: String
    let options: FollowerOptions
    var trust: UpstreamTrustOptions?
    private var database: DatabaseOptions { options.database }

    /// Runs until it is told to stop.
    ///
    /// - Parameters:
    ///   - name: the router's in the log.
    ///   - others: what the data plane needs besides.
    func run(
        _ plane: any DataPlane,
        name: String,
        beside others: [any ServiceLifecycle.Service] = []
    ) async throws {
        let logger = Logs.logger("migrate.\(plane.name.lowercased())")
        let kept = try RouteStore(file: plane.state).read()
        let head = try await GatewayHead.pull(
            migration,
            environment,
            kept,
            GatewayHead.Database(options: database, name: name),
            logger
        )
        // Whoever starts it from here on has it begin with what is in its files.
        let claim = try await PlaneClaim(plane.state.deletingLastPathComponent())
        defer { withExtendedLifetime(claim) {} }
        do {
            if let table = head.table { try plane.prepare(table, head.plan) }
        } catch {
            // It goes on as it was told, and the log hears of it.
            logger.error("\(plane.name) was told otherwise", metadata: ["reason": "\(error.message)"])
        }
        let routes = LogRoutes(
            migration: migration,
            environment: environment,
            router: name,
            clock: head.plan.clock,
            access: head.access,
            kept: kept?.table,
            isInForce: false,
            logger: logger
        )
        let router = try PlaneRouter(
            name: name,
            environment: environment,
            plan: head.plan,
            plane: plane,
            first: head.table,
            source: routes,
            sink: routes,
            admin: options.metrics?.address,
            trust: trust?.file,
            logger: logger
        )
        let witness = GatewayWitness(stateFile: plane.state, log: head.access.log, logger: logger)
        Output.line("\(name) tells \(plane.name) who goes where in \(environment)")
        try await ServiceGroup(
            services: others + [routes, witness, router],
            gracefulShutdownSignals: [.sigterm, .sigint],
            logger: logger
        ).run()
    }
}
