package import Foundation
package import MigrationCore
import Postgres
import TimeLimits

extension MigrationLog {
    /// The keys of the log and their history, verified.
    package func trustHistory() async throws -> TrustHistory {
        try await guarded {
            try await pool.run { connection in try Self.trust(connection).history }
        }
    }

    static func trust(_ connection: isolated PostgresConnection) throws -> TrustVerifier {
        let head = try connection.query(
            "select version, head from migrate.stream where stream = $1::text",
            [.text(TrustHistory.stream)]
        ).first
        var verifier = TrustVerifier(log: try incarnations(connection))
        let rows = try trustRows(connection)
        for row in rows { try verifier.admit(row) }
        // Somebody may have changed them since; who took the last change away has not changed the head with it.
        let version = try head?.int("version") ?? 0, hash = try head?.bytes("head")
        if head == nil ? !rows.isEmpty : rows.first(where: { $0.version == version })?.hash != hash {
            throw LogError(
                .damaged,
                "the keys of the log are at version \(version) by their head, and version \(verifier.history.latest.version) is what is there",
                mend: "find out who changed them: migrate keys list"
            )
        }
        return verifier
    }

    /// The rows of the keys' stream with their seals.
    package func trustRows() async throws -> [CommitRow] {
        try await guarded {
            try await pool.run { connection in try Self.trustRows(connection) }
        }
    }

    static func trustRows(_ connection: isolated PostgresConnection) throws -> [CommitRow] {
        try connection.query(
            "select \(CommitRow.columns), n, leaf from migrate.commit left join migrate.seal using (id) where stream = $1::text order by version",
            [.text(TrustHistory.stream)]
        ).rows.map { try CommitRow(sealed: $0) }
    }

    /// Changes the keys of the log.
    ///
    /// - Parameters:
    ///   - key: what the command is signed with.
    ///   - id: the command's own ID.
    /// - Returns: the keys after it; nil when it changed nothing.
    /// - Throws: a `Refusal`; a ``LogError``.
    package func perform(_ command: TrustCommand, by actor: String, key: SigningKey?, id: UUID = UUID()) async throws
        -> TrustState?
    {
        do {
            return try await limited { connection in
                try connection.transact { connection in
                    let trust = try Self.trust(connection)
                    let state = trust.history.latest
                    guard let row = try connection.query("select clock_timestamp() as now").first else {
                        throw PostgresError(.unavailable, "the database does not say its time")
                    }
                    let decidedAt = Timestamp(rawValue: try row.microseconds("now"))
                    let events = try state.decide(command, by: actor, signer: key?.publicKey.id)
                    guard !events.isEmpty else { return nil }
                    guard let log = try Self.incarnations(connection).id(of: trust.current) else {
                        throw LogError(.damaged, "the log does not know its incarnation \(trust.current)")
                    }
                    let signed = try key.map {
                        try Signed.sign(
                            Array(CommitCodec.canonical(command)),
                            with: $0,
                            log: log,
                            stream: TrustHistory.stream,
                            seen: state.version,
                            actor: actor,
                            expires: decidedAt + Self.signatureLife,
                            id: id
                        )
                    }
                    let body = CommitCodec.TrustBody(
                        command: command,
                        decidedAt: decidedAt,
                        events: events,
                        signed: signed
                    )
                    let statement = Self.appendStatement(
                        TrustHistory.stream,
                        state.version,
                        trust.head,
                        id,
                        actor,
                        try CommitCodec.encode(body),
                        begins: false
                    )
                    try connection.query(statement.sql, statement.parameters)
                    return state.folding(events)
                }
            }
        } catch let error as PostgresError where error.code == .lost || error.code == .unreplicated {
            throw LogError(
                .unknownOutcome,
                "the connection broke: whether the keys were changed is not known",
                mend: "look, before you send it again: migrate keys list",
                cause: error
            )
        } catch let error as PostgresError where error.code == .cancelled && !Task.isCancelled {
            throw LogError(
                .contended,
                "the database did not answer within \(patience), and nothing was appended",
                mend: "see who is in the way: migrate doctor",
                cause: error
            )
        } catch let error as PostgresError {
            throw LogError(error)
        }
    }

    /// For how long what is signed here and now may be appended.
    static let signatureLife = TimeSpan.minutes(5)
}
