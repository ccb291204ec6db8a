package import Postgres

/// Reads the whole log in its order, and keeps its place in the transaction of what it writes: each commit is seen exactly once by what is
/// in the database, and at least once by what is outside.
package struct Subscription: Sendable {
    package let name: String
    private let log: MigrationLog

    /// - Parameter name: unique among the subscribers of the log; two that share one and take by ``next(limit:_:)`` share the work.
    package init(_ name: String, of log: MigrationLog) {
        self.name = name
        self.log = log
    }

    /// Where it stands: the number of the last commit it has had.
    package func position() async throws -> Int64 {
        try await log.guarded {
            try await log.pool.run { [name] connection in
                try connection.query("select n from migrate.subscriber where name = $1::text", [.text(name)]).first?
                    .int("n") ?? 0
            }
        }
    }

    /// Takes the next commits.
    ///
    /// - Parameters:
    ///   - limit: at most so many.
    ///   - each: is given every one in order, in the transaction that keeps the place; what it throws undoes all of it. As long as it waits for anybody nothing new gets
    ///     its place in the order.
    /// - Returns: how many there were.
    package func next(
        limit: Int64 = 500,
        _ each: @Sendable (SealedCommit, isolated PostgresConnection) throws -> Void
    ) async throws -> Int {
        try await log.guarded {
            try await log.pool.transact { [name] connection in
                try connection.query(
                    "insert into migrate.subscriber (name, n) values ($1::text, 0) on conflict do nothing",
                    [.text(name)]
                )
                let row = try connection.query(
                    "select n from migrate.subscriber where name = $1::text for update",
                    [.text(name)]
                ).first
                let commits = try MigrationLog.sealed(after: row?.int("n") ?? 0, limit: limit, connection)
                for commit in commits { try each(commit, connection) }
                if let last = commits.last {
                    try connection.query(
                        "update migrate.subscriber set n = $2::bigint, at = clock_timestamp() where name = $1::text",
                        [.text(name), .int(last.n)]
                    )
                }
                return commits.count
            }
        }
    }

    /// Keeps a place: everything up to a number was had, by somebody who is outside of the database. A place that is further on already stays.
    package func reach(_ n: Int64) async throws {
        try await log.guarded {
            try await log.pool.run { [name] connection in
                _ = try connection.query(
                    """
                    insert into migrate.subscriber as s (name, n) values ($1::text, $2::bigint)
                    on conflict (name) do update set n = excluded.n, at = clock_timestamp() where s.n < excluded.n
                    """,
                    [.text(name), .int(n)]
                )
            }
        }
    }

    /// Goes back to a place, where it stands further on: whoever had more has it no longer.
    package func goBack(to n: Int64) async throws {
        try await log.guarded {
            try await log.pool.run { [name] connection in
                _ = try connection.query(
                    "update migrate.subscriber set n = $2::bigint, at = clock_timestamp() where name = $1::text and n > $2::bigint",
                    [.text(name), .int(n)]
                )
            }
        }
    }

    /// Forgets the place.
    package func end() async throws {
        try await log.guarded {
            try await log.pool.run { [name] connection in
                _ = try connection.query("delete from migrate.subscriber where name = $1::text", [.text(name)])
            }
        }
    }
}
