/// A second plan that is judged on the same windows as the one in force, with its actions suppressed: no router hears of it.
package struct Shadow: Hashable, Codable, Sendable {
    /// The version of the commit that began it.
    package var since: Int64
    /// The place of its last decision in its own history, which goes on from `since`.
    package var version: Int64
    package var decidedAt: Timestamp
    /// The migration as it would be.
    package var migration: Migration
    /// The version from which on it would have done something else than was done; nil as long as it has not.
    package var differsFrom: Int64?
    /// The version of the first window that was measured under other weights than its own; nil as long as there is none.
    package var partedFrom: Int64?
    /// The version at which it was judged for the last time; nil as long as it goes on.
    package var endedAt: Int64?

    init(since commit: Commit, _ migration: Migration) {
        since = commit.version
        version = commit.version
        decidedAt = commit.decidedAt
        self.migration = migration
    }

    /// Its state, as if it were the plan in force.
    package var state: MigrationState {
        MigrationState(version: version, decidedAt: decidedAt, migration: migration)
    }

    /// - Throws: ``Misfit`` for decisions that do not belong to its plan.
    func folding(_ decisions: [ShadowDecision], of commit: Commit) throws(Misfit) -> Shadow {
        var state = state
        for decision in decisions { state = try state.folding(decision.commit(state.version + 1, of: commit)) }
        guard let migration = state.migration else { return self }
        var next = self
        next.version = state.version
        next.decidedAt = state.decidedAt
        next.migration = migration
        return next
    }
}

/// What a shadow plan decided on a commit.
package struct ShadowDecision: Hashable, Codable, Sendable {
    /// Whose commands are the shadow's own: what time alone brings about, and acknowledgements of what no router was told.
    package static let actor = Command.workerPrefix + "shadow"

    package var at: Timestamp
    /// Nil when it was decided on the commit's own command.
    package var command: Command?
    package var events: [Event]

    package init(at: Timestamp, command: Command?, events: [Event]) {
        self.at = at
        self.command = command
        self.events = events
    }

    /// As a commit of the shadow's own history.
    package func commit(_ version: Int64, of commit: Commit) -> Commit {
        Commit(
            version: version,
            actor: command == nil ? commit.actor : Self.actor,
            decidedAt: at,
            command: command ?? commit.command,
            events: events,
            rules: commit.rules
        )
    }
}
