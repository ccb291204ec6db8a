import Postgres

/// A plain insert of a commit's size with a notification, up to its arrival at a follower: what the database and the machine take of a change,
/// whatever is changed.
struct BareCommit: Sendable {
    private let connection: PostgresConnection
    private let follower: Follower
    private static let bodyLength = 900

    /// Makes a table for it in the log's database, and inserts once, which prepares the statements.
    init(_ stage: Stage) async throws {
        connection = try await PostgresConnection(stage.conninfo, name: "bare commits")
        follower = try await Follower("bare", on: stage)
        _ = try await connection.run { connection in
            try connection.query("create table bare (id bigint generated always as identity, body bytea)")
        }
        _ = try await time()
    }

    /// In microseconds.
    func time() async throws -> Int64 {
        try await follower.time {
            _ = try await connection.run { connection in
                try connection.pipeline([
                    PostgresStatement("begin"),
                    PostgresStatement(
                        "insert into bare (body) values ($1::bytea)",
                        [.bytes(Array(repeating: 7, count: Self.bodyLength))]
                    ),
                    PostgresStatement("select pg_notify('bare', '')"), PostgresStatement("commit"),
                ])
            }
        }
    }

    func close() async {
        await follower.close()
        await connection.close()
    }
}
