import Foundation
package import MigrationCore
package import Postgres

/// The log of migrations in one database: appending, reading, and what workers and routers keep beside it.
package struct MigrationLog: Sendable {
    package let pool: PostgresPool
    /// How long the database may take for one append, its commit and its standby included.
    let patience: Duration

    /// - Parameters:
    ///   - pool: connections of a user with the role `migrate_append`, or its owner's.
    ///   - patience: how long the database may take for one append, its commit and its standby included.
    package init(pool: PostgresPool, patience: Duration = .seconds(15)) {
        self.pool = pool
        self.patience = patience
    }

    /// A stream as it stands, and the database's time at that moment.
    package struct Stream: Sendable {
        package var log: Incarnations
        package var name: String
        package var now: Timestamp
        package var state: MigrationState
        /// The hash of the last commit; empty before the first.
        package var head: [UInt8]
        /// The incarnation of the log that the last commit was appended in; 0 before the first.
        package var incarnation: Int64
        /// How many commits were folded since the snapshot that it was read from, or was kept with one of them.
        package internal(set) var folded: Int64 = 0
        /// When it was read, by this machine's own clock.
        var readAt = ContinuousClock.Instant.now

        package init(
            log: Incarnations,
            name: String,
            now: Timestamp,
            state: MigrationState,
            head: [UInt8],
            incarnation: Int64
        ) {
            self.log = log
            self.name = name
            self.now = now
            self.state = state
            self.head = head
            self.incarnation = incarnation
        }
    }

    /// After how many commits another snapshot is kept.
    static let snapshotEvery: Int64 = 256

    /// Reads a stream: from its snapshot, then commit by commit, each verified against its hash and its predecessor.
    ///
    /// - Parameter from: a state read earlier, to read on from.
    /// - Throws: ``LogError/Code/damaged`` with the first bad version.
    package func load(_ stream: String, from known: Stream? = nil) async throws -> Stream {
        try await guarded {
            try await pool.run { connection in try Self.load(stream, from: known, on: connection) }
        }
    }

    static func load(_ stream: String, from known: Stream?, on connection: isolated PostgresConnection) throws -> Stream
    {
        if let known, let loaded = try readOn(from: known, connection) { return loaded }
        var loaded = Stream(
            log: try incarnations(connection),
            name: stream,
            now: .init(rawValue: 0),
            state: .initial,
            head: [],
            incarnation: 0
        )
        if let snapshot = try snapshot(stream, connection) {
            loaded.state = snapshot.state
            loaded.head = snapshot.head
            loaded.incarnation = snapshot.incarnation
        }
        try readRest(of: &loaded, connection)
        let read = loaded.state.version
        let end = try end(of: stream, connection)
        // Somebody may have appended meanwhile.
        if end.version > read { try readRest(of: &loaded, connection) }
        let isWhole =
            end.version == read ? end.head == loaded.head : end.version > read && loaded.state.version >= end.version
        guard isWhole else {
            throw LogError(
                .damaged,
                "the last commit of \(stream) is version \(end.version) by its head, and version \(loaded.state.version) is what is there",
                mend: "find out who changed it: migrate replay"
            )
        }
        loaded.now = max(loaded.state.decidedAt, end.now)
        return loaded
    }

    /// Reads the commits that come after a state.
    private static func readRest(of loaded: inout Stream, _ connection: isolated PostgresConnection) throws {
        while true {
            let page = try connection.query(
                """
                select \(CommitRow.columns) from migrate.commit where stream = $1::text and version > $2::bigint
                order by version limit 1000
                """,
                [.text(loaded.name), .int(loaded.state.version)]
            )
            for row in page.rows {
                let row = try CommitRow(row)
                // Somebody may have begun one since the stream was read.
                if loaded.log.id(of: row.incarnation) == nil { loaded.log = try incarnations(connection) }
                try loaded.fold(row)
            }
            if page.rows.count < 1000 { return }
        }
    }

    /// What a stream's last commit is by its head, and the database's time.
    private static func end(
        of stream: String,
        _ connection: isolated PostgresConnection
    ) throws -> (version: Int64, head: [UInt8], now: Timestamp) {
        let row = try connection.query(
            """
            select clock_timestamp() as now, s.version, s.head from (select) as always
            left join migrate.stream s on s.stream = $1::text
            """,
            [.text(stream)]
        ).first
        return (
            try row?.optionalInt("version") ?? 0, try row?.optionalBytes("head") ?? [],
            Timestamp(rawValue: try row?.microseconds("now") ?? 0)
        )
    }

    /// The stream after what was read earlier, and the database's time, in one round trip.
    ///
    /// - Returns: nil when it has to be read from the beginning: a failover may have lost what was read, and gone another way to the same
    ///   version; or there is too much of it.
    private static func readOn(from known: Stream, _ connection: isolated PostgresConnection) throws -> Stream? {
        guard known.state.version > 0 else { return nil }
        let page = try connection.query(readOnQuery, [.text(known.name), .int(known.state.version)]).rows
        guard let first = page.first, try first.int("version") == known.state.version,
            try first.bytes("hash") == known.head, page.count < 1000, let last = page.last
        else { return nil }
        var loaded = known
        for row in page.dropFirst() {
            let row = try CommitRow(row)
            if loaded.log.id(of: row.incarnation) == nil { loaded.log = try incarnations(connection) }
            try loaded.fold(row)
        }
        loaded.now = max(loaded.state.decidedAt, Timestamp(rawValue: try last.microseconds("now")))
        loaded.readAt = .now
        return loaded
    }

    /// The row that is known already comes without its body.
    package static let readOnQuery = """
        select version, incarnation, command_id, actor, at, case when version > $2::bigint then body else '' end as body,
            prev, hash, clock_timestamp() as now
        from migrate.commit where stream = $1::text and version >= $2::bigint order by version limit 1000
        """

    /// Only a snapshot that stands beside its commit: a failover may have lost that.
    package static let snapshotQuery = """
        select s.version, s.head, s.body, c.incarnation from migrate.snapshot s
        join migrate.commit c on c.stream = s.stream and c.version = s.version and c.hash = s.head
        where s.stream = $1::text
        """

    private static func snapshot(
        _ stream: String,
        _ connection: isolated PostgresConnection
    ) throws -> (state: MigrationState, head: [UInt8], incarnation: Int64)? {
        let row = try connection.query(snapshotQuery, [.text(stream)]).first
        guard let row, let state = try Snapshot.state(row.bytes("body"), at: row.int("version")) else { return nil }
        return (state, try row.bytes("head"), try row.int("incarnation"))
    }

    /// The names of all migrations.
    package func streams() async throws -> [String] {
        try await guarded {
            try await pool.run { connection in
                try connection.query("select stream from migrate.stream where stream <> '@trust' order by stream").rows
                    .map {
                        try $0.text("stream")
                    }
            }
        }
    }

    /// The migrations and how many commits each has, the longest first.
    package func heads() async throws -> [(name: String, version: Int64)] {
        try await guarded {
            try await pool.run { connection in
                try connection.query(
                    "select stream, version from migrate.stream where stream <> '@trust' order by version desc, stream"
                ).rows.map { (try $0.text("stream"), try $0.int("version")) }
            }
        }
    }

    /// The plan that was in force at a version.
    ///
    /// - Returns: nil before the first.
    package func plan(of stream: String, at version: Int64) async throws -> Plan? {
        try await guarded {
            try await pool.run { connection in
                // A body's keys are sorted, so it begins with its command.
                let rows = try connection.query(
                    """
                    select \(CommitRow.columns) from migrate.commit where stream = $1::text and version <= $2::bigint
                    and (version = 1 or convert_from(body, 'UTF8') like '{"command":{"amend":%')
                    order by version desc
                    """,
                    [.text(stream), .int(version)]
                ).rows
                for row in rows {
                    let row = try CommitRow(row)
                    for event in try CommitCodec.decode(row.body, version: row.version, actor: row.actor).events {
                        switch event {
                        case .planned(let plan, _): return plan
                        case .planAmended(let amendment): return amendment.plan
                        default: break
                        }
                    }
                }
                return nil
            }
        }
    }

    /// Reads a stream's rows with their seals in pages, without folding them; for those who verify everything themselves.
    ///
    /// - Returns: at most 1000 rows after `version`.
    package func rows(_ stream: String, after version: Int64) async throws -> [CommitRow] {
        try await guarded {
            try await pool.run { connection in
                try Self.rows(stream, after: version, limit: 1000, connection)
            }
        }
    }

    package static let rowsQuery = """
        select \(CommitRow.columns), n, leaf from migrate.commit left join migrate.seal using (id)
        where stream = $1::text and version > $2::bigint order by version limit $3::bigint
        """

    static func rows(_ stream: String, after version: Int64, limit: Int64, _ connection: isolated PostgresConnection)
        throws -> [CommitRow]
    {
        try connection.query(rowsQuery, [.text(stream), .int(version), .int(limit)]).rows.map {
            try CommitRow(sealed: $0)
        }
    }

    /// Puts every error of the database in the log's words.
    @discardableResult
    func guarded<R: Sendable>(_ body: () async throws -> R) async throws -> R {
        do {
            return try await body()
        } catch let error as PostgresError {
            throw LogError(error)
        }
    }
}

extension MigrationLog.Stream {
    /// Verifies one more row and folds it.
    mutating func fold(_ row: CommitRow) throws {
        try row.verify(log: log, stream: name, version: state.version + 1, prev: head)
        let commit = try CommitCodec.decode(row.body, version: row.version, actor: row.actor)
        do {
            state = try state.folding(commit)
        } catch {
            throw LogError(.damaged, error.message, version: error.version)
        }
        head = row.hash
        incarnation = row.incarnation
        folded += 1
    }
}
