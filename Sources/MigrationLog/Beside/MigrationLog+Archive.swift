package import MigrationCore
import Postgres

extension MigrationLog {
    /// How many commits one transaction moves, so that whoever appends waits for little.
    private static let archiveBatch: Int64 = 2_000

    /// The migrations that are completed or abandoned, and whose last commit is older than a time.
    package func finished(olderThan age: TimeSpan) async throws -> [String] {
        try await guarded {
            try await pool.run { connection in
                try connection.query(
                    """
                    select m.stream from migrate.migration m join migrate.stream s using (stream)
                    where m.phase in ('completed', 'abandoned')
                        and s.at <= clock_timestamp() - $1::bigint * interval '1 microsecond' order by m.stream
                    """,
                    [.int(age.rawValue)]
                ).rows.map { try $0.text("stream") }
            }
        }
    }

    /// Moves the sealed commits of a migration that is over into the cold partition. Broken off, it has moved a part, and the stream is whole.
    ///
    /// - Returns: how many it moved.
    package func archive(_ stream: String) async throws -> Int {
        var total = 0
        while true {
            let moved = try await guarded {
                try await pool.run { connection in
                    try connection.query(
                        "select migrate.move_cold($1::text, $2::integer) as moved",
                        [.text(stream), .int(Self.archiveBatch)]
                    ).first?.int("moved") ?? 0
                }
            }
            total += Int(moved)
            guard moved == Self.archiveBatch else { return total }
        }
    }
}
