import Foundation
import MigrationCore
import MigrationLog
import Testing

/// Histories of every format that a release wrote, kept as they stood in the log: what a release decided, every later one decides again.
@Suite("Recorded histories")
struct HistoryTests {
    private struct Line: Decodable {
        var stream: String
        var version: Int64
        var actor: String
        var body: String
    }

    private static var folder: URL {
        URL(fileURLWithPath: #filePath).deletingLastPathComponent().appendingPathComponent("Fixtures")
    }

    /// Every stream of every file: what the demonstration wrote, and fleets in bad weather with people who try anything.
    private static let histories: [(file: String, stream: String)] = {
        let files = [
            "format-1/demonstration.jsonl", "format-1/fleet.jsonl", "format-2/fleet.jsonl", "format-2/eviction.jsonl",
            "format-2/backup.jsonl", "format-3/rules.jsonl", "format-3/every.jsonl",
        ]
        return files.flatMap { file in
            let streams = (try? lines(file)).map { Set($0.map(\.stream)) } ?? []
            return streams.sorted().map { (file, $0) }
        }
    }()

    private static func lines(_ file: String) throws -> [Line] {
        let decoder = JSONDecoder()
        let text = try String(contentsOf: folder.appendingPathComponent(file), encoding: .utf8)
        return try text.split(separator: "\n").map { try decoder.decode(Line.self, from: Data($0.utf8)) }
    }

    @Test("are there, with every command and every event of the newest format")
    func kept() throws {
        #expect(Self.histories.count == 49)
        var commands: Set<String> = [], events: Set<String> = []
        for line in try Self.lines("format-3/every.jsonl") {
            let commit = try CommitCodec.decode(Array(line.body.utf8), version: line.version, actor: line.actor)
            commands.insert(String("\(commit.command)".prefix { $0 != "(" }))
            for event in commit.events { events.insert(String("\(event)".prefix { $0 != "(" })) }
        }
        #expect(commands.count == 26, "\(commands.sorted())")
        #expect(events.count == 43, "\(events.sorted())")
    }

    /// What all states of all histories are as they are kept (``Snapshot``). Where this is another one, so has to be ``MigrationState/form``.
    private static let states = (form: 1, digest: UInt64(9_049_611_999_249_968_184))

    @Test("are folded to states of the form that is named")
    func form() throws {
        // FNV-1a.
        var digest: UInt64 = 0xcbf2_9ce4_8422_2325
        for (file, stream) in Self.histories {
            var state = MigrationState.initial
            for line in try Self.lines(file) where line.stream == stream {
                state = try state.folding(
                    try CommitCodec.decode(Array(line.body.utf8), version: line.version, actor: line.actor)
                )
                for byte in try CommitCodec.canonical(state) { digest = (digest ^ UInt64(byte)) &* 0x100_0000_01b3 }
            }
        }
        #expect((MigrationState.form, digest) == Self.states)
    }

    @Test("are decided again to the same events", arguments: histories)
    func again(_ file: String, _ stream: String) throws {
        let lines = try Self.lines(file).filter { $0.stream == stream }
        #expect(lines.count > 10)
        var state = MigrationState.initial
        for line in lines {
            let body = Array(line.body.utf8)
            let commit = try CommitCodec.decode(body, version: line.version, actor: line.actor)
            let events = try state.decideRecorded(
                commit.command,
                by: commit.actor,
                at: commit.decidedAt,
                rules: commit.rules
            )
            #expect(events == commit.events, "version \(line.version)")
            let written = try CommitCodec.encode(try CommitCodec.body(body, version: line.version))
            #expect(written == body, "version \(line.version)")
            state = try state.folding(commit)
        }
        #expect(state.version == Int64(lines.count))
    }
}
