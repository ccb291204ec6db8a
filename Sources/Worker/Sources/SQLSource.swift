import Foundation
import MigrationCore
import Postgres

/// Asks a PostgreSQL by one query that only reads: `$1` is the environment, `$2` and `$3` the window's ends; it gives a row for each side with
/// `implementation`, `value` and `of`.
struct SQLSource: Sendable {
    let query: String
    /// The environment variable that holds the connection string: a password has no place in a plan.
    let database: String

    func read(_ environment: String, from start: Timestamp, to end: Timestamp, timeout: TimeSpan) async throws
        -> SourceAnswer
    {
        guard let conninfo = ProcessInfo.processInfo.environment[database], !conninfo.isEmpty else {
            throw SourceError(
                "the environment variable \(database), which holds the database's address, is not set here"
            )
        }
        let connection = try await PostgresConnection(conninfo, name: "migrate source")
        let result: Result<SourceAnswer, any Error>
        do {
            result = .success(try await ask(connection, environment, start, end, timeout))
        } catch {
            result = .failure(error)
        }
        await connection.close()
        return try result.get()
    }

    private func ask(
        _ connection: PostgresConnection,
        _ environment: String,
        _ start: Timestamp,
        _ end: Timestamp,
        _ timeout: TimeSpan
    ) async throws -> SourceAnswer {
        // Its columns may be of any number type; a parameter that the query does not use has a type all the same.
        let wrapped = """
            with given as (select $1::text, $2::timestamptz, $3::timestamptz)
            select implementation::text as implementation, value::float8::text as value, "of"::float8::text as samples
            from (\(query)
            ) answer, given
            """
        return try await connection.run { connection in
            try connection.query("begin read only")
            try connection.query("set local statement_timeout = \(max(1, timeout.rawValue / 1_000))")
            let rows = try connection.query(
                wrapped,
                [.text(environment), .text(Self.text(start)), .text(Self.text(end))]
            )
            try connection.query("rollback")
            var answer = SourceAnswer(candidate: nil, legacy: nil)
            for row in rows.rows {
                let side = try row.text("implementation")
                guard let value = try row.optionalText("value").flatMap({ Double($0) }),
                    let samples = try row.optionalText("samples").flatMap({ Double($0) })
                else { continue }
                switch Implementation(rawValue: side) {
                case .candidate? where answer.candidate == nil: answer.candidate = SourceSide(value: value, of: samples)
                case .legacy? where answer.legacy == nil: answer.legacy = SourceSide(value: value, of: samples)
                case _?: throw SourceError("the query gives more than one row for \(side)")
                case nil:
                    throw SourceError(
                        "the query gives a row for “\(side.prefix(40))”: implementation is legacy or candidate"
                    )
                }
            }
            return answer
        }
    }

    /// A moment as PostgreSQL reads it, to the microsecond.
    private static func text(_ moment: Timestamp) -> String {
        let (seconds, micros) = moment.rawValue.quotientAndRemainder(dividingBy: 1_000_000)
        let whole = Date(timeIntervalSince1970: Double(seconds)).ISO8601Format().dropLast()
        return "\(whole).\(String(1_000_000 + micros).dropFirst())Z"
    }
}
