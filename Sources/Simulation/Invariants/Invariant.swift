import MigrationCore
import Routing

/// What must hold of every commit and every router, whatever world they are in (1-core.md, "Invariants").
enum Invariant {
    /// What a commit does to the step under way.
    enum Advance: Hashable { case none, begun, passed, skipped }

    /// Steps go forward one at a time, each once, and never while halted, rolling back, or against a rollback (8, 9, 13, 17).
    ///
    /// - Parameters:
    ///   - was: the migration before the commit.
    ///   - before: the steps that were entered since the last start.
    static func checkAdvance(_ commit: Commit, _ was: Migration, entered before: [Position]) throws(Violation)
        -> Advance
    {
        var advance = Advance.none
        var positions: [Position] = []
        var goesBack = false
        for event in commit.events {
            switch event {
            case .stepPassed(_, let skipped): advance = skipped ? .skipped : .passed
            case .stepEntered(let position): positions.append(position)
            case .rollbackStarted: goesBack = true
            default: break
            }
        }
        guard Set(positions).count == positions.count else {
            throw Violation(invariant: 13, message: "one commit enters a step twice")
        }
        let entered = positions.first
        if advance == .none, entered != nil { advance = .begun }
        guard advance != .none else { return .none }
        if goesBack { throw Violation(invariant: 17, message: "one commit rolls back and advances") }
        let begins: Bool
        switch commit.command {
        case .start, .restart: begins = true
        default: begins = false
        }
        guard begins || was.phase.name == "running" else {
            throw Violation(invariant: 8, message: "a step is entered while \(was.phase.name)")
        }
        if let entered { try checkOrder(entered, was, before, begins: begins) }
        return advance
    }

    private static func checkOrder(_ position: Position, _ was: Migration, _ before: [Position], begins: Bool)
        throws(Violation)
    {
        if begins {
            let isFirst = position == Position(stage: 0, step: 0)
            guard isFirst || (was.phase.rollback.map { !$0.isWhole } ?? false && position.step == 0) else {
                throw Violation(invariant: 9, message: "it does not begin at a first step")
            }
            return
        }
        let current = was.phase.step
        // The first step after a baseline follows no other.
        var isFirst = false
        if case .recording? = current?.progress { isFirst = position == current?.position }
        guard isFirst || current.flatMap({ was.plan.next(after: $0.position) }) == position else {
            throw Violation(
                invariant: 9,
                message: "the step after \(String(describing: current?.position)) is left out"
            )
        }
        if before.contains(position) {
            throw Violation(invariant: 13, message: "the step \(position) is entered twice")
        }
    }

    /// Who approved may, and did so once (21).
    static func checkApprovals(_ migration: Migration) throws(Violation) {
        for (index, approval) in migration.approvals.enumerated() {
            let gate = migration.plan.approval(before: approval.position)
            guard gate?.of?.contains(approval.by) ?? true else {
                throw Violation(invariant: 21, message: "\(approval.by) approves, who may not")
            }
            let isTwice = migration.approvals[..<index].contains {
                $0.position == approval.position && $0.by == approval.by
            }
            if isTwice { throw Violation(invariant: 21, message: "\(approval.by) approves twice") }
        }
    }

    /// Every service has one weight in every environment (4).
    static func checkWeights(_ migration: Migration) throws(Violation) {
        guard migration.traffic.map(\.environment) == migration.plan.environments,
            migration.traffic.allSatisfy({ $0.effective.count == migration.plan.services.count })
        else { throw Violation(invariant: 4, message: "an environment has two weights, or none") }
    }

    /// A weight that rises moves nobody to legacy, one that falls nobody to the candidate (18).
    static func checkBuckets(_ before: RouteTable?, _ after: RouteTable, areDealtAnew: Bool) throws(Violation) {
        func implementation(_ bucket: Int, _ table: RouteTable?, _ service: String) -> Implementation {
            let weight = table?.weight(of: service) ?? .zero
            let shift = areDealtAnew ? Int(table?.revision ?? 0) * 1_237 : 0
            return Bucket.implementation((bucket + shift) % Bucket.count, weight: weight)
        }
        for service in after.weights.keys.sorted() {
            let old = before?.weight(of: service) ?? .zero, new = after.weight(of: service)
            for bucket in [0, 1, 2_499, 4_999, 5_000, 7_499, 9_998, 9_999] {
                let from = implementation(bucket, before, service), to = implementation(bucket, after, service)
                let isAgainst = new >= old ? from == .candidate && to == .legacy : from == .legacy && to == .candidate
                if isAgainst {
                    throw Violation(invariant: 18, message: "bucket \(bucket) moves against the weight’s change")
                }
            }
        }
    }
}
