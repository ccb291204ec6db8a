import ArgumentParser
import Commands
import Foundation
import MigrationCore
import Routing
import Signals

/// A decision of the gateway by itself: from a key to its bucket and the side that it falls on.
struct DecisionBench: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "decisions",
        abstract:
            "Measures what a route decision costs: its time, and how often it asks for memory where tools/bench has something loaded that counts that."
    )

    func run() {
        let count = 2_000_000
        // Whatever is made once is made before.
        _ = decide(1_000)
        let before = Self.allocations
        let started = SystemClock.steady
        let candidates = decide(count)
        let nanos = Double((SystemClock.steady - started).rawValue) * 1_000 / Double(count)
        let asked = Self.allocations.flatMap { after in before.map { "\(after - $0)" } } ?? "not counted"
        Output.line(
            "A decision, from a key of \(Self.key.count) bytes to its side: \((nanos * 100).rounded() / 100) ns; allocations in \(count): \(asked) (\(candidates * 100 / count) % to the candidate)"
        )
    }

    private static let prefix = Array("recommendations:".utf8)
    private static let key = Array("4f9d1c2e-77aa-4d0b-9a63-0d9f2b1c8e55".utf8)

    /// - Returns: how many went to the candidate, over all weights in turn.
    private func decide(_ count: Int) -> Int {
        var candidates = 0
        Self.key.withUnsafeBytes { bytes in
            for turn in 0..<count {
                let weight = Weight(rawValue: turn % 10_001) ?? .zero
                if Bucket.implementation(Bucket.of(bytes, prefix: Self.prefix), weight: weight) == .candidate {
                    candidates += 1
                }
            }
        }
        return candidates
    }

    /// What `tools/lib/allocations.c` has counted; nil where it is not loaded.
    private static var allocations: UInt64? {
        guard let symbol = dlsym(nil, "allocations_so_far") else { return nil }
        return unsafeBitCast(symbol, to: (@convention(c) () -> UInt64).self)()
    }
}
