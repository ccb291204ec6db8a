import ArgumentParser
import Foundation
import MigrationCore
import MigrationLog
import PlanFile
import Postgres
import Routing

/// An error as people see it: what happened, how to mend it, and the exit code.
package struct Failure: Error {
    package enum Code: Int32, Sendable {
        case failed = 1
        case usage = 2
        case refused = 3
        case database = 4
    }

    package let code: Code
    package let message: String
    package let mend: String?

    package init(_ code: Code, _ message: String, mend: String? = nil) {
        self.code = code
        self.message = message
        self.mend = mend
    }

    /// Any error in these terms; nil for what the argument parser says itself.
    init?(_ error: any Error) {
        switch error {
        case let failure as Failure: self = failure
        case let refusal as Refusal: self.init(.refused, "refused: \(refusal.message)", mend: refusal.mend)
        case let error as PlanError: self.init(.failed, error.description)
        case let error as LogError:
            self.init(
                error.code == .damaged || error.code == .commandReused ? .failed : .database,
                error.message,
                mend: error.mend
            )
        case let error as PostgresError: self.init(.database, error.message, mend: error.hint ?? error.detail)
        case let error as RoutingError: self.init(.failed, error.message, mend: error.mend)
        default: return nil
        }
    }

    /// Prints the error and ends the program.
    static func end(_ error: any Error) -> Never {
        if let failure = Failure(error) {
            Output.error("migrate: \(failure.message)")
            if let mend = failure.mend { Output.error("  \(mend)") }
            exit(failure.code.rawValue)
        }
        let code = Migrate.exitCode(for: error)
        let message = Migrate.fullMessage(for: error)
        if code == .success {
            Output.line(message)
            exit(0)
        }
        if !message.isEmpty { Output.error(message) }
        exit(
            code == .validationFailure ? Code.usage.rawValue : error is ExitCode ? code.rawValue : Code.failed.rawValue
        )
    }
}
