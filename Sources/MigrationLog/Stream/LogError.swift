package import Postgres

/// What went wrong with the log.
package struct LogError: Error, Sendable {
    package enum Code: String, Hashable, Sendable {
        /// The database cannot be reached, or broke off; nothing is known to have been written.
        case database
        /// The connection broke during a commit, and the outcome could not be found out in time.
        case unknownOutcome
        /// Somebody else has appended meanwhile, again and again.
        case contended
        /// The command ID was used for another command.
        case commandReused
        /// The bytes of a commit do not hash to its hash, do not follow on the one before, or cannot be folded.
        case damaged
        /// The database has no schema, an older, a newer or an edited one.
        case schema
        /// The login lacks a role for that.
        case forbidden
        /// The log has no such stream.
        case unknownStream
    }

    package var code: Code
    package var message: String
    package var mend: String?
    package var cause: PostgresError?
    /// The first version that is wrong, where one is.
    package var version: Int64?

    package init(
        _ code: Code,
        _ message: String,
        mend: String? = nil,
        cause: PostgresError? = nil,
        version: Int64? = nil
    ) {
        self.code = code
        self.message = message
        self.mend = mend
        self.cause = cause
        self.version = version
    }
}

extension LogError {
    /// The SQLSTATEs of `schema/`, each a failure of its own.
    enum State {
        static let staleVersion = "MG001"
        static let commandReused = "MG002"
        static let damagedHead = "MG006"
        static let repeated = "MG008"
        static let sealedInverted = "MG009"
        static let forbidden = "42501"
        static let undefinedTable = "42P01"
        static let undefinedFunction = "42883"
        static let undefinedSchema = "3F000"
    }

    /// An error of the database in the log's words.
    init(_ error: PostgresError) {
        switch error.sqlState {
        case State.undefinedTable, State.undefinedFunction, State.undefinedSchema:
            self.init(
                .schema,
                "the database has no schema of migrate",
                mend: "install it: migrate db install",
                cause: error
            )
        case State.commandReused: self.init(.commandReused, error.message, cause: error)
        case State.damagedHead:
            self.init(.damaged, error.message, mend: "find out who changed it: migrate replay", cause: error)
        case State.forbidden:
            self.init(
                .forbidden,
                error.description,
                mend:
                    "give this login the role: migrate_append appends, migrate_sign keeps checkpoints, migrate_redact redacts",
                cause: error
            )
        default: self.init(.database, error.description, cause: error)
        }
    }
}
