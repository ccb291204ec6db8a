import MigrationCore
package import MigrationLog
package import Routing

/// The adapter of the embedded gateway, which follows the log itself: telling it means announcing its route once more, and what it
/// acknowledges is what it has reported.
package struct LogRouteAdapter: ServiceDiscoveryAdapter {
    private let router: String
    private let migration: String
    private let log: MigrationLog

    package init(router: String, migration: String, log: MigrationLog) {
        self.router = router
        self.migration = migration
        self.log = log
    }

    package func apply(_ table: RouteTable) async throws(RoutingError) -> Acknowledgement {
        do {
            try await log.announceRoute(migration, version: table.revision)
        } catch {
            throw RoutingError(.unreachable, "the route of \(router) could not be announced: \(error)")
        }
        guard let current = try await current() else {
            throw RoutingError(
                .unreachable,
                "\(router) has never reported",
                mend: "start it, or retire it: migrate retire-router"
            )
        }
        return current
    }

    package func current() async throws(RoutingError) -> Acknowledgement? {
        do {
            return try await log.reports(of: migration).first { $0.router == router }.map {
                Acknowledgement(router: router, revision: $0.revision, at: $0.seenAt)
            }
        } catch {
            throw RoutingError(.unreachable, "what \(router) reported cannot be read: \(error)")
        }
    }
}

extension RouteTable {
    /// A route of the log as routers are told it.
    package init(_ route: MigrationLog.Route, _ migration: String, _ environment: String) {
        self.init(
            logID: route.log,
            ancestors: route.ancestors.isEmpty ? nil : route.ancestors,
            migration: migration,
            environment: environment,
            revision: route.revision,
            hash: route.hash,
            weights: route.weights
        )
    }
}
