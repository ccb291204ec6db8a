import ArgumentParser
import MigrationCore
import MigrationLog

struct RedactCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "redact",
        abstract: "Drops what people wrote in commits, for a person's sake; no hash changes.",
        discussion: """
            The log keeps reasons and details apart from its commits, which have their hashes. This drops the content for good: who decided
            what, and when, stays, and every replay goes on. Exports and backups that were made before still have it.

            Example: migrate redact recommendations --version 41 --version 56 --reason "names a customer"
            """
    )
    @Argument(help: "The migration.") var migration: String
    @Option(help: "The commit whose texts are dropped; may be given more than once.") var version: [Int64]
    @Option(help: "Why; not the text again.") var reason: String
    @OptionGroup var options: OverrideOptions

    func validate() throws {
        if version.isEmpty || version.contains(where: { $0 < 1 }) {
            throw ValidationError("--version is a version from 1; migrate history names them")
        }
    }

    func run() async throws {
        let versions = version.map { "\($0)" }.joined(separator: ", ")
        try Overrides.confirm("Drop what was written in version \(versions) of \(migration), for good?", options)
        let access = try await LogAccess(options.database)
        let done = try await access.log.redact(
            version,
            of: migration,
            reason: reason,
            by: options.actorName,
            id: options.commandID,
            key: options.signingKey()
        )
        guard let done else {
            guard try await access.log.streams().contains(migration) else {
                throw await Overrides.unknown(migration, access.log)
            }
            throw Failure(
                .failed,
                "version \(versions) of \(migration) has no text that is kept apart",
                mend: "see what was written where: migrate history \(migration)"
            )
        }
        try Overrides.requireAccepted(done.performed)
        Output.line(
            "\(migration) version \(done.performed.commit.version): \(done.count) text\(done.count == 1 ? "" : "s") of version \(versions) dropped"
        )
    }
}
