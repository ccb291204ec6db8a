package import MigrationCore

/// A recorded history decided anew under another plan: the same windows, the same people, the same times.
///
/// Windows show what the recorded weights did. From the first window on in which the other plan would have had other weights, the recorded
/// traffic no longer follows from it, and what comes after is only what the other plan would have said of this traffic.
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

    private let plan: Plan
    private let hash: String
    private var recorded = MigrationState.initial

    /// - Parameters:
    ///   - plan: the other plan; its services, environments and windows are those of the recorded one.
    ///   - recorded: whole from version 1.
    package init(_ plan: Plan, hash: String, recorded: [Commit]) throws {
        self.plan = plan
        self.hash = hash
        for commit in recorded {
            if case .plan(let old, _) = commit.command { try Self.requireComparable(plan, old) }
            try play(commit)
        }
    }

    private static func requireComparable(_ new: Plan, _ old: Plan) throws(Impossible) {
        let mend =
            "compare plans of the same services, environments and windows, or rehearse the other: migrate simulate"
        func require(_ holds: Bool, _ message: String) throws(Impossible) {
            if !holds { throw Impossible(message: message, mend: mend) }
        }
        let names = { (plan: Plan) in plan.services.map(\.name) }
        try require(names(new) == names(old), "it has other services than \(names(old).joined(separator: ", "))")
        try require(new.window == old.window, "its windows are \(new.window) long, and \(old.window) were recorded")
        try require(
            new.environments.allSatisfy(old.environments.contains),
            "it has environments that were not recorded; there are: \(old.environments.joined(separator: ", "))"
        )
    }

    private mutating func play(_ commit: Commit) throws {
        try tick(before: commit.decidedAt)
        note(commit)
        switch commit.command {
        case .plan: try perform(.plan(plan: plan, hash: hash), commit)
        case .acknowledge(let router, let revision): try acknowledge(router, revision, commit)
        // What a log lost is not this plan's to decide.
        case .amend, .quarantine, .declareRewound, .recordLate, .tick: break
        case .sealWindow(let window): try seal(window, commit)
        case .registerRouter(_, let environment):
            if plan.environments.contains(environment) { try perform(commit.command, commit) }
        case .start, .halt, .resume, .rollBack, .setWeight, .setFlag, .approve, .skip, .reportCheck, .abandon, .restart,
            .retireRouter:
            try perform(commit.command, commit)
        }
        recorded = try recorded.folding(commit)
        // Nobody recorded an acknowledgement of weights that were never set: routers have them at once.
        if !isSameWeights { try acknowledgeAll(commit) }
        if firstOther == nil, recorded.migration?.phase.name != state.migration?.phase.name || !isSameWeights {
            firstOther = (commit.version, commit.decidedAt)
        }
    }

    /// Whether both plans have the same weights in force.
    private var isSameWeights: Bool {
        guard let mine = state.migration, let theirs = recorded.migration else { return true }
        return mine.traffic.allSatisfy { traffic in
            traffic.effective == theirs.traffic(in: traffic.environment)?.effective
        }
    }

    private mutating func note(_ commit: Commit) {
        guard divergedAt == nil, case .sealWindow = commit.command, !isSameWeights else { return }
        divergedAt = (commit.version, commit.decidedAt)
    }

    private mutating func seal(_ window: Window, _ commit: Commit) throws {
        guard let migration = state.migration, migration.phase.takesWindows, let next = migration.nextWindow else {
            return
        }
        guard window.k >= next else { return }
        var mine = window
        mine.environments.removeAll { !plan.environments.contains($0.environment) }
        // What this plan would have judged and nobody sealed is missing.
        var k = next
        while k < window.k, k - next < 10_000, state.migration?.phase.takesWindows ?? false {
            try perform(.sealWindow(window: Window(k: k, environments: [])), commit)
            k += 1
        }
        if state.migration?.nextWindow == window.k { try perform(.sealWindow(window: mine), commit) }
    }

    /// What time alone would have brought about.
    private mutating func tick(before moment: Timestamp) throws {
        for _ in 0..<100 {
            guard let deadline = state.migration?.nextDeadline, deadline <= moment else { return }
            let version = state.version
            try append(.tick, by: "worker:what-if", at: max(deadline, state.decidedAt))
            guard state.version > version else { return }
        }
    }

    /// A router that had the recorded weights then has this plan's then, as long as they are the same.
    private mutating func acknowledge(_ router: String, _ revision: Int64, _ commit: Commit) throws {
        guard let environment = recorded.migration?.routers.first(where: { $0.name == router })?.environment,
            revision >= recorded.migration?.traffic(in: environment)?.revision ?? .max,
            let mine = state.migration?.traffic(in: environment)?.revision
        else { return }
        try append(.acknowledge(router: router, revision: mine), by: commit.actor, at: commit.decidedAt)
    }

    private mutating func acknowledgeAll(_ commit: Commit) throws {
        for router in state.migration?.unacknowledged ?? [] {
            guard let revision = state.migration?.traffic(in: router.environment)?.revision else { continue }
            try append(
                .acknowledge(router: router.name, revision: revision),
                by: "worker:what-if",
                at: commit.decidedAt
            )
        }
    }

    private mutating func perform(_ command: Command, _ commit: Commit) throws {
        try append(command, by: commit.actor, at: commit.decidedAt)
    }

    private mutating func append(_ command: Command, by actor: String, at: Timestamp) throws {
        let at = max(at, state.decidedAt)
        // A worker's refused command is nothing; a person's is recorded.
        guard let events = try? state.decideRecorded(command, by: actor, at: at), !events.isEmpty else { return }
        let commit = Commit(version: state.version + 1, actor: actor, decidedAt: at, command: command, events: events)
        state = try state.folding(commit)
        commits.append(commit)
    }
}
