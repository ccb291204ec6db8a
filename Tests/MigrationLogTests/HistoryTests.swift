import Foundation
import MigrationCore
import MigrationLog
import Testing

/// Histories that the demonstration wrote, kept as they stood in the log: what a release decided, every later one decides again.
@Suite("Recorded histories")
struct HistoryTests {
    private struct Line: Decodable {
        var stream: String
        var version: Int64
        var actor: String
        var body: String
    }

    private func lines() throws -> [String: [Line]] {
        let file = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
            .appendingPathComponent("Fixtures/demonstration.jsonl")
        let decoder = JSONDecoder()
        let lines = try String(contentsOf: file, encoding: .utf8).split(separator: "\n").map {
            try decoder.decode(Line.self, from: Data($0.utf8))
        }
        return Dictionary(grouping: lines, by: \.stream)
    }

    @Test(
        "are decided again to the same events, and read and written to the byte",
        arguments: [("recommendations", "completed"), ("recommendations-2", "rolledBack")]
    )
    func again(_ stream: String, _ phase: String) throws {
        let lines = try #require(try lines()[stream])
        #expect(lines.count > 40)
        var state = MigrationState.initial
        for line in lines {
            let body = Array(line.body.utf8)
            let commit = try CommitCodec.decode(body, version: line.version, actor: line.actor)
            let events = try state.decideRecorded(commit.command, by: commit.actor, at: commit.decidedAt)
            #expect(events == commit.events, "version \(line.version)")
            let written = try CommitCodec.encode(
                command: commit.command,
                decidedAt: commit.decidedAt,
                events: commit.events
            )
            #expect(written == body, "version \(line.version)")
            state = try state.folding(commit)
        }
        #expect(state.migration?.phase.name == phase)
    }
}
