import ArgumentParser
import Commands
import Foundation
import Postgres
import UnixSignals

/// Plays on a stage and clears it, whether the play ends well, badly or by a signal.
enum Interruption {
    /// Thousands of users hold a connection each.
    private static let leastFiles = 4_096

    static func play(in folder: String, _ body: @escaping @Sendable (Stage) async throws -> Void) async throws {
        let files = OpenFiles.raiseLimit()
        guard files >= leastFiles else {
            Output.error(
                "demo: this user may have \(files) files open at once, and the demo needs \(leastFiles): raise ulimit -Hn"
            )
            throw ExitCode(1)
        }
        let stage = Stage(folder: URL(fileURLWithPath: folder, isDirectory: true))
        defer { stage.close() }
        let signals = await UnixSignalsSequence(trapping: .sigint, .sigterm)
        do {
            try await withThrowingTaskGroup(of: Bool.self) { group in
                group.addTask {
                    try await body(stage)
                    return true
                }
                group.addTask {
                    for await _ in signals { return false }
                    return false
                }
                let isDone = try await group.next() ?? false
                group.cancelAll()
                if !isDone { throw StageError("interrupted: everything that was started is ended") }
            }
        } catch {
            Output.error("demo: \(error)")
            throw ExitCode(1)
        }
    }
}
