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
            "format-2/backup.jsonl", "format-3/rules.jsonl", "format-3/every.jsonl", "format-4/every.jsonl",
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
        #expect(Self.histories.count == 78)
        var commands: Set<String> = [], events: Set<String> = []
        for line in try Self.lines("format-\(Rules.current.version)/every.jsonl") {
            let commit = try CommitCodec.decode(Array(line.body.utf8), version: line.version, actor: line.actor)
            commands.insert(String("\(commit.command)".prefix { $0 != "(" }))
            for event in commit.events { events.insert(String("\(event)".prefix { $0 != "(" })) }
        }
        #expect(commands.count == 26, "\(commands.sorted())")
        #expect(events.count == 43, "\(events.sorted())")
    }

    /// What all states of all histories are as they are kept (``Snapshot``). Where this is another one, so has to be ``MigrationState/form``.
    private static let states = (form: 0, digest: UInt64(11_542_631_888_009_042_732))

    @Test("are folded to states of the form that is named")
    func form() throws {
        // FNV-1a.
        var digest: UInt64 = 0xcbf2_9ce4_8422_2325
        try Self.eachState { state in
            for byte in try CommitCodec.canonical(state) { digest = (digest ^ UInt64(byte)) &* 0x100_0000_01b3 }
        }
        #expect((MigrationState.form, digest) == Self.states)
    }

    @Test("in every phase in which windows are judged the doctor looks for a worker, and in no other")
    func attended() throws {
        var judged: Set<String> = [], phases: Set<String> = []
        try Self.eachState { state in
            guard let phase = state.migration?.phase else { return }
            phases.insert(phase.name)
            if phase.takesWindows { judged.insert(phase.name) }
        }
        #expect(phases.count == 9)
        #expect(judged == Set(Doctor.judged))
    }

    private static func eachState(_ body: (MigrationState) throws -> Void) throws {
        for (file, stream) in histories {
            var state = MigrationState.initial
            for line in try lines(file) where line.stream == stream {
                state = try state.folding(
                    try CommitCodec.decode(Array(line.body.utf8), version: line.version, actor: line.actor)
                )
                try body(state)
            }
        }
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
