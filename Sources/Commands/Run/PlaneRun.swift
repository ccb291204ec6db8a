import ArgumentParser
import DataPlanes
import Foundation
import Gateway
import Logging
import MigrationCore
import MigrationLog
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
        guard let head = try await head(kept, name, others, logger) else { return }
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
        do {
            if let table = head.table { try await plane.prepare(table, head.plan) }
        } catch {
            // It goes on as it was told, and the log hears of it.
            logger.error("\(plane.name) was told otherwise", metadata: ["reason": "\(error.message)"])
        }
        let witness = GatewayWitness(stateFile: plane.state, log: head.access.log, logger: logger)
        Output.line("\(name) tells \(plane.name) who goes where in \(environment)")
        try await ServiceGroup(
            services: others + [routes, witness, router],
            gracefulShutdownSignals: [.sigterm, .sigint],
            logger: logger
        ).run()
    }

    /// The head of the log. Where the database is away and nothing was ever kept, whoever asks for routes is given what the folder says until it is there: legacy.
    ///
    /// - Returns: nil where it was told to stop before that.
    private func head(
        _ kept: RouteStore.Kept?,
        _ name: String,
        _ others: [any ServiceLifecycle.Service],
        _ logger: Logger
    ) async throws -> GatewayHead? {
        let (migration, environment) = (migration, environment)
        let place = GatewayHead.Database(options: database, name: name)
        let pull: @Sendable () async throws -> GatewayHead = {
            try await GatewayHead.pull(migration, environment, kept, place, logger)
        }
        do {
            return try await pull()
        } catch let error as LogError where HeadWait.mayPass(error) && !others.isEmpty {}
        let wait = HeadWait(logger: logger, pull)
        var members = others.map { ServiceGroupConfiguration.ServiceConfiguration(service: $0) }
        members.append(.init(service: wait, successTerminationBehavior: .gracefullyShutdownGroup))
        try await ServiceGroup(
            configuration: .init(
                services: members,
                gracefulShutdownSignals: [.sigterm, .sigint],
                logger: logger
            )
        ).run()
        return wait.head
    }
}
