package import MigrationCore
import Postgres

extension MigrationLog {
    /// Takes or renews a lease.
    ///
    /// - Parameters:
    ///   - name: what is leased.
    ///   - holder: who wants it.
    ///   - life: how long it lasts without a renewal, on the database's clock.
    /// - Returns: its epoch, or nil when somebody else has it.
    package func lease(_ name: String, to holder: String, for life: TimeSpan) async throws -> Int64? {
        try await guarded {
            try await pool.run { connection in
                let row = try connection.query(
                    "select epoch, is_held from migrate.take_lease($1::text, $2::text, $3::bigint * interval '1 microsecond')",
                    [.text(name), .text(holder), .int(life.rawValue)]
                ).first
                guard let row, try row.bool("is_held") else { return nil }
                return try row.int("epoch")
            }
        }
    }

    /// Gives leases back, on a graceful stop, and wakes those who may take them.
    package func resign(_ names: [String], of holder: String) async throws {
        try await guarded {
            try await pool.run { connection in
                for name in names {
                    try connection.query(
                        "update migrate.lease set expires_at = clock_timestamp() where name = $1::text and holder = $2::text",
                        [.text(name), .text(holder)]
                    )
                }
                _ = try connection.query("select pg_notify('\(Self.reportChannel)', '')")
            }
        }
    }

    /// What the name of the lease begins with by which a worker says that it is there.
    package static let presenceLease = "worker/"

    /// The holders of the live leases whose names begin so, without that beginning.
    package func liveLeases(prefix: String) async throws -> [String] {
        try await guarded {
            try await pool.run { connection in
                try connection.query(
                    "select name from migrate.lease where starts_with(name, $1::text) and expires_at > clock_timestamp() order by name",
                    [.text(prefix)]
                ).rows.map { String(try $0.text("name").dropFirst(prefix.count)) }
            }
        }
    }

    package static let unfinishedQuery = """
        select s.stream from migrate.stream s left join migrate.migration m using (stream)
        where s.stream <> '@trust' and (m.phase is null or m.phase not in ('rolledBack', 'completed', 'abandoned')
        or m.phase = 'rolledBack' and exists (
            select from migrate.router r left join migrate.commit c on c.stream = r.stream and c.version = r.revision
            left join migrate.log l on l.log_id = r.log_id
            where r.stream = s.stream and (
                r.log_id is not null and l.number is null
                or l.number = (select h.incarnation from migrate.commit h where h.stream = s.stream and h.version = s.version)
                and (r.revision > s.version or r.hash <> c.hash)
            )
        )
        or m.phase = 'rolledBack' and exists (
            select from migrate.rollback b join migrate.router r on r.stream = b.stream
            where b.stream = s.stream and b.number = (
                select x.number from migrate.rollback x where x.stream = s.stream order by x.number desc limit 1
            ) and strpos(', ' || b.unheard || ', ', ', ' || r.name || ', ') > 0
        ))
        """

    package static let movableQuery = """
        select s.stream from migrate.stream s left join migrate.migration m using (stream)
        where s.stream <> '@trust' and (m.phase is null or m.phase not in ('completed', 'abandoned'))
        """

    /// The migrations that may still move traffic: what is unfinished, and what is rolled back and may be restarted.
    package func movable() async throws -> [String] {
        try await guarded {
            try await pool.run { connection in
                try connection.query(Self.movableQuery).rows.map { try $0.text("stream") }.sorted()
            }
        }
    }

    /// The migrations for which something may still be due.
    package func unfinished() async throws -> [String] {
        try await guarded {
            try await pool.run { connection in
                try connection.query(Self.unfinishedQuery).rows.map { try $0.text("stream") }.sorted()
            }
        }
    }
}
