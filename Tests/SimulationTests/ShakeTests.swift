import Dispatch
import MigrationCore
import Simulation
import Synchronization
import Testing

@Suite("The simulated fleet")
struct ShakeTests {
    /// A run takes a thread for itself, so that other tests go on.
    private static func run(_ shake: Shake, _ listener: (@Sendable (Timestamp, String) -> Void)? = nil) async
        -> Shake.Report
    {
        await withCheckedContinuation { continuation in
            DispatchQueue.global().async { continuation.resume(returning: shake.run(listener: listener)) }
        }
    }

    @Test("breaks no invariant, comes right, and does the same twice", arguments: [UInt64(1), 2, 3, 4])
    func whole(_ seed: UInt64) async {
        let isFoul = seed % 2 == 0
        let shake = Shake(isFoul ? .foul : .standard, seed: seed, lasting: isFoul ? .hours(8) : .days(3))
        let first = await Self.run(shake), second = await Self.run(shake)
        #expect(first.violation == nil)
        #expect(first.commits > 100)
        #expect(first.steps > first.commits)
        #expect(first.trace == second.trace)
        #expect(first.tally == second.tally)
        #expect(first.simulated == second.simulated)
    }

    @Test("other seeds do other things")
    func seeds() async {
        var traces: Set<UInt64> = []
        for seed in UInt64(1)...3 {
            traces.insert(await Self.run(Shake(.standard, seed: seed, lasting: .hours(12))).trace)
        }
        #expect(traces.count == 3)
    }

    /// All that a fleet can show are tried by `tools/shake`, which runs faster.
    @Test(
        "shows a deliberate mistake, by the invariant that it breaks",
        arguments: [Mutant.leaseInsteadOfCompareAndSet, .advanceOnMissing, .weightOfAnother, .judgedTwice]
    )
    func mutant(_ mutant: Mutant) async throws {
        let violation = await Self.run(Shake(.foul, seed: 1, lasting: .days(1), mutant: mutant)).violation
        #expect(violation?.invariant == Shake.mutants[mutant], "\(violation?.message ?? "not found")")
    }

    @Test("tells its story, the same on every run")
    func story() async {
        let first = Story(), second = Story()
        let shake = Shake(.standard, seed: 5, lasting: .hours(12))
        _ = await Self.run(shake) { first.add("\($0.rawValue) \($1)") }
        _ = await Self.run(shake) { second.add("\($0.rawValue) \($1)") }
        #expect(first.lines.count > 50)
        #expect(first.lines == second.lines)
    }
}

private final class Story: Sendable {
    private let all = Mutex<[String]>([])
    func add(_ line: String) { all.withLock { $0.append(line) } }
    var lines: [String] { all.withLock { $0 } }
}
