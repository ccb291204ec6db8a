import MigrationCore
import Postgres

/// Holds a migration's projections against the fold of its commits, and writes them anew.
package struct Rebuild: Sendable {
    /// A row that is not the fold's.
    package struct Difference: Hashable, Sendable {
        /// Its table and key, such as `traffic/production/search`.
        package var row: String
        /// What the table and the fold have; nil for no row.
        package var recorded: String?
        package var folded: String?
        /// The version of the recorded row.
        var version: Int64?
    }

    private let stream: String
    private let log: MigrationLog

    package init(_ stream: String, of log: MigrationLog) {
        self.stream = stream
        self.log = log
    }

    /// Every row that is not the fold's, with the version that each last changed at.
    package func differences() async throws -> [Difference] {
        let (folded, loaded) = try await fold()
        return try await Self.differences(stream, folded, upTo: loaded.state.version, log)
    }

    /// The first row whose values are not those of the state; reads no more than a worker does.
    package func firstDifference() async throws -> String? {
        let state = try await log.load(stream).state
        let folded = Projections(of: state).rows.mapValues(\.row)
        let found = try await Self.tables(stream, log)
        let late = found.head > state.version
        let key = Set(folded.keys).union(found.rows.keys).sorted { Self.name($0) < Self.name($1) }
            .first { folded[$0] != found.rows[$0]?.row }
        return late ? nil : key.map(Self.name)
    }

    /// Writes every row anew from the commits, and the snapshot where there is one. Readers see the old rows until all new ones are there, and never a half: they are put in place
    /// in one transaction, in which appends to this stream wait for what was appended since the fold.
    ///
    /// - Returns: how many rows there are now.
    package func run() async throws -> Int {
        let (projections, loaded) = try await fold()
        return try await log.guarded {
            try await log.pool.transact { [stream] connection in
                try connection.query("select pg_advisory_xact_lock(hashtextextended($1::text, 0))", [.text(stream)])
                var (projections, loaded) = (projections, loaded)
                loaded.log = try MigrationLog.incarnations(connection)
                for row in try MigrationLog.rows(stream, after: loaded.state.version, limit: 1_000_000, connection) {
                    try loaded.fold(row)
                    _ = projections.advance(to: loaded.state)
                }
                for table in ProjectionTable.allCases {
                    try connection.query(
                        "delete from migrate.\(table.rawValue) where stream = $1::text",
                        [.text(stream)]
                    )
                }
                for entry in projections.rows.values {
                    try connection.query(
                        entry.row.table.upsert(1),
                        [.text(stream), .int(entry.version)] + entry.row.values
                    )
                }
                try connection.query(
                    "update migrate.snapshot set version = $2::bigint, head = $3::bytea, body = $4::bytea where stream = $1::text",
                    [
                        .text(stream), .int(loaded.state.version), .bytes(loaded.head),
                        .bytes(try Snapshot.body(loaded.state)),
                    ]
                )
                return projections.rows.count
            }
        }
    }

    /// Folds the whole stream, each commit verified.
    private func fold() async throws -> (Projections, MigrationLog.Stream) {
        var projections = Projections()
        var loaded = MigrationLog.Stream(
            log: try await log.incarnations(),
            name: stream,
            now: Timestamp(rawValue: 0),
            state: .initial,
            head: [],
            incarnation: 0
        )
        while true {
            let page = try await log.rows(stream, after: loaded.state.version)
            for row in page {
                if loaded.log.id(of: row.incarnation) == nil { loaded.log = try await log.incarnations() }
                try loaded.fold(row)
                _ = projections.advance(to: loaded.state)
            }
            if page.isEmpty { return (projections, loaded) }
        }
    }

    // MARK: - Comparing

    /// The rows that are not a fold's; what somebody has appended since the fold is no difference.
    static func differences(_ stream: String, _ projections: Projections, upTo version: Int64, _ log: MigrationLog)
        async throws -> [Difference]
    {
        let found = try await tables(stream, log)
        let expected = projections.rows
        return Set(expected.keys).union(found.rows.keys).sorted { name($0) < name($1) }.compactMap { key in
            guard expected[key] != found.rows[key] else { return nil }
            if let changed = found.rows[key]?.version, changed > version, changed <= found.head { return nil }
            // Nor is one that it has taken away.
            if found.rows[key] == nil, found.head > version { return nil }
            return Difference(
                row: name(key),
                recorded: found.rows[key].map(words),
                folded: expected[key].map(words),
                version: found.rows[key]?.version
            )
        }
    }

    private static func tables(_ stream: String, _ log: MigrationLog) async throws -> (
        rows: [[PostgresValue]: Projections.Entry], head: Int64
    ) {
        try await log.guarded {
            try await log.pool.run { connection in
                var found: [[PostgresValue]: Projections.Entry] = [:]
                for table in ProjectionTable.allCases {
                    for raw in try connection.query(table.select, [.text(stream)]).rows {
                        let row = try table.read(raw)
                        found[[.text(table.rawValue)] + row.key] = Projections.Entry(
                            row: row,
                            version: try raw.int("version")
                        )
                    }
                }
                let head = try connection.query(
                    "select version from migrate.stream where stream = $1::text",
                    [.text(stream)]
                ).first?.int("version")
                return (found, head ?? 0)
            }
        }
    }

    private static func name(_ key: [PostgresValue]) -> String { key.map(word).joined(separator: "/") }

    private static func words(_ entry: Projections.Entry) -> String {
        "version \(entry.version): \(entry.row.values.map(word).joined(separator: ", "))"
    }

    private static func word(_ value: PostgresValue) -> String {
        switch value {
        case .null: "–"
        case .text(let text): text
        case .int(let number): String(number)
        case .bool(let bool): String(bool)
        case .bytes(let bytes): Hex.text(bytes)
        case .ints, .texts, .byteArrays: "…"
        }
    }
}
