import Gateway
import Logging
import MigrationCore
import MigrationLog
import Routing
import Worker

/// What a gateway begins with: the head of the log where it can be read, else what it has kept.
struct GatewayHead {
    struct Database {
        var options: DatabaseOptions
        var name: String
    }

    let plan: Plan
    /// The head of the log; nil when the database is away.
    let table: RouteTable?
    let access: LogAccess.Reach

    /// - Throws: a ``Failure`` for what was kept of another migration or environment: its revisions say nothing here.
    static func pull(
        _ migration: String,
        _ environment: String,
        _ kept: RouteStore.Kept?,
        _ database: Database,
        _ logger: Logger
    ) async throws -> GatewayHead {
        if let table = kept?.table, table.migration != migration || table.environment != environment {
            throw Failure(
                .refused,
                "what is kept here is of \(table.migration) in \(table.environment), and this is to serve \(migration) in \(environment)",
                mend: "give each its own place: --state FILE for a gateway, --folder FOLDER for another data plane"
            )
        }
        let reach = try LogAccess.Reach(database.options, name: "migrate gateway \(database.name)")
        do {
            let stream = try await reach.log.load(migration)
            guard let plan = stream.state.migration?.plan else { throw await Overrides.unknown(migration, reach.log) }
            let known = kept.map {
                MigrationLog.KnownRoute(log: $0.table.logID, revision: $0.table.revision, hash: $0.table.hash)
            }
            guard let route = try await reach.log.route(migration, environment: environment, known: known) else {
                throw Failure(
                    .refused,
                    "\(migration) has no environment “\(environment)”",
                    mend: "it has: \(plan.environments.joined(separator: ", "))"
                )
            }
            let table = RouteTable(route, migration, environment)
            var fence = Fence(kept?.table)
            do {
                _ = try fence.admit(table)
            } catch {
                // The log is behind what was in force here, or has gone another way: weights hold until a person has decided.
                logger.error("serving what was kept", metadata: ["reason": "\(error.message)"])
                return GatewayHead(plan: plan, table: nil, access: reach)
            }
            return GatewayHead(plan: plan, table: route.isForked ? nil : table, access: reach)
        } catch let error as LogError where error.code == .database {
            guard let kept else { throw error }
            logger.warning(
                "the database is away: serving what was kept",
                metadata: ["revision": "\(kept.table.revision)"]
            )
            return GatewayHead(plan: kept.plan, table: nil, access: reach)
        }
    }
}
