package import Foundation
package import MigrationCore
package import Postgres

extension MigrationLog {
    /// The channel on which a change of routes is announced; the payload is `<stream> <version>`.
    package static let routeChannel = "migrate_route"
    /// The channel on which a router announces that it has something to say to the worker; the payload is the stream.
    package static let reportChannel = "migrate_report"

    /// What one environment's routers are to serve, as the projection has it.
    package struct Route: Hashable, Sendable {
        /// The ID of the log's incarnation that set it, in lower case, and of those before.
        package var log: String
        package var ancestors: [String]
        package var revision: Int64
        /// The hash of the commit that set the weights, in hexadecimal digits.
        package var hash: String
        /// By service.
        package var weights: [String: Weight]
        /// Whether the log has another commit at the revision that the asking router knows.
        package var isForked: Bool
    }

    /// A revision as a router knows it.
    package struct KnownRoute: Hashable, Sendable {
        package var log: String
        package var revision: Int64
        package var hash: String

        package init(log: String, revision: Int64, hash: String) {
            self.log = log
            self.revision = revision
            self.hash = hash
        }
    }

    /// One commit for each service: joined otherwise, all of a stream might be read for them.
    package static let routeQuery = """
        select t.service, t.revision, t.effective, c.hash, c.incarnation
        from migrate.traffic t
        cross join lateral (
            select hash, incarnation from migrate.commit where stream = t.stream and version = t.revision limit 1
        ) c
        where t.stream = $1::text and t.environment = $2::text
        """

    /// The route of an environment.
    ///
    /// - Parameter known: what the asking router has, so that a log which lost it, and has since passed its number, is noticed.
    /// - Returns: nil for an unknown migration or environment.
    package func route(_ stream: String, environment: String, known: KnownRoute? = nil) async throws -> Route? {
        try await guarded {
            try await pool.run { connection in
                let rows = try connection.query(Self.routeQuery, [.text(stream), .text(environment)]).rows
                guard let first = rows.first else { return nil }
                let own = try first.int("incarnation")
                let log = try Self.incarnations(connection)
                guard let id = log.id(of: own) else {
                    throw LogError(
                        .damaged,
                        "the incarnation of revision \(try first.int("revision")) is not in the log"
                    )
                }
                var weights: [String: Weight] = [:]
                for row in rows {
                    guard let weight = Weight(rawValue: Int(try row.int("effective"))) else {
                        throw LogError(
                            .damaged,
                            "the projection has a weight out of range",
                            mend: "compare it with the log: migrate replay"
                        )
                    }
                    weights[try row.text("service")] = weight
                }
                return Route(
                    log: id.uuidString.lowercased(),
                    ancestors: log.all.filter { $0.number < own }.map { $0.id.uuidString.lowercased() },
                    revision: try first.int("revision"),
                    hash: Hex.text(try first.bytes("hash")),
                    weights: weights,
                    isForked: try known.map { try Self.isForked(stream, $0, id, connection) } ?? false
                )
            }
        }
    }

    private static func isForked(
        _ stream: String,
        _ known: KnownRoute,
        _ id: UUID,
        _ connection: isolated PostgresConnection
    ) throws -> Bool {
        guard known.log == id.uuidString.lowercased() else { return false }
        return try connection.query(
            "select from migrate.commit where stream = $1::text and version = $2::bigint and hash <> decode($3::text, 'hex')",
            [.text(stream), .int(known.revision), .text(known.hash)]
        ).first != nil
    }

    /// A router says what is in force and durable there.
    ///
    /// Two processes of one name that say something in turns are two routers: of neither anything is taken.
    ///
    /// - Parameters:
    ///   - hash: that of the commit that set it, in hexadecimal digits: tells a log that went back in time.
    ///   - instance: the process; nil for one that is the only one in any case.
    /// - Returns: whether two processes have said something by that name in turns within the last minute.
    @discardableResult
    package func report(
        _ stream: String,
        router: String,
        environment: String,
        log: String?,
        revision: Int64?,
        hash: String? = nil,
        instance: UUID? = nil,
        notify: Bool
    ) async throws -> Bool {
        try await guarded {
            try await pool.run { connection in
                let row = try connection.query(
                    Self.reportStatement,
                    [
                        .text(stream), .text(router), .text(environment), .text(log), .int(revision), .text(hash),
                        .text(instance?.uuidString),
                    ]
                ).first
                if notify {
                    _ = try connection.query("select pg_notify('\(Self.reportChannel)', $1::text)", [.text(stream)])
                }
                return try row?.bool("is_contested") ?? false
            }
        }
    }

