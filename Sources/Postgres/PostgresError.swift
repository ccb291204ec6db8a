/// What went wrong between this program and PostgreSQL.
package struct PostgresError: Error, Hashable, Sendable {
    package enum Code: String, Hashable, Sendable {
        /// No server answered, or it refused the connection.
        case unreachable
        /// The server refused the user, the password or the database.
        case refused
        /// The connection broke while a statement was under way: its outcome is unknown.
        case lost
        /// The wait for a synchronous standby was given up: what was committed stands on this server, and perhaps on no other.
        case unreplicated
        /// The server answered with an error; `sqlState` says which.
        case statement
        /// The statement was cancelled from here.
        case cancelled
        /// The pool is closed, or gave no connection in time.
        case unavailable
        /// A value of an answer is not of the expected type.
        case unexpectedValue
        /// A private cluster could not be created, started or stopped.
        case cluster
    }

    package var code: Code
    package var message: String
    /// The five characters of the server's error, such as `23505`.
    package var sqlState: String?
    package var detail: String?
    package var hint: String?

    package init(_ code: Code, _ message: String, sqlState: String? = nil, detail: String? = nil, hint: String? = nil) {
        self.code = code
        self.message = message
        self.sqlState = sqlState
        self.detail = detail
        self.hint = hint
    }
}

extension PostgresError: CustomStringConvertible {
    package var description: String {
        [sqlState.map { "\(message) (SQLSTATE \($0))" } ?? message, detail, hint].compactMap { $0 }.joined(
            separator: "; "
        )
    }
}
