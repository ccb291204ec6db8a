import ArgumentParser
import Foundation
import MigrationCore
import MigrationLog

struct Status: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Says what a migration is doing and what can be done about it; without a name, lists all.",
        discussion: "Example: migrate status recommendations --watch"
    )
    @Argument(help: "The migration; all without one.") var migration: String?
    @Flag(help: "Goes on showing it until it is over or Ctrl-C.") var watch = false
    @OptionGroup var format: FormatOptions
    @OptionGroup var database: DatabaseOptions

    func run() async throws {
        let access = try await LogAccess(database)
        guard let migration else { return try await list(access.log) }
        var stream = try await access.log.load(migration)
        guard stream.state.migration != nil else { throw await Overrides.unknown(migration, access.log) }
        try await show(stream, access.log)
        while watch, stream.state.migration.map({ !$0.phase.isOver }) ?? false {
            try await Task.sleep(for: .seconds(1))
            let next = try await access.log.load(migration, from: stream)
            let isNew = next.state.version != stream.state.version
            stream = next
            if isNew || Output.isTerminal { try await show(stream, access.log) }
        }
    }

    static func load(_ migration: String, _ log: MigrationLog) async throws -> MigrationLog.Stream {
        let stream = try await log.load(migration)
        guard stream.state.migration != nil else { throw await Overrides.unknown(migration, log) }
        return try await told(stream, log)
    }

    /// In people's words.
    private static func told(_ stream: MigrationLog.Stream, _ log: MigrationLog) async throws -> MigrationLog.Stream {
        var told = stream
        told.state = try await log.texts(of: stream.name).tell(stream.state)
        return told
    }

    private func show(_ stream: MigrationLog.Stream, _ log: MigrationLog) async throws {
        let stream = try await Self.told(stream, log)
        guard let migration = stream.state.migration else { return }
        switch format.format {
        case .json: try Output.json(StatusReport(migration, stream))
        case .text:
            let text = StatusText.lines(migration, stream).joined(separator: "\n")
            // Home, then the text with each line's rest cleared, then everything below: no flicker, and the last screen stays.
            let isLive = watch && Output.isTerminal
            try Output.raw(
                isLive ? "\u{1B}[H" + text.replacing("\n", with: "\u{1B}[K\n") + "\u{1B}[K\n\u{1B}[J" : text + "\n"
            )
        }
    }

    private func list(_ log: MigrationLog) async throws {
        var found: [(Migration, MigrationLog.Stream)] = []
        for name in try await log.streams() {
            let stream = try await Self.told(log.load(name), log)
            if let migration = stream.state.migration { found.append((migration, stream)) }
        }
        found.sort { StatusText.needsPerson($0.0) && !StatusText.needsPerson($1.0) }
        switch format.format {
        case .json: try Output.json(found.map { StatusReport($0, $1) })
        case .text:
            var table = TextTable([.left, .left, .left])
            for (migration, stream) in found { table.add(StatusText.summary(migration, stream)) }
            for line in table.lines() { Output.line(line) }
            if found.isEmpty { Output.line("there is no migration yet\n  migrate create FILE") }
        }
    }
}
