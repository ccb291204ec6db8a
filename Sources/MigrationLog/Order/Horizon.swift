package import MigrationCore
import Postgres

/// Who holds the order back: the sealer gives no number to a commit while a transaction that began before it is under way, in whatever
/// database of the cluster.
package struct Horizon: Hashable, Sendable {
    /// A transaction that is under way and has written.
    package struct Holder: Hashable, Sendable {
        /// The server's process; nil for a prepared transaction, which has none.
        package var pid: Int64?
        package var database: String
        package var application: String
        package var query: String
        /// Nil where this role may not see it (`pg_read_all_stats`).
        package var age: TimeSpan?
        /// What ends it.
        package var mend: String
    }

    /// Commits without a number.
    package var unsealed: Int64
    /// How long the oldest of them has waited.
    package var waits: TimeSpan
    /// Commits whose transaction IDs are another cluster's: a logical restore brought them, and no waiting will seal them.
    package var restored: Int64
    /// Those with the oldest transaction IDs, the oldest first: it is them that everybody waits for, whenever they began.
    package var holders: [Holder]

    /// Longer than this no commit should have to wait.
    package static let patience = TimeSpan.seconds(60)
}

extension MigrationLog {
    /// How far the order lags, and who holds it back.
    package func horizon() async throws -> Horizon {
        try await guarded {
            try await pool.run { connection in
                let row = try connection.query(Self.unsealedQuery).first
                let holders = try connection.query(Self.holdersQuery).rows.map { row in
                    let pid = try row.optionalInt("pid")
                    let prepared = try row.text("application")
                    return Horizon.Holder(
                        pid: pid,
                        database: try row.text("database"),
                        application: prepared,
                        query: String(try row.text("query").prefix(200)),
                        age: try row.optionalInt("age").map { TimeSpan(rawValue: $0) },
                        mend: pid.map { "select pg_terminate_backend(\($0))" } ?? "rollback prepared '\(prepared)'"
                    )
                }
                return Horizon(
                    unsealed: try row?.int("unsealed") ?? 0,
                    waits: TimeSpan(rawValue: try row?.int("waits") ?? 0),
                    restored: try row?.int("restored") ?? 0,
                    holders: holders
                )
            }
        }
    }

    /// Behind the sealer's cursor: the index on it gives just those. By a join it would be a filter over all commits, and so it would by one on IDs.
    private static let isUnsealed = """
        (c.xid, c.id) > ((select xid from migrate.sealer), (select id from migrate.sealer))
        and c.id + 0 > (select floor from migrate.sealer)
        """

    /// What lies beyond the sealer's cursor; and what lies before it although it came after everything that has a number, which only a
    /// restore brings about.
    package static let unsealedQuery = """
        with open as (
            select c.xid, c.at, false as is_behind from only migrate.commit c where \(isUnsealed)
            union all
            select c.xid, c.at, true from migrate.sealer s
            join only migrate.commit c on c.id > (select coalesce(max(id), 0) from migrate.seal) and (c.xid, c.id) <= (s.xid, s.id)
        )
        select count(*) as unsealed,
            coalesce((extract(epoch from clock_timestamp() - min(at)) * 1000000)::bigint, 0) as waits,
            count(*) filter (where is_behind or xid >= pg_snapshot_xmax(pg_current_snapshot())) as restored
        from open
        """

    /// Those that began before the first commit that has no number. Its own transaction has written nothing, and so is not among them.
    package static let holdersQuery = """
        with first as (
            select c.xid::xid from only migrate.commit c where \(isUnsealed) order by c.xid, c.id limit 1
        )
        select a.pid, coalesce(a.datname, '') as database, coalesce(a.application_name, '') as application,
            coalesce(a.query, '') as query,
            (extract(epoch from clock_timestamp() - a.xact_start) * 1000000)::bigint as age, age(a.backend_xid) as behind
        from pg_stat_activity a, first where a.backend_xid is not null and age(a.backend_xid) > age(first.xid)
        union all
        select null, p.database, p.gid, 'a prepared transaction', (extract(epoch from clock_timestamp() - p.prepared) * 1000000)::bigint,
            age(p.transaction)
        from pg_prepared_xacts p, first where age(p.transaction) > age(first.xid)
        order by behind desc limit 10
        """
}
