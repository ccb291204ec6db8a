import Logging
import Postgres

/// Receives the log's notifications on a connection of its own, and opens a new one when it breaks.
package struct LogListener: Sendable {
    package enum Event: Sendable {
        /// The connection is there, perhaps again: whatever was announced meanwhile was missed.
        case connected
        /// Something happened in this stream; empty when it may be any.
        case notified(stream: String)
        /// Nothing came for a while: time to look for oneself.
        case idle
    }

    /// How long nothing may come before ``Event/idle``.
    private static let patience: Int32 = 500

    private let conninfo: String
    private let name: String
    private let channels: [String]

    /// - Parameters:
    ///   - conninfo: a libpq connection string or URI.
    ///   - name: shown in `pg_stat_activity`.
    ///   - channels: what to listen to.
    package init(_ conninfo: String, name: String, channels: [String]) {
        self.conninfo = conninfo
        self.name = name
        self.channels = channels
    }

    /// Listens until the task is cancelled. Every event is delivered before the next is awaited.
    package func run(_ each: (Event) async -> Void) async {
        var pause = 50
        while !Task.isCancelled {
            if let connection = try? await connect() {
                pause = 50
                await each(.connected)
                await listen(connection, each)
                await connection.close()
            } else {
                await each(.idle)
                try? await Task.sleep(for: .milliseconds(pause))
                pause = min(1_000, pause * 2)
            }
        }
    }

    private func connect() async throws -> PostgresConnection {
        let connection = try await PostgresConnection(conninfo, name: name)
        let channels = channels
        try await connection.run { connection in
            for channel in channels { try connection.listen(channel) }
        }
        return connection
    }

    private func listen(_ connection: PostgresConnection, _ each: (Event) async -> Void) async {
        while !Task.isCancelled {
            do {
                let arrived = try await connection.run { try $0.notifications(within: Self.patience) }
                if arrived.isEmpty { await each(.idle) }
                for notification in arrived {
                    await each(
                        .notified(stream: notification.payload.split(separator: " ").first.map(String.init) ?? "")
                    )
                }
            } catch {
                return
            }
        }
    }
}
