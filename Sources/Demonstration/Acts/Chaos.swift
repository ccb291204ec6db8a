import Commands
import Foundation

/// Kills a worker, a gateway or the database's first process with SIGKILL at random moments, and starts it again.
struct Chaos: Sendable {
    private enum Victim: CaseIterable { case worker, gateway, database }

    let stage: Stage
    let doors: [Cast.Door]
    /// How often each kind is killed.
    let each: Int

    /// Begins when it is cued; does nothing when it never is.
    func run(after cue: AsyncStream<Void>) async throws {
        for await _ in cue { return try await run() }
    }

    func run() async throws {
        let victims = Victim.allCases.flatMap { Array(repeating: $0, count: each) }.shuffled()
        for (index, victim) in victims.enumerated() {
            try await Task.sleep(for: .milliseconds(Int.random(in: 200...3_000)))
            let name: String
            switch victim {
            case .worker: name = ["worker-1", "worker-2"].randomElement() ?? "worker-1"
            case .gateway: name = doors.randomElement()?.name ?? ""
            case .database: name = "the log's database"
            }
            Output.line("          kill -9 of \(name) (\(index + 1) of \(victims.count))")
            if victim == .database { try await stage.killDatabaseAndRestart() } else { try stage.killAndRestart(name) }
        }
    }
}
