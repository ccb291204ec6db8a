package import MigrationCore

/// A recorded history decided anew under another plan, from its beginning.
package struct WhatIf: Sendable {
    /// Why it cannot be.
    package struct Impossible: Error, Hashable, Sendable {
        package var message: String
        package var mend: String
    }

    /// The commits as they would have been.
    package private(set) var commits: [Commit] = []
    package private(set) var state = MigrationState.initial
    /// The recorded version, and its time, of the first window that was measured under other weights.
    package private(set) var divergedAt: (version: Int64, at: Timestamp)?
    /// The first version at which this plan would have done something else than was done.
    package private(set) var firstOther: (version: Int64, at: Timestamp)?

    /// - Parameters:
    ///   - plan: the other plan; its services, environments, windows and grace are those of the recorded one.
    ///   - recorded: whole from version 1.
    ///   - forbidden: by version, why whoever gave a command might not, by the keys of the log.
    package init(_ plan: Plan, hash: String, recorded: [Commit], forbidden: [Int64: Refusal] = [:]) throws {
        var before = MigrationState.initial
        for commit in recorded {
            let after = try before.folding(commit)
            if case .plan(let old, _) = commit.command {
                try Self.requireComparable(plan, old)
                try begin(plan, hash, commit)
            } else {
                try follow(commit, from: before, to: after, forbidden[commit.version])
            }
            before = after
        }
    }

    private static func requireComparable(_ new: Plan, _ old: Plan) throws(Impossible) {
        let mend =
            "compare plans of the same services, environments, windows and grace, or rehearse the other: migrate simulate"
        func require(_ holds: Bool, _ message: String) throws(Impossible) {
            if !holds { throw Impossible(message: message, mend: mend) }
        }
        let names = { (plan: Plan) in plan.services.map(\.name) }
        try require(names(new) == names(old), "it has other services than \(names(old).joined(separator: ", "))")
        try require(new.window == old.window, "its windows are \(new.window) long, and \(old.window) were recorded")
        // Windows were judged when the recorded grace was over; one by a shorter grace would be late with each.
        try require(new.grace == old.grace, "its grace is \(new.grace), and \(old.grace) was recorded")
        try require(
            new.environments.allSatisfy(old.environments.contains),
            "it has environments that were not recorded; there are: \(old.environments.joined(separator: ", "))"
        )
    }

    private mutating func begin(_ plan: Plan, _ hash: String, _ recorded: Commit) throws {
        var commit = recorded
        commit.command = .plan(plan: plan, hash: hash)
        commit.events = try state.decideRecorded(
            commit.command,
            by: commit.actor,
            at: commit.decidedAt,
            rules: commit.rules
        )
        state = try state.folding(commit)
        commits.append(commit)
    }

    private mutating func follow(
        _ commit: Commit,
        from before: MigrationState,
        to after: MigrationState,
        _ forbidden: Refusal?
    ) throws {
        var follower = Follower(state)
        try follower.follow(commit, from: before, to: after, forbidden: forbidden)
        for decision in follower.decisions {
            commits.append(decision.commit(Int64(commits.count) + 1, of: commit))
        }
        state = follower.state
        let place = (commit.version, commit.decidedAt)
        if divergedAt == nil, follower.isParted { divergedAt = place }
        if firstOther == nil, follower.isElsewhere { firstOther = place }
    }
}
