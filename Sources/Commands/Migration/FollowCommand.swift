import ArgumentParser
import Foundation
import MigrationCore
import MigrationLog

struct FollowCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "follow",
        abstract: "Prints the commits of the whole log as JSON lines, in their order, each exactly once.",
        discussion: """
            With --as it keeps its place in the database under that name, and goes on from there: a line that was printed before it was
            stopped may be printed again, none is left out.

            Examples:
              migrate follow --after 0
              migrate follow --as archive --wait >> archive.jsonl
            """
    )
    @Option(help: "The number after which to begin.") var after: Int64?
    @Option(help: "A name under which the place is kept.") var `as`: String?
    @Flag(help: "Waits for more at the end.") var wait = false
    @OptionGroup var database: DatabaseOptions

    func validate() throws {
        if after != nil, self.as != nil { throw ValidationError("give one of --after and --as") }
    }

    private struct Line: Encodable {
        var n: Int64
        var migration: String
        var version: Int64
        var id: String
        var actor: String
        var at: String
        var hash: String
        /// The command and its events, as the exact text that was hashed.
        var body: String
    }

    private static let pause = Duration.milliseconds(500)

    func run() async throws {
        let log = try await LogAccess(database).log
        let subscription = self.as.map { Subscription($0, of: log) }
        var place = try await subscription?.position() ?? after ?? 0
        while !Task.isCancelled {
            let commits = try await log.sealed(after: place)
            // In no transaction: whoever reads this may take his time, and an open one would hold the order back.
            for commit in commits { try Output.raw(Self.line(commit)) }
            if let last = commits.last {
                place = last.n
                try await subscription?.reach(place)
                continue
            }
            guard wait else { return }
            try await Task.sleep(for: Self.pause)
        }
    }

    private static func line(_ commit: SealedCommit) throws -> [UInt8] {
        let line = Line(
            n: commit.n,
            migration: commit.stream,
            version: commit.row.version,
            id: commit.row.commandID.uuidString.lowercased(),
            actor: commit.row.actor,
            at: LocalTime.utc(commit.row.at),
            hash: Hex.text(commit.row.hash),
            body: String(decoding: commit.row.body, as: UTF8.self)
        )
        return Array(try CommitCodec.canonical(line)) + [UInt8(ascii: "\n")]
    }
}
