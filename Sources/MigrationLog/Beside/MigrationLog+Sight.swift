import Foundation
package import MigrationCore
import Postgres

extension MigrationLog {
    /// Everything that a worker looks at before it decides what to do next for a migration.
    ///
    /// - Parameters:
    ///   - stream: the migration's name.
    ///   - known: the stream as it was read before.
    /// - Returns: the stream read on to its end, and the sight of it.
    package func look(at stream: String, from known: Stream?) async throws -> (Stream, WorkerMachine.Sight) {
        try await guarded {
            try await pool.run { connection in
                let loaded = try Self.load(stream, from: known, on: connection)
                let reports = try Self.reports(of: stream, connection)
                let next = loaded.state.migration?.nextWindow
                let sight = WorkerMachine.Sight(
                    now: loaded.now,
                    state: loaded.state,
                    reports: reports,
                    signals: try next.map { try Self.signals(of: stream, Self.signalsQuery, $0, connection) } ?? [],
                    late: try next.map { try Self.signals(of: stream, Self.lateQuery, $0, connection) } ?? []
                )
                return (loaded, sight)
            }
        }
    }

    /// What routers handed in for a window, and for earlier ones, in the order of the windows.
    ///
    /// Of the window all, or who stands last by name would never be seen; of earlier ones a part, and the next after it is taken.
    package static let signalsQuery = signalsQuery("k = $2::bigint", "")
    package static let lateQuery = signalsQuery("k < $2::bigint", "limit 200")

    private static func signalsQuery(_ condition: String, _ limit: String) -> String {
        """
        select k, router, environment, body from migrate.signal where stream = $1::text and \(condition)
        order by k, router \(limit)
        """
    }

    private static func signals(
        of stream: String,
        _ query: String,
        _ k: Int64,
        _ connection: isolated PostgresConnection
    ) throws -> [RouterSignal] {
        try connection.query(query, [.text(stream), .int(k)]).rows.map { row in
            RouterSignal(
                k: try row.int("k"),
                router: try row.text("router"),
                environment: try row.text("environment"),
                services: try services(try row.bytes("body"))
            )
        }
    }

    /// What a migration's routers said of themselves last.
    package func reports(of stream: String) async throws -> [RouterReport] {
        try await guarded {
            try await pool.run { connection in
                try Self.reports(of: stream, connection)
            }
        }
    }

    /// A revision of an earlier incarnation says nothing about this one; one of an incarnation that the log does not know was lost.
    package static let reportsQuery = """
        select r.name, r.environment, r.seen_at,
            case when l.number is null or l.number = h.incarnation then r.revision end as revision,
            case when r.log_id is null then false when l.number is null then true
                else l.number = h.incarnation and coalesce(c.hash <> r.hash, false) end as is_forked
        from migrate.router r
        join migrate.stream s on s.stream = r.stream
        join migrate.commit h on h.stream = s.stream and h.version = s.version
        left join migrate.log l on l.log_id = r.log_id
        left join migrate.commit c on c.stream = r.stream and c.version = r.revision
        where r.stream = $1::text
        """

    private static func reports(of stream: String, _ connection: isolated PostgresConnection) throws -> [RouterReport] {
        try connection.query(reportsQuery, [.text(stream)]).rows.map { row in
            RouterReport(
                router: try row.text("name"),
                environment: try row.text("environment"),
                revision: try row.optionalInt("revision"),
                isForked: try row.bool("is_forked"),
                seenAt: Timestamp(rawValue: try row.microseconds("seen_at"))
            )
        }.sorted { $0.router < $1.router }
    }

    /// A router's measurements; what cannot be read is no measurement, and never health.
    private static func services(_ body: [UInt8]) throws -> [ServiceWindow] {
        let services = (try? JSONDecoder().decode([ServiceWindow].self, from: Data(body))) ?? []
        return services.allSatisfy { $0.legacy.isPlausible && $0.candidate.isPlausible } ? services : []
    }

    /// Performs a worker's command; the signals that it carries leave the table in the same transaction.
    package func perform(worker command: Command, on stream: Stream, by actor: String) async throws -> Performed? {
        let also: [PostgresStatement]
        switch command {
        case .sealWindow(let window):
            also = Self.taking(stream.name, k: window.k, routers: window.environments.flatMap(\.routers))
        // Its last word goes with it, or the next look would register it again.
        case .evictRouter(let router, _): also = [Self.forgetting(router: router, of: stream.name)]
        case .recordLate(let k, let router, _): also = Self.taking(stream.name, k: k, routers: [router])
        default: also = []
        }
        return try await perform(command, on: stream.name, by: actor, known: stream, also: also)
    }
}