    /// Whoever has said something, then was silent while another said something, and says something again, is not that one's successor.
    private static let reportStatement = """
        with before as (
            select coalesce(rival = $7::uuid and rival_at > clock_timestamp() - interval '1 minute', false) as is_rival,
                coalesce(contested_at > clock_timestamp() - interval '1 minute', false) as was_contested
            from migrate.router where stream = $1::text and name = $2::text
        )
        insert into migrate.router as r (stream, name, environment, log_id, revision, hash, seen_at, instance)
        values ($1::text, $2::text, $3::text, $4::uuid, $5::bigint, decode($6::text, 'hex'), clock_timestamp(), $7::uuid)
        on conflict (stream, name) do update set
            environment = excluded.environment, log_id = excluded.log_id, hash = excluded.hash, seen_at = excluded.seen_at,
            revision = case when not (select is_rival or was_contested from before) then excluded.revision end,
            contested_at = case when (select is_rival from before) then clock_timestamp() else r.contested_at end,
            window_k = case when r.environment = excluded.environment then r.window_k end,
            observed = case when r.environment = excluded.environment then r.observed end,
            rival = case when r.instance <> excluded.instance then r.instance else r.rival end,
            rival_at = case when r.instance <> excluded.instance then clock_timestamp() else r.rival_at end,
            instance = excluded.instance
        returning coalesce((select is_rival or was_contested from before), false) as is_contested
        """

    /// Removes what a retired router said of itself, in the transaction that retires it.
    package static func forgetting(router: String, of stream: String) -> PostgresStatement {
        PostgresStatement(
            "delete from migrate.router where stream = $1::text and name = $2::text",
            [.text(stream), .text(router)]
        )
    }

    /// Announces the current route once more, for a router that may have missed it.
    package func announceRoute(_ stream: String, version: Int64) async throws {
        try await guarded {
            try await pool.run { connection in
                try connection.query(
                    "select pg_notify('\(Self.routeChannel)', $1::text)",
                    [.text("\(stream) \(version)")]
                )
            }
        }
    }

    /// A router's measurements of whole windows; one that was handed in before is not changed, and what is measured before a
    /// migration's start or after its end is nobody's to judge.
    ///
    /// A window that is not over by the database's clock comes from a host whose clock is ahead. It is not taken: sealed when its time
    /// came, it would show the traffic of an earlier time as that of now.
    ///
    /// - Returns: how far ahead the furthest of the windows ended that were not taken; nil when all were.
    package func hand(in signals: [RouterSignal], of stream: String, clock: WindowClock) async throws -> TimeSpan? {
        let bodies = try signals.map { Array(try CommitCodec.canonical($0.services)) }
        return try await guarded {
            try await pool.run { connection in
                let rows = try connection.query("select clock_timestamp() as now").rows
                guard let row = rows.first else {
                    throw PostgresError(.unavailable, "the database does not say its time")
                }
                let now = Timestamp(rawValue: try row.microseconds("now"))
                // Half a window is what clocks that are kept in step may differ by.
                let latest = now + TimeSpan(rawValue: clock.length.rawValue / 2)
                var ahead: TimeSpan?
                for (signal, body) in zip(signals, bodies) {
                    let end = clock.end(of: signal.k)
                    if end > latest {
                        ahead = max(ahead ?? .zero, end - now)
                        continue
                    }
                    try connection.query(
                        """
                        insert into migrate.signal (stream, k, router, environment, body)
                        select $1::text, $2::bigint, $3::text, $4::text, $5::bytea
                        where exists (
                            select from migrate.migration m
                            where m.stream = $1::text and m.phase in ('running', 'halted', 'watching', 'rollingBack', 'partlyRolledBack')
                        )
                        on conflict do nothing
                        """,
                        [.text(stream), .int(signal.k), .text(signal.router), .text(signal.environment), .bytes(body)]
                    )
                    try Self.observe(signal, of: stream, connection)
                }
                return ahead
            }
        }
    }

    /// Statements that take signals out of the table, in the transaction that puts them into the log.
    static func taking(_ stream: String, k: Int64, routers: [String]) -> [PostgresStatement] {
        routers.map { router in
            PostgresStatement(
                "delete from migrate.signal where stream = $1::text and k = $2::bigint and router = $3::text",
                [.text(stream), .int(k), .text(router)]
            )
        }
    }
}
