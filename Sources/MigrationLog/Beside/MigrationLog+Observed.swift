import Foundation
package import MigrationCore
import Postgres

extension MigrationLog {
    /// What one router saw itself in the last window that it handed in.
    package struct Observed: Hashable, Sendable {
        package var k: Int64
        /// By service, in the plan's order: the requests sent to the candidate, of how many.
        package var shares: [MigrationCore.Measurement]
    }

    /// Keeps what a router saw, where it is newer than what it saw before.
    static func observe(_ signal: RouterSignal, of stream: String, _ connection: isolated PostgresConnection) throws {
        let shares = signal.services.map { [$0.candidate.requests, $0.legacy.requests + $0.candidate.requests] }
        try connection.query(
            """
            update migrate.router set window_k = $3::bigint, observed = $4::jsonb
            where stream = $1::text and name = $2::text and environment = $5::text and coalesce(window_k < $3::bigint, true)
            """,
            [
                .text(stream), .text(signal.router), .int(signal.k),
                .text(String(decoding: try JSONEncoder().encode(shares), as: UTF8.self)), .text(signal.environment),
            ]
        )
    }

    /// What each of a migration's routers saw last, by its name; one that has handed in nothing is missing.
    package func observed(of stream: String) async throws -> [String: Observed] {
        try await guarded {
            try await pool.run { connection in
                let rows = try connection.query(
                    """
                    select name, window_k, observed::text from migrate.router
                    where stream = $1::text and window_k is not null and observed is not null
                    """,
                    [.text(stream)]
                ).rows
                var all: [String: Observed] = [:]
                for row in rows {
                    let pairs = try JSONDecoder().decode([[Int]].self, from: Data(try row.text("observed").utf8))
                    let shares = pairs.compactMap {
                        $0.count == 2 ? MigrationCore.Measurement(value: $0[0], of: $0[1]) : nil
                    }
                    all[try row.text("name")] = Observed(k: try row.int("window_k"), shares: shares)
                }
                return all
            }
        }
    }
}
