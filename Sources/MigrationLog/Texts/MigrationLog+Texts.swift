package import Foundation
import MigrationCore
import Postgres

extension MigrationLog {
    /// The texts of a stream's commands.
    package func texts(of stream: String) async throws -> Texts {
        try await guarded {
            try await pool.run { connection in try Self.texts(of: stream, nil, connection) }
        }
    }

    /// - Parameter tokens: only these.
    static func texts(of stream: String, _ tokens: [String]?, _ connection: isolated PostgresConnection) throws -> Texts
    {
        let query = "select token, salt, content from migrate.text where stream = $1::text"
        let rows =
            if let tokens {
                try connection.query(query + " and token = any($2::text[])", [.text(stream), .texts(tokens)])
            } else {
                try connection.query(query, [.text(stream)])
            }
        return Texts(
            try rows.rows.map { row in
                KeptText(
                    token: try row.text("token"),
                    salt: try row.optionalBytes("salt"),
                    content: try row.optionalText("content")
                )
            }
        )
    }

    static func keeping(_ texts: [KeptText], of stream: String) -> [PostgresStatement] {
        texts.map { text in
            PostgresStatement(
                "select migrate.keep_text($1::text, $2::text, $3::bytea, $4::text)",
                keptValues(text, of: stream)
            )
        }
    }

    /// Stream, token, salt and content.
    static func keptValues(_ text: KeptText, of stream: String) -> [PostgresValue] {
        [
            .text(stream), .text(text.token), text.salt.map { .bytes($0) } ?? .null,
            text.content.map { .text($0) } ?? .null,
        ]
    }

    /// Drops what people wrote, and checks printed, in commits of a migration: who, when and what was decided stay, and every hash with them.
    ///
    /// - Parameters:
    ///   - versions: the commits.
    ///   - reason: why; it is a text of its own.
    /// - Returns: the commit that says so, and how many texts it dropped; nil when they had none.
    package func redact(
        _ versions: [Int64],
        of stream: String,
        reason: String,
        by actor: String,
        id: UUID = UUID(),
        key: SigningKey? = nil
    ) async throws -> (performed: Performed, count: Int)? {
        let tokens = try await guarded {
            try await pool.run { connection in
                try connection.query(
                    "select \(CommitRow.columns) from migrate.commit where stream = $1::text and version = any($2::bigint[])",
                    [.text(stream), .ints(versions)]
                ).rows.flatMap { row -> [String] in
                    let row = try CommitRow(row)
                    let format = try CommitCodec.body(row.body, version: row.version).format
                    guard CommitFormat.hasTexts(format, by: row.actor) else { return [] }
                    return try CommitCodec.decode(row.body, version: row.version, actor: row.actor).command.texts
                }.filter { KeptText.isToken($0) }
            }
        }
        guard !tokens.isEmpty else { return nil }
        let performed = try await perform(
            .redact(texts: tokens, reason: reason),
            on: stream,
            by: actor,
            id: id,
            key: key,
            // What the commit says, and nothing where it was refused.
            also: [PostgresStatement("select migrate.drop_redacted($1::text)", [.text(stream)])]
        )
        return performed.map { ($0, tokens.count) }
    }
}
