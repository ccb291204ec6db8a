extension Decision {
    /// A second plan, judged from here on as if it had been put in the plan's place, which is what an amendment may do.
    func beginShadow(_ new: Plan, _ hash: String) throws(Refusal) -> [Event] {
        try requireNotOver()
        return [.shadowBegun(amendment: try amendment(to: new, hash))]
    }
}

extension MigrationState {
    func endShadow(of migration: Migration) throws(Refusal) -> [Event] {
        guard let shadow, shadow.endedAt == nil else {
            throw Refusal(.wrongState, "\(migration.plan.name) has no shadow plan that is judged")
        }
        return [.shadowEnded]
    }

    /// What the shadow plan decides on a commit.
    ///
    /// - Parameters:
    ///   - commit: the one that was decided, with its own events.
    ///   - forbidden: why whoever gave its command may not, by the keys of the log.
    /// - Returns: what to record in the same commit; nothing without a shadow plan.
    func shadowEvents(on commit: Commit, forbidden: Refusal?) -> [Event] {
        guard let shadow, shadow.endedAt == nil else { return [] }
        switch commit.command {
        case .beginShadow, .endShadow: return []
        default: break
        }
        // What does not fold is not recorded either: whoever asked hears of that first.
        guard let after = try? folding(commit) else { return [] }
        var follower = Follower(shadow.state)
        guard (try? follower.follow(commit, from: self, to: after, forbidden: forbidden)) != nil else {
            return [.shadowEnded]
        }
        var events: [Event] = []
        if shadow.partedFrom == nil, follower.isParted { events.append(.shadowParted) }
        if !follower.decisions.isEmpty { events.append(.shadowDecided(decisions: follower.decisions)) }
        if shadow.differsFrom == nil, follower.isElsewhere { events.append(.shadowDiffers) }
        if isShadowOver(after, commit) { events.append(.shadowEnded) }
        return events
    }

    /// No window comes any more, or those that came were lost.
    private func isShadowOver(_ after: MigrationState, _ commit: Commit) -> Bool {
        if after.migration?.phase.isOver ?? true { return true }
        return commit.events.contains { if case .logRewound = $0 { true } else { false } }
    }
}
