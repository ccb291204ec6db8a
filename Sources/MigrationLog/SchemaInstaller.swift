import Crypto
import Foundation
package import Postgres
import Schema

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

    package init(pool: PostgresPool) { self.pool = pool }

    package static var newest: Int64 { Schema.files.map(\.number).max() ?? 0 }

    package func status() async throws -> Status {
        do {
            return try await pool.run { connection in try Self.status(connection) }
        } catch let error as PostgresError {
            throw LogError(error)
        }
    }

    /// Installs what is missing, in one transaction; several at once wait for one another.
    ///
    /// - Returns: the numbers that were installed now.
    /// - Throws: ``LogError/Code/schema`` for a newer or an edited one, which is left as it is.
    package func install() async throws -> [Int64] {
        do {
            return try await pool.transact { connection in
                try connection.query("select pg_advisory_xact_lock(hashtextextended('migrate schema', 0))")
                let status = try Self.status(connection)
                let installed: Int64
                switch status {
                case .current: return []
                case .newer, .edited: throw Self.error(for: status)
                case .absent:
                    installed = 0
                    try connection.script(Self.ledger)
                case .behind(let number): installed = number
                }
                let waiting = Schema.files.filter { $0.number > installed }
                for file in waiting {
                    try connection.script(file.sql)
                    try connection.query(
                        "insert into migrate.schema_version (number, name, checksum) values ($1::bigint, $2::text, $3::bytea)",
                        [.int(file.number), .text(file.name), .bytes(Self.checksum(file))]
                    )
                }
                return waiting.map(\.number)
            }
        } catch let error as PostgresError {
            throw LogError(error)
        }
    }

    /// Throws unless the database has exactly this release's schema.
    package func requireCurrent() async throws {
        let status = try await status()
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

    private static func status(_ connection: isolated PostgresConnection) throws(PostgresError) -> Status {
        let table = try connection.query("select to_regclass('migrate.schema_version') is not null as found").first
        guard try table?.bool("found") == true else { return .absent }
        let rows = try connection.query("select number, checksum from migrate.schema_version order by number").rows
        guard let last = rows.last else { return .absent }
        for row in rows {
            let number = try row.int("number")
            guard let file = Schema.files.first(where: { $0.number == number }) else {
                return .newer(at: try last.int("number"))
            }
            guard try row.bytes("checksum") == checksum(file) else { return .edited(number: number) }
        }
        let number = try last.int("number")
        return number < newest ? .behind(at: number) : .current(at: number)
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
