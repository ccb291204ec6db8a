import Foundation
import MigrationCore
import MigrationLog
import Randomness
import Simulation
import Testing

@Suite("Properties of any history")
struct WalkTests {
    private static let seeds = Array(1...40)

    private func walk(_ seed: Int) throws -> [Commit] {
        try Walk.commits(SmallWorld.all[seed % SmallWorld.all.count], seed: UInt64(seed), moves: 400)
    }

    @Test(
        "every commit is decided again to the same events, and a snapshot of every prefix is its fold",
        arguments: seeds
    )
    func prefixes(_ seed: Int) throws {
        let commits = try walk(seed)
        #expect(commits.count > 5)
        var state = MigrationState.initial
        for commit in commits {
            #expect(try state.decideRecorded(commit.command, by: commit.actor, at: commit.decidedAt) == commit.events)
            state = try state.folding(commit)
            let snapshot = try CommitCodec.canonical(state)
            #expect(try JSONDecoder().decode(MigrationState.self, from: snapshot) == state)
            #expect(state.isSound)
        }
    }

    @Test("encoded and decoded, every command and event is the same, to the byte", arguments: seeds)
    func codec(_ seed: Int) throws {
        for commit in try walk(seed) {
            let bytes = try CommitCodec.encode(
                command: commit.command,
                decidedAt: commit.decidedAt,
                events: commit.events
            )
            let read = try CommitCodec.decode(bytes, version: commit.version, actor: commit.actor)
            #expect(read == commit)
            let again = try CommitCodec.encode(command: read.command, decidedAt: read.decidedAt, events: read.events)
            #expect(again == bytes)
        }
    }

    @Test("walks meet every kind of command but those of a lost log, and every phase")
    func coverage() throws {
        var commands: Set<String> = [], phases: Set<String> = []
        for seed in 1...200 {
            var state = MigrationState.initial
            for commit in try walk(seed) {
                commands.insert(String("\(commit.command)".prefix { $0.isLetter }))
                state = try state.folding(commit)
                if let phase = state.migration?.phase.name { phases.insert(phase) }
            }
        }
        let expected = [
            "plan", "start", "halt", "resume", "rollBack", "setWeight", "setFlag", "approve", "skip", "reportCheck",
            "abandon", "restart", "registerRouter", "acknowledge", "sealWindow", "tick",
        ]
        for command in expected { #expect(commands.contains(command), "\(command)") }
        let all = [
            "planned", "running", "halted", "watching", "rollingBack", "rolledBack", "partlyRolledBack", "completed",
            "abandoned",
        ]
        for phase in all { #expect(phases.contains(phase), "\(phase)") }
    }

    @Test("any command in any state is decided or refused, and never more than that", arguments: seeds)
    func anything(_ seed: Int) throws {
        let commits = try walk(seed)
        let others = try walk(seed + 1).map(\.command)
        var random = SplitMix(seed: UInt64(seed))
        var state = MigrationState.initial
        for commit in commits {
            state = try state.folding(commit)
            // Another history's command, at another time, by anybody.
            guard let command = others.randomElement(using: &random) else { continue }
            let at = commit.decidedAt + .seconds(Int64.random(in: -100...1_000, using: &random))
            let actor = ["ana", "eve", "worker:w", ""].randomElement(using: &random) ?? ""
            do {
                let events = try state.decideRecorded(command, by: actor, at: at)
                let next = Commit(
                    version: state.version + 1,
                    actor: actor,
                    decidedAt: at,
                    command: command,
                    events: events
                )
                #expect(throws: Never.self) { try state.folding(next) }
            } catch {
                #expect(!error.message.isEmpty)
            }
        }
    }

    @Test(
        "what a later release wrote stops the fold with its name",
        arguments: [
            (
                #"{"command":{"tick":{}},"decidedAt":1,"events":[{"expired":{}},{"teleported":{"to":"moon"}}]}"#,
                "event 2, “teleported”"
            ),
            (#"{"command":{"pray":{}},"decidedAt":1,"events":[]}"#, "the command “pray”"),
        ]
    )
    func unknown(_ body: String, _ says: String) throws {
        let error = try #require(throws: LogError.self) {
            try CommitCodec.decode(Array(body.utf8), version: 7, actor: "x")
        }
        #expect(error.message.contains("version 7"))
        #expect(error.message.contains(says))
    }
}
