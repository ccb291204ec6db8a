package import ArgumentParser
import Foundation
package import Logging
import MigrationCore
import MigrationLog
import PlanFile

/// Where the log is.
package struct DatabaseOptions: ParsableArguments {
    @Option(
        help: "A libpq connection string or URI; else MIGRATE_DATABASE_URL; else an embedded PostgreSQL of this user's."
    )
    package var database: String?

    package init() {}
}

/// How output is formatted.
enum OutputFormat: String, ExpressibleByArgument, CaseIterable { case text, json }

struct FormatOptions: ParsableArguments {
    @Option(help: "text for people, json for programs.")
    var format: OutputFormat = .text
}

/// Who gives a command, why, and under which ID.
struct OverrideOptions: ParsableArguments {
    @OptionGroup var database: DatabaseOptions

    @Option(help: "Who gives the command; else the system's user.")
    var actor: String?

    @Option(help: "The command's own ID (a UUID): sent twice, it is carried out once.")
    var id: String?

    @Option(help: "The file of the key that it is signed with; else MIGRATE_KEY.")
    var key: String?

    @Flag(help: "Answers yes where a terminal would be asked.")
    var yes = false

    func validate() throws {
        if let id, UUID(uuidString: id) == nil { throw ValidationError("“\(id)” is not a UUID") }
        if let actor, actor.isEmpty || actor.count > 100 || actor.hasPrefix("worker:") {
            throw ValidationError("an actor is a name of 1 to 100 characters that does not begin with “worker:”")
        }
    }

    var actorName: String { actor ?? NSUserName() }
    /// The key that the command is signed with; nil for none.
    func signingKey() throws -> SigningKey? { try (key ?? ProcessEnvironment.key).map(KeyFile.read) }

    var commandID: UUID { id.flatMap(UUID.init(uuidString:)) ?? UUID() }
}

/// A duration on the command line.
struct DurationArgument: ExpressibleByArgument {
    let span: TimeSpan

    init(seconds: Int64) { span = .seconds(seconds) }

    init?(argument: String) {
        guard let span = try? Quantity.duration(argument) else { return nil }
        self.span = span
    }

    var defaultValueDescription: String { span.description }
}

/// A weight on the command line.
struct WeightArgument: ExpressibleByArgument {
    let weight: Weight

    init?(argument: String) {
        guard let weight = try? Quantity.weight(argument) else { return nil }
        self.weight = weight
    }
}

/// `host:port` on the command line.
package struct ListenArgument: ExpressibleByArgument, Sendable {
    package let host: String
    package let port: Int

    package init?(argument: String) {
        let parts = argument.split(separator: ":")
        guard parts.count == 2, let port = Int(parts[1]), (0...65_535).contains(port), !parts[0].isEmpty else {
            return nil
        }
        host = String(parts[0])
        self.port = port
    }

    var address: Address { Address(host: host, port: port) }
}

/// What long-running commands write to standard error.
package enum Logs {
    package static func logger(_ label: String) -> Logger {
        let level = ProcessInfo.processInfo.environment["MIGRATE_LOG"].flatMap { Logger.Level(rawValue: $0) } ?? .info
        var logger = Logger(label: label) { StreamLogHandler.standardError(label: $0) }
        logger.logLevel = level
        return logger
    }
}
