import ArgumentParser
import MigrationCore
import MigrationLog

struct DatabaseArchive: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "archive",
        abstract:
            "Moves the commits of migrations that are over into the cold partition; every proof stays what it is.",
        discussion: """
            Replays, exports and checkpoints read them as before. The partition is the table migrate.commit_cold, which may lie in a
            tablespace of its own. It takes the owner of the schema. Commits that have no place in the order yet stay, and come with the next call.

            Examples:
              migrate db archive --older-than 90d
              migrate db archive recommendations
            """
    )
    @Argument(help: "The migrations; else all that are over, and older than --older-than.") var migrations: [String] =
        []
    @Option(help: "Only those whose last commit is older than this.") var olderThan: DurationArgument?
    @OptionGroup var database: DatabaseOptions

    func validate() throws {
        if migrations.isEmpty == (olderThan == nil) {
            throw ValidationError("name the migrations, or say how old they have to be: --older-than 90d")
        }
    }

    func run() async throws {
        let access = try await LogAccess(database)
        for name in migrations where try await !access.log.streams().contains(name) {
            throw await Overrides.unknown(name, access.log)
        }
        let finished = try await access.log.finished(olderThan: olderThan?.span ?? .zero)
        if let name = migrations.first(where: { name in !finished.contains(name) }) {
            throw Failure(.refused, "\(name) is not over", mend: "only one that is completed or abandoned is archived")
        }
        var total = 0
        for name in migrations.isEmpty ? finished : migrations {
            let moved = try await access.log.archive(name)
            total += moved
            if moved > 0 { Output.line("\(name): \(moved) commits moved") }
        }
        if total == 0 { Output.line("nothing to move") }
    }
}
