import MigrationCore
import Postgres
import Signals

/// Whoever follows a channel of the database: how long what is done takes to arrive there.
struct Follower: Sendable {
    private let connection: PostgresConnection

    init(_ channel: String, on stage: Stage) async throws {
        connection = try await PostgresConnection(stage.conninfo, name: "follower of \(channel)")
        try await connection.run { try $0.listen(channel) }
    }

    /// From before something to the arrival of its notification, in microseconds.
    func time(_ body: () async throws -> Void) async throws -> Int64 {
        let started = SystemClock.steady
        async let arrived = connection.run { connection in
            // What failed, or was interrupted, tells nobody anything.
            while try connection.notifications(within: 100).isEmpty { try Task.checkCancellation() }
            return SystemClock.steady
        }
        try await body()
        return (try await arrived - started).rawValue
    }

    func close() async { await connection.close() }
}
