import ArgumentParser
import Commands
import Foundation
import MigrationCore
import MigrationLog
import Postgres
import Signals

struct LogBench: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "log",
        abstract:
            "Measures the log: appends, imports, replay, sealing and notification, each beside a floor of the same run and cluster."
    )
    @Option(help: "An empty folder for everything that is started.") var folder: String
    @Option(help: "How long each rate is measured, in seconds.") var seconds = 4
    @Option(help: "How often each pair is measured; the median ratio counts.") var rounds = 3
    @Option(help: "Commits that are replayed.") var replayed = 60_000
    @Option(help: "The largest log that is appended to and loaded from: 10000, 100000, 1000000 or 10000000.")
    var largest = 1_000_000
    @Option(help: "A Python that has another event store (tools/lib/peer-store), which is measured beside.")
    var peer: String?

    func run() async throws {
        try await Interruption.play(in: folder) { stage in
            try await stage.startLog()
            let bench = try LogMeasurements(stage: stage, seconds: seconds, rounds: rounds)
            try await bench.settings()
            try await bench.appends()
            if let peer { try bench.peer(peer) }
            try await bench.delayed(by: .milliseconds(2)) {
                try await bench.appends()
                if let peer { try bench.peer(peer) }
            }
            try await bench.imports()
            try await bench.replay(replayed)
            try await bench.sealing()
            try await bench.notification()
            try await bench.sizes(upTo: largest)
            try await bench.replayAll()
        }
    }
}
