package import Foundation
import MigrationCore
import Postgres

extension MigrationLog {
    /// How many rows one transaction inserts.
    private static let importBatch = 500

    /// Puts a verified bundle into a log that has no commits yet, with the bundle's own IDs, times and hashes: a fixture to replay, explain and
    /// ask what-if of. Another bundle of the same log may follow, if it has the same keys and incarnations.
    ///
    /// - Parameter data: the bundle's bytes.
    /// - Returns: what it shows.
    /// - Throws: ``LogBundle/Broken``; a ``LogError`` for a log that has commits of another one, or this stream already.
    package func importBundle(_ data: Data) async throws -> LogBundle.Report {
        let (report, trust, rows) = try LogBundle.rows(of: data)
        do {
            try await pool.transact { connection in
                try Self.takeIncarnations(report.head.logs, connection)
                let known = try connection.query("select stream from migrate.stream").rows.map { try $0.text("stream") }
                guard !known.contains(report.head.stream) else {
                    throw LogError(
                        .damaged,
                        "the log has a migration “\(report.head.stream)” already",
                        mend: "import it into a database of its own"
                    )
                }
                let keys = try Self.trustRows(connection).map(\.hash)
                if keys.isEmpty {
                    try Self.insert(trust, of: TrustHistory.stream, connection)
                } else if !keys.starts(with: trust.map(\.hash)) {
                    throw LogError(
                        .damaged,
                        "the bundle goes by other keys than this log has, or by later ones",
                        mend: "import it into a database of its own, or the bundle with the latest keys first"
                    )
                }
                try Self.insert(rows, of: report.head.stream, connection)
                try Self.insert(report.texts, of: report.head.stream, connection)
            }
        } catch let error as PostgresError where error.code == .lost || error.code == .unreplicated {
            throw LogError(
                .unknownOutcome,
                "the connection broke: whether the bundle was imported is not known",
                mend:
                    "look: migrate list; if it is there: migrate replay \(report.head.stream) --projections --rebuild",
                cause: error
            )
        } catch let error as PostgresError {
            throw LogError(error)
        }
        _ = try await Rebuild(report.head.stream, of: self).run()
        return report
    }

    /// Appends rows of a stream as they stand; the caller has verified them.
    package func insert(_ rows: [CommitRow], of stream: String) async throws {
        for start in stride(from: 0, to: rows.count, by: Self.importBatch) {
            let batch = Array(rows[start..<min(rows.count, start + Self.importBatch)])
            try await guarded {
                try await pool.run { connection in
                    _ = try connection.pipeline(Self.insertions(batch, of: stream))
                }
            }
        }
    }

    private static func insert(_ rows: [CommitRow], of stream: String, _ connection: isolated PostgresConnection) throws
    {
        for start in stride(from: 0, to: rows.count, by: importBatch) {
            let batch = Array(rows[start..<min(rows.count, start + importBatch)])
            _ = try connection.pipeline(insertions(batch, of: stream))
        }
    }

    private static func insert(_ texts: Texts, of stream: String, _ connection: isolated PostgresConnection) throws {
        for text in texts.all.values {
            try connection.query(
                """
                insert into migrate.text (stream, token, salt, content, dropped_at)
                values ($1::text, $2::text, $3::bytea, $4::text, case when $4::text is null then clock_timestamp() end)
                """,
                keptValues(text, of: stream)
            )
        }
    }

    private static func insertions(_ rows: [CommitRow], of stream: String) -> [PostgresStatement] {
        var statements = [
            PostgresStatement(
                """
                insert into migrate.commit (stream, version, incarnation, command_id, actor, at, body, prev, hash)
                select $1::text, version, incarnation, id::uuid, actor, timestamptz 'epoch' + at * interval '1 microsecond',
                    body, prev, hash
                from unnest($2::bigint[], $3::bigint[], $4::text[], $5::text[], $6::bigint[], $7::bytea[], $8::bytea[], $9::bytea[])
                    as r (version, incarnation, id, actor, at, body, prev, hash)
                """,
                [
                    .text(stream), .ints(rows.map(\.version)), .ints(rows.map(\.incarnation)),
                    .texts(rows.map(\.commandID.uuidString)), .texts(rows.map(\.actor)),
                    .ints(rows.map(\.at.rawValue)), .byteArrays(rows.map(\.body)), .byteArrays(rows.map(\.prev)),
                    .byteArrays(rows.map(\.hash)),
                ]
            )
        ]
        guard let last = rows.last else { return [] }
        statements.append(
            PostgresStatement(
                """
                insert into migrate.stream (stream, version, head, at)
                values ($1::text, $2::bigint, $3::bytea, timestamptz 'epoch' + $4::bigint * interval '1 microsecond')
                on conflict (stream) do update set version = excluded.version, head = excluded.head, at = excluded.at
                """,
                [.text(stream), .int(last.version), .bytes(last.hash), .int(last.at.rawValue)]
            )
        )
        return statements
    }

    /// A log without commits takes the bundle's IDs in place of its own.
    private static func takeIncarnations(_ logs: [LogBundle.Log], _ connection: isolated PostgresConnection) throws {
        // Nobody is in the middle of an append, which would be of the log that was: it looks at commits before it asks for the log's ID.
        try connection.query("lock table migrate.commit in access exclusive mode")
        let own = try incarnations(connection)
        let isEmpty = try connection.query("select from migrate.commit limit 1").first == nil
        let isSame = logs.allSatisfy { own.id(of: $0.number)?.uuidString.lowercased() == $0.id }
        if isSame { return }
        guard isEmpty else {
            throw LogError(
                .damaged,
                "the database holds commits of another log",
                mend: "import it into a database without commits: migrate db install --database …"
            )
        }
        try connection.query("alter table migrate.log disable trigger append_only")
        try connection.query("delete from migrate.log")
        for log in logs {
            try connection.query(
                "insert into migrate.log (log_id, number) values ($1::uuid, $2::bigint)",
                [.text(log.id), .int(log.number)]
            )
        }
        try connection.query("alter table migrate.log enable trigger append_only")
    }
}
