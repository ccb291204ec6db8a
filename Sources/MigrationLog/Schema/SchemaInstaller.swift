import Crypto
import Foundation
package import Postgres
package import Schema

/// Brings a database's schema to this release's, file by file, and says which it has.
package struct SchemaInstaller: Sendable {
    /// What a database has of the schema.
    package enum Status: Hashable, Sendable {
        case absent
        /// Installed up to this number, and files after it are waiting.
        case behind(at: Int64)
        case current(at: Int64)
        /// A release after this one has installed it.
        case newer(at: Int64)
        /// The file of this number was not the one that was installed.
        case edited(number: Int64)
    }

    private let pool: PostgresPool
    private let files: [Schema.File]

    /// - Parameter files: a release's, in their order.
    package init(pool: PostgresPool, files: [Schema.File] = Schema.files) {
        self.pool = pool
        self.files = files
    }

    package static var newest: Int64 { newest(Schema.files) }

    private static func newest(_ files: [Schema.File]) -> Int64 { files.map(\.number).max() ?? 0 }

    package func status() async throws -> Status {
        do {
            return try await pool.run { [files] connection in try Self.status(files, connection) }
        } catch let error as PostgresError {
            throw LogError(error)
        }
    }

    /// How long an upgrade waits for a lock: appends that come meanwhile wait behind it.
    private static let lockTimeout = 500
    /// How often it tries again.
    private static let attempts = 120

    /// Installs what is missing, each file in a transaction of its own; several at once wait for one another. Interrupted, it has installed
    /// whole files, and goes on from there.
    ///
    /// - Returns: the numbers that were installed now.
    /// - Throws: ``LogError/Code/schema`` for a newer or an edited one, which is left as it is.
    package func install() async throws -> [Int64] {
        var installed: [Int64] = []
        var attempt = 0
        while true {
            do {
                guard let number = try await pool.transact({ [files] in try Self.installNext(files, $0) }) else {
                    return installed
                }
                installed.append(number)
            } catch let error as PostgresError
                where ["55P03", "40P01"].contains(error.sqlState) && attempt < Self.attempts
            {
                // Somebody reads or writes for long, or waits for us as we for him; those who came after us have their turn before we try again.
                attempt += 1
                try await Task.sleep(for: .milliseconds(500))
            } catch let error as PostgresError {
                throw LogError(error)
            }
        }
    }

    private static func installNext(_ files: [Schema.File], _ connection: isolated PostgresConnection) throws -> Int64?
    {
        try connection.query("select pg_advisory_xact_lock(hashtextextended('migrate schema', 0))")
        let installed: Int64
        switch try status(files, connection) {
        case .current: return nil
        case .newer(let number): throw error(for: .newer(at: number))
        case .edited(let number): throw error(for: .edited(number: number))
        case .absent:
            installed = 0
            try connection.script(ledger)
        case .behind(let number): installed = number
        }
        guard let file = files.first(where: { $0.number > installed }) else { return nil }
        try connection.query("set local lock_timeout = \(lockTimeout)")
        try connection.script(file.sql)
        try connection.query(
            "insert into migrate.schema_version (number, name, checksum) values ($1::bigint, $2::text, $3::bytea)",
            [.int(file.number), .text(file.name), .bytes(checksum(file))]
        )
        return file.number
    }

    /// Throws unless the database has exactly this release's schema.
    package func requireCurrent() async throws {
        let status = try await status()
        if case .current = status { return }
        throw Self.error(for: status)
    }

    /// The oldest schema whose log is read as this release's is: commits, keys, texts, the order and what is cold have looked the same since.
    package static let oldestReadable: Int64 = 6

    /// Throws unless the log can be read by this release, whoever installed its schema before.
    package func requireReadable() async throws {
        let status = try await status()
        if case .behind(let number) = status, number >= Self.oldestReadable { return }
        if case .current = status { return }
        throw Self.error(for: status)
    }

    private static let ledger = """
        create schema if not exists migrate;
        create table migrate.schema_version (
            number bigint primary key, name text not null, checksum bytea not null,
            installed_at timestamptz not null default clock_timestamp()
        );
        """

    private static func status(_ files: [Schema.File], _ connection: isolated PostgresConnection) throws(PostgresError)
        -> Status
    {
        let table = try connection.query("select to_regclass('migrate.schema_version') is not null as found").first
        guard try table?.bool("found") == true else { return .absent }
        let rows = try connection.query("select number, checksum from migrate.schema_version order by number").rows
        guard let last = rows.last else { return .absent }
        for row in rows {
            let number = try row.int("number")
            guard let file = files.first(where: { $0.number == number }) else {
                return .newer(at: try last.int("number"))
            }
            guard try row.bytes("checksum") == checksum(file) else { return .edited(number: number) }
        }
        let number = try last.int("number")
        return number < newest(files) ? .behind(at: number) : .current(at: number)
    }

    private static func checksum(_ file: Schema.File) -> [UInt8] { Array(SHA256.hash(data: file.bytes)) }

    private static func error(for status: Status) -> LogError {
        switch status {
        case .absent: LogError(.schema, "the database has no schema of migrate", mend: "install it: migrate db install")
        case .behind(let number):
            LogError(
                .schema,
                "the database has schema \(number), and this release needs \(newest)",
                mend: "upgrade it: migrate db install"
            )
        case .newer(let number):
            LogError(
                .schema,
                "the database has schema \(number), and this release knows \(newest)",
                mend: "use the release that installed it, or a later one"
            )
        case .edited(let number):
            LogError(
                .schema,
                "schema file \(number) of the database is not this release's",
                mend: "find out who edited it; a released file never changes"
            )
        case .current(let number): LogError(.schema, "the database has schema \(number)")
        }
    }
}
