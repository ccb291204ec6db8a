/// A plan that follows what was recorded under another: the same windows, the same people, the same times.
///
/// Windows show what the recorded weights did. From the first window on in which this plan would have had other weights, the recorded traffic
/// no longer follows from it, and what comes after is only what this plan would have said of that traffic.
package struct Follower: Sendable {
    package private(set) var state: MigrationState
    /// What it decided on the last commit.
    package private(set) var decisions: [ShadowDecision] = []
    /// Whether the last commit's window was measured under other weights than this plan's.
    package private(set) var isParted = false
    /// Whether this plan is elsewhere than the recorded one after the last commit.
    package private(set) var isElsewhere = false

    /// Why whoever gave the last commit's command may not, by the keys of the log.
    private var forbidden: Refusal?

    package init(_ state: MigrationState) { self.state = state }

    /// The most windows that are missing in a row and still judged.
    private static let longestGap: Int64 = 10_000

    /// Decides what a recorded commit brings about under this plan.
    ///
    /// - Parameters:
    ///   - commit: a recorded one.
    ///   - before: the recorded state before it.
    ///   - after: the recorded state with it.
    ///   - forbidden: why whoever gave its command may not, by the keys of the log: under another plan he may not either.
    package mutating func follow(
        _ commit: Commit,
        from before: MigrationState,
        to after: MigrationState,
        forbidden: Refusal? = nil
    ) throws(Misfit) {
        self.forbidden = forbidden
        decisions = []
        try tick(before: commit.decidedAt, commit)
        if case .sealWindow = commit.command { isParted = !isWeighted(like: before) } else { isParted = false }
        switch commit.command {
        case .plan, .amend, .beginShadow, .endShadow, .redact, .recordLate, .tick: break
        // What a log lost is not this plan's to decide.
        case .quarantine, .quarantineByCheckpoint, .declareRewound: break
        case .acknowledge(let router, let revision): try acknowledge(router, revision, commit, after)
        case .sealWindow(let window): try seal(window, commit)
        case .registerRouter(_, let environment):
            if state.migration?.plan.environments.contains(environment) ?? false { try perform(nil, commit) }
        case .start, .halt, .resume, .rollBack, .setWeight, .setFlag, .approve, .skip, .reportCheck, .abandon, .restart,
            .retireRouter, .evictRouter:
            try perform(nil, commit)
        }
        // Nobody recorded an acknowledgement of weights that were never set: routers have them at once.
        if !isWeighted(like: after) { try acknowledgeAll(commit) }
        isElsewhere = after.migration?.phase.name != state.migration?.phase.name || !isWeighted(like: after)
    }

    /// Whether both have the same weights in force.
    private func isWeighted(like recorded: MigrationState) -> Bool {
        guard let mine = state.migration, let theirs = recorded.migration else { return true }
        return mine.traffic.allSatisfy { traffic in
            traffic.effective == theirs.traffic(in: traffic.environment)?.effective
        }
    }

    private mutating func seal(_ window: Window, _ commit: Commit) throws(Misfit) {
        guard let migration = state.migration, migration.phase.takesWindows, let next = migration.nextWindow,
            window.k >= next
        else { return }
        // What this plan would have judged and nobody sealed is missing.
        var k = next
        while k < window.k, k - next < Self.longestGap, state.migration?.phase.takesWindows ?? false {
            try perform(.sealWindow(window: Window(k: k, environments: [])), commit)
            k += 1
        }
        guard state.migration?.nextWindow == window.k else { return }
        var mine = window
        mine.environments.removeAll { !migration.plan.environments.contains($0.environment) }
        try perform(mine == window ? nil : .sealWindow(window: mine), commit)
    }

    /// What time alone would have brought about.
    private mutating func tick(before moment: Timestamp, _ commit: Commit) throws(Misfit) {
        for _ in 0..<100 {
            guard let deadline = state.migration?.nextDeadline, deadline <= moment else { return }
            let version = state.version
            try perform(.tick, commit, at: deadline)
            guard state.version > version else { return }
        }
    }

    /// A router that had the recorded weights then has this plan's then, as long as they are the same.
    private mutating func acknowledge(_ router: String, _ revision: Int64, _ commit: Commit, _ recorded: MigrationState)
        throws(Misfit)
    {
        guard let environment = recorded.migration?.routers.first(where: { $0.name == router })?.environment,
            revision >= recorded.migration?.traffic(in: environment)?.revision ?? .max,
            let mine = state.migration?.traffic(in: environment)?.revision
        else { return }
        try perform(.acknowledge(router: router, revision: mine), commit)
    }

    private mutating func acknowledgeAll(_ commit: Commit) throws(Misfit) {
        for router in state.migration?.unacknowledged ?? [] {
            guard let revision = state.migration?.traffic(in: router.environment)?.revision else { continue }
            try perform(.acknowledge(router: router.name, revision: revision), commit)
        }
    }

    /// - Parameter command: nil for the commit's own.
    private mutating func perform(_ command: Command?, _ commit: Commit, at: Timestamp? = nil) throws(Misfit) {
        var decision = ShadowDecision(at: max(at ?? commit.decidedAt, state.decidedAt), command: command, events: [])
        var own = decision.commit(state.version + 1, of: commit)
        // A worker's refused command is nothing; a person's is recorded.
        let events = try? state.decideRecorded(
            own.command,
            by: own.actor,
            at: own.decidedAt,
            forbidden: command == nil ? forbidden : nil,
            rules: commit.rules
        )
        guard let events, !events.isEmpty else { return }
        decision.events = events
        own.events = events
        state = try state.folding(own)
        decisions.append(decision)
    }
}
