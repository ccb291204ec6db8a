import ArgumentParser
import Foundation
import MigrationCore
import MigrationLog
import Simulation

/// Sealed windows as JSON lines: a head that says whose they are, then a window a line.
enum RecordedFile {
    struct Head: Codable {
        var migration: String
        /// Microseconds.
        var window: Int64
        var services: [String]
    }

    private static let largest = 512 * 1024 * 1024
    private static let mend = "print them with: migrate windows MIGRATION > windows.jsonl"

    /// - Throws: the first line that is none, by its number.
    static func read(_ file: String) throws -> RecordedWindows {
        let attributes = try? FileManager.default.attributesOfItem(atPath: file)
        if let size = attributes?[.size] as? NSNumber, size.intValue > largest {
            throw Failure(.failed, "\(file) is larger than \(largest / 1024 / 1024) MiB")
        }
        guard let data = FileManager.default.contents(atPath: file) else {
            throw Failure(.failed, "the file \(file) cannot be read", mend: mend)
        }
        let lines = data.split(separator: UInt8(ascii: "\n"))
        guard let first = lines.first, let head = try? JSONDecoder().decode(Head.self, from: Data(first)),
            head.window > 0,
            !head.services.isEmpty
        else { throw Failure(.failed, "\(file):1: this is no head of recorded windows", mend: mend) }
        var windows: [Window] = []
        for (index, line) in lines.dropFirst().enumerated() {
            guard let window = try? JSONDecoder().decode(Window.self, from: Data(line)),
                window.environments.allSatisfy({ $0.services.count == head.services.count }),
                window.k > windows.last?.k ?? .min
            else { throw Failure(.failed, "\(file):\(index + 2): this is no window of \(head.migration)", mend: mend) }
            windows.append(window)
        }
        guard !windows.isEmpty else { throw Failure(.failed, "\(file) has no windows", mend: mend) }
        return RecordedWindows(
            migration: head.migration,
            length: TimeSpan(rawValue: head.window),
            services: head.services,
            windows: windows
        )
    }
}

struct WindowsCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "windows",
        abstract: "Prints the windows that a migration sealed, to rehearse another plan against them.",
        discussion: "Example: migrate windows recommendations > windows.jsonl"
    )
    @Argument(help: "The migration.") var migration: String
    @OptionGroup var database: DatabaseOptions

    func run() async throws {
        let access = try await LogAccess(database)
        let stream = try await Status.load(migration, access.log)
        guard let plan = stream.state.migration?.plan else { return }
        func line(_ value: some Encodable) throws {
            Output.line(String(decoding: try CommitCodec.canonical(value), as: UTF8.self))
        }
        try line(
            RecordedFile.Head(
                migration: plan.name,
                window: plan.window.rawValue,
                services: plan.services.map(\.name)
            )
        )
        var version: Int64 = 0
        var last = Int64.min
        while true {
            let rows = try await access.log.rows(migration, after: version)
            for row in rows {
                version = row.version
                let commit = try CommitCodec.decode(row.body, version: row.version, actor: row.actor)
                // After a restart windows begin anew, and never go back.
                guard case .sealWindow(let window) = commit.command, window.k > last else { continue }
                last = window.k
                try line(window)
            }
            if rows.isEmpty { break }
        }
    }
}
