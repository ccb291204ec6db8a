package import MigrationCore
import Randomness

/// A random way through a small world: histories in which anything may have happened.
package enum Walk {
    /// - Parameters:
    ///   - small: the world; its limits on what people and faults may do are lifted.
    ///   - seed: the same seed goes the same way.
    ///   - moves: how many things happen.
    /// - Returns: the log's commits.
    /// - Throws: ``Violation`` when a world is not as it must be.
    package static func commits(_ small: SmallWorld, seed: UInt64, moves: Int) throws(Violation) -> [Commit] {
        var small = small
        small.limits = SmallWorld.Limits(people: moves, crashes: moves, restarts: 0, losses: 0)
        if seed % 2 == 0 {
            for index in small.plan.stages.indices { small.plan.stages[index].limit = nil }
            for index in small.plan.checks.indices { small.plan.checks[index].timeout = .hours(1) }
        }
        var random = SplitMix(seed: seed)
        var world = try World(small)
        // Some ways are full of people and short of time, and some are left alone for long.
        let busy = seed % 2 == 0 ? 0.003 : 0.05
        for _ in 0..<moves {
            let all = world.moves(nil)
            // A person is as likely as anything else to act, however many things there are for him to do.
            let people = all.filter { if case .person = $0 { true } else { false } }
            // Most windows are good, or nothing would ever get to its end.
            let isCalm = random.unit() < 0.85
            let others = all.filter { move in
                switch move {
                case .person: false
                case .work(let quality), .look(let quality): !isCalm || quality == .good
                default: true
                }
            }
            let isPerson = !people.isEmpty && random.unit() < (world.waitsForPeople ? max(busy, 0.15) : busy)
            guard let move = (isPerson ? people : others).randomElement(using: &random) else { continue }
            if let next = try world.after(move, nil) { world = next }
        }
        return world.history?.commits ?? []
    }
}

extension World {
    /// Whether a gate is closed that people can open.
    fileprivate var waitsForPeople: Bool {
        switch log.migration?.phase.step?.progress {
        case .checking, .awaitingApproval: true
        case .recording, .shifting, .baking, nil: false
        }
    }
}
