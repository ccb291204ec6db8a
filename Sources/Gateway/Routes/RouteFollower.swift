import Logging
import MigrationCore
package import Routing
import ServiceLifecycle

/// Where a gateway's routes come from and where its word about them goes; the gateway itself knows no database.
package protocol RouteSource: Sendable {
    /// The tables as they are decided; the current one first. Ends when the gateway stops.
    func tables() -> AsyncStream<RouteTable>
    /// The gateway's word: this revision is in force and kept.
    func acknowledge(_ table: RouteTable) async
    /// Nothing is known of what is in force any more; until the next acknowledgement nothing is said of it.
    func lost() async
}

extension RouteSource {
    package func lost() async {}
}

/// Puts every table that is decided into force, and acknowledges it.
struct RouteFollower: ServiceLifecycle.Service {
    let source: any RouteSource
    let keeper: RouteKeeper
    let logger: Logger

    func run() async throws {
        await cancelWhenGracefulShutdown {
            for await table in source.tables() { await take(table) }
        }
    }

    private func take(_ table: RouteTable) async {
        do {
            if try await keeper.apply(table) {
                logger.info(
                    "route in force",
                    metadata: ["revision": "\(table.revision)", "weights": "\(table.weights.mapValues(\.rawValue))"]
                )
            }
            await source.acknowledge(table)
        } catch {
            logger.error("route refused", metadata: ["revision": "\(table.revision)", "reason": "\(error.message)"])
        }
    }
}
