import ArgumentParser
import Commands
import Foundation
import Gateway
import MigrationCore
import PlanFile
import Signals

/// A decision of the gateway by itself: from a head that is read to the service, the user's key, its bucket and the side that it falls on.
struct DecisionBench: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "decisions",
        abstract:
            "Measures what a route decision costs: its time, and how often it asks for memory where tools/bench has something loaded that counts that."
    )

    func run() throws {
        let count = 2_000_000
        let plan = try PlanFile.parse(RoutingPeers.plan("recommendations", 8_081, 8_082), file: "the bench's plan")
        let half = Dictionary(plan.services.map { ($0.name, Weight(rawValue: 5_000) ?? .zero) }) { first, _ in first }
        var decisions = (0..<64).compactMap {
            RouteDecision(plan: plan, weights: half, request: Self.request(user: $0))
        }
        // Whatever is made once is made before.
        _ = decide(1_000, &decisions)
        let before = Self.allocations
        let started = SystemClock.steady
        let candidates = decide(count, &decisions)
        let nanos = Double((SystemClock.steady - started).rawValue) * 1_000 / Double(count)
        let asked = Self.allocations.flatMap { after in before.map { "\(after - $0)" } } ?? "not counted"
        Output.line(
            "A decision, from a request's head with \(Self.fields) fields and a key of 36 bytes to its side: \((nanos * 100).rounded() / 100) ns; allocations in \(count): \(asked) (\(candidates * 100 / count) % to the candidate)"
        )
    }

    private static let fields = 5

    /// What a browser may send, and whose it is last.
    private static func request(user: Int) -> String {
        """
        GET /a?page=2 HTTP/1.1\r
        host: shop.example\r
        user-agent: Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0\r
        accept: application/json\r
        cookie: theme=dark; session=0123456789abcdef\r
        x-user-id: 4f9d1c2e-77aa-4d0b-9a63-0d9f2b1c8e\(user + 10)\r
        \r

        """
    }

    /// - Returns: how many went to the candidate, of users in turn.
    private func decide(_ count: Int, _ decisions: inout [RouteDecision]) -> Int {
        var candidates = 0
        for turn in 0..<count where decisions[turn % decisions.count].implementation() == .candidate {
            candidates += 1
        }
        return candidates
    }

    /// What `tools/lib/allocations.c` has counted; nil where it is not loaded.
    private static var allocations: UInt64? {
        guard let symbol = dlsym(nil, "allocations_so_far") else { return nil }
        return unsafeBitCast(symbol, to: (@convention(c) () -> UInt64).self)()
    }
}
