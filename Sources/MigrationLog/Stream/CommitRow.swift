package import Foundation
package import MigrationCore
import Postgres

/// A commit as it stands in the database.
package struct CommitRow: Hashable, Sendable {
    package var version: Int64
    /// The number of the log's incarnation that it was appended in.
    package var incarnation: Int64
    package var commandID: UUID
    package var actor: String
    /// When the database appended it.
    package var at: Timestamp
    package var body: [UInt8]
    package var prev: [UInt8]
    package var hash: [UInt8]
    /// Its place in the order and its leaf in the tree, where it was read with them and has one.
    package var seal: Seal?

    package struct Seal: Hashable, Sendable {
        package var n: Int64
        package var leaf: [UInt8]
    }

    static let columns = "version, incarnation, command_id, actor, at, body, prev, hash"

    package init(
        version: Int64,
        incarnation: Int64,
        commandID: UUID,
        actor: String,
        at: Timestamp,
        body: [UInt8],
        prev: [UInt8],
        hash: [UInt8]
    ) {
        self.version = version
        self.incarnation = incarnation
        self.commandID = commandID
        self.actor = actor
        self.at = at
        self.body = body
        self.prev = prev
        self.hash = hash
    }

    init(_ row: PostgresRow) throws(PostgresError) {
        version = try row.int("version")
        incarnation = try row.int("incarnation")
        commandID = try row.uuid("command_id")
        actor = try row.text("actor")
        at = Timestamp(rawValue: try row.microseconds("at"))
        body = try row.bytes("body")
        prev = try row.bytes("prev")
        hash = try row.bytes("hash")
    }

    /// A row that was read with its seal.
    init(sealed row: PostgresRow) throws(PostgresError) {
        try self.init(row)
        if let n = try row.optionalInt("n") { seal = Seal(n: n, leaf: try row.bytes("leaf")) }
    }

    /// Checks that the row is the next of its stream and was not changed after it was written.
    ///
    /// - Parameters:
    ///   - log: the log's incarnations.
    ///   - stream: the stream's name.
    ///   - version: the version that must come next.
    ///   - prev: the hash of the row before; empty before the first.
    func verify(log: Incarnations, stream: String, version expected: Int64, prev head: [UInt8]) throws(LogError) {
        guard version == expected else {
            throw LogError(
                .damaged,
                "version \(expected) is missing: version \(version) stands in its place",
                version: expected
            )
        }
        guard prev == head else {
            throw LogError(
                .damaged,
                "version \(version) does not follow on the hash of version \(version - 1)",
                version: version
            )
        }
        guard let id = log.id(of: incarnation) else {
            throw LogError(
                .damaged,
                "version \(version) was appended in incarnation \(incarnation) of the log, which the log does not know",
                version: version
            )
        }
        guard CommitHash.hash(log: id, stream: stream, row: self) == hash else {
            throw LogError(
                .damaged,
                "version \(version): the row's bytes do not hash to the recorded hash: it was changed after it was written",
                version: version
            )
        }
    }
}

extension PostgresRow {
    func uuid(_ column: String) throws(PostgresError) -> UUID {
        let bytes = try bytes(column)
        guard bytes.count == 16 else { throw PostgresError(.unexpectedValue, "the column “\(column)” is not a UUID") }
        return bytes.withUnsafeBytes { UUID(uuid: $0.loadUnaligned(as: uuid_t.self)) }
    }
}
