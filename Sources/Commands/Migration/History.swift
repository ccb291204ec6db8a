import ArgumentParser
import MigrationCore
import MigrationLog

struct History: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Tells every commit of a migration: when, whose, what was asked, what came of it.",
        discussion: "Example: migrate history recommendations --last 50"
    )
    @Argument(help: "The migration.") var migration: String
    @Option(help: "Only the last so many commits.") var last: Int?
    @Flag(help: "Leaves out windows and acknowledgements that changed nothing else.") var notable = false
    @OptionGroup var format: FormatOptions
    @OptionGroup var database: DatabaseOptions

    /// A commit for programs.
    struct Line: Encodable {
        var version: Int64
        var at: String
        var actor: String
        var request: String
        var outcome: String
        var command: Command
        var events: [Event]
    }

    func validate() throws {
        if let last, last < 1 { throw ValidationError("--last is a number from 1") }
    }

    func run() async throws {
        let access = try await LogAccess(database)
        let stream = try await Status.load(migration, access.log)
        var version = last.map { max(0, stream.state.version - Int64($0)) } ?? 0
        guard let plan = try await access.log.plan(of: migration, at: max(1, version)) else { return }
        let shadow = stream.state.shadow.flatMap { $0.since <= version ? $0.migration.plan : nil }
        var narrator = Narrator(plan: plan, shadow: shadow)
        let texts = try await access.log.texts(of: migration)
        var lines: [Line] = []
        while true {
            let rows = try await access.log.rows(migration, after: version)
            for row in rows {
                version = row.version
                let commit = try texts.tell(CommitCodec.decode(row.body, version: row.version, actor: row.actor))
                narrator.follow(commit)
                guard !notable || narrator.isNotable(commit) else { continue }
                if format.format == .json {
                    lines.append(
                        Line(
                            version: row.version,
                            at: LocalTime.utc(row.at),
                            actor: row.actor,
                            request: narrator.request(commit.command),
                            outcome: narrator.outcome(of: commit),
                            command: commit.command,
                            events: commit.events
                        )
                    )
                } else {
                    Output.line(HistoryText.line(commit, row.at, narrator))
                }
            }
            if rows.isEmpty { break }
        }
        if format.format == .json { try Output.json(lines) }
    }
}

/// One commit as a line.
enum HistoryText {
    static func line(_ commit: Commit, _ at: Timestamp, _ narrator: Narrator) -> String {
        let version = String(commit.version)
        let actor = commit.actor.hasPrefix("worker:") ? String(commit.actor.dropFirst(7)) : commit.actor
        return pad(version, 7, left: true) + "  " + LocalTime.clock(at) + "  " + pad(actor, 12, left: false) + "  "
            + narrator.line(commit)
    }

    private static func pad(_ text: String, _ width: Int, left: Bool) -> String {
        let padding = String(repeating: " ", count: max(0, width - text.count))
        return left ? padding + text : text + padding
    }
}
