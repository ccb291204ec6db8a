package import Foundation
import Postgres

/// The IDs that a log has had: a person who declares that it was rewound begins a new one, and routers take its revisions although they
/// know higher ones of those before.
package struct Incarnations: Hashable, Sendable {
    private let ids: [Int64: UUID]

    /// - Parameter ids: by number, from 1.
    /// - Throws: ``LogError/Code/damaged`` without any.
    package init(_ ids: [Int64: UUID]) throws(LogError) {
        guard !ids.isEmpty else { throw LogError(.damaged, "the log has no ID: its row was deleted") }
        self.ids = ids
    }

    package func id(of number: Int64) -> UUID? { ids[number] }

    /// The number of the one that new streams begin in.
    package var newest: Int64 { ids.keys.max() ?? 0 }

    /// In the order of their numbers.
    package var all: [(number: Int64, id: UUID)] { ids.sorted { $0.key < $1.key }.map { ($0.key, $0.value) } }

    package func contains(_ id: UUID) -> Bool { ids.values.contains(id) }
}

extension MigrationLog {
    /// The incarnations of the log.
    package func incarnations() async throws -> Incarnations {
        try await guarded {
            try await pool.run { connection in try Self.incarnations(connection) }
        }
    }

    static func incarnations(_ connection: isolated PostgresConnection) throws -> Incarnations {
        var ids: [Int64: UUID] = [:]
        for row in try connection.query("select number, log_id from migrate.log").rows {
            ids[try row.int("number")] = try row.uuid("log_id")
        }
        return try Incarnations(ids)
    }
}
