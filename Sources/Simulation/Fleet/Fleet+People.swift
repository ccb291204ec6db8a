import MigrationCore

extension Fleet {
    /// Somebody looks at a migration and does what is to be done.
    mutating func glance(_ index: Int) throws(Violation) {
        let next = now + crew.nextGlance(&random)
        queue.push(.glance(migration: index), at: next.rawValue)
        guard let migration = logs[index].migration else { return }
        // A new one is planned by hand, and somebody sees that it is there.
        if !isFair, conditions.isDatabaseAway == 0, let plan = crew.next(after: migration, &random) {
            count(end: migration)
            return try replace(index, by: plan)
        }
        let absent = migrationRouters(index).filter { router in
            (!router.isUp || router.isCut) && migration.routers.contains { $0.name == router.name }
        }
        let commands = crew.act(
            on: migration,
            absent: absent.map(\.name),
            at: now,
            isFair: isFair,
            &random
        )
        for given in commands {
            let id = newID()
            let delay = waiting(.seconds(10))
            queue.push(.command(migration: index, id: id, given: given), at: now.rawValue + delay)
            // Somebody who does not see at once what came of it sends it again.
            if !isFair, chance(0.1) {
                let again = now.rawValue + delay + waiting(.minutes(1))
                queue.push(.command(migration: index, id: id, given: given), at: again)
            }
        }
    }

    /// A command of a person reaches the log, or is sent again with the same ID until it is known to be there.
    mutating func perform(_ given: PersonsCommand, id: Int, on index: Int) throws(Violation) {
        guard conditions.isDatabaseAway == 0 else {
            let again = now.rawValue + 5_000_000 + waiting(.seconds(20))
            return queue.push(.command(migration: index, id: id, given: given), at: again)
        }
        let before = logs[index].state
        let at = max(now, before.decidedAt)
        guard !logs[index].ids.contains(id) || setting.mutant == .retryWithoutLookup else {
            return tally.count(.repeated)
        }
        // Refused without a migration, or by a time that goes back: there is nothing to record.
        guard let events = try? before.decideRecorded(given, at, setting.mutant) else { return }
        guard !events.isEmpty else {
            throw Violation(
                invariant: 15,
                message: "“\(given.command.brief)” by \(given.actor) is neither applied nor refused"
            )
        }
        let outcome = try logs[index].append(
            given.command,
            events,
            by: given.actor,
            decidedAt: at,
            expected: before.version,
            id: id,
            at: at,
            setting.mutant
        )
        guard outcome == .appended else { return }
        try follow(index, before)
        // What became of it is not always heard; then it is sent again.
        if conditions.areBackendsKilled > 0, chance(0.5) {
            tally.count(.unheard)
            let again = now.rawValue + waiting(.seconds(5))
            queue.push(.command(migration: index, id: id, given: given), at: again)
        }
    }
}

extension MigrationState {
    fileprivate func decideRecorded(_ given: PersonsCommand, _ at: Timestamp, _ mutant: Mutant?) throws(Refusal)
        -> [Event]
    {
        try decide(given.command, by: given.actor, at: at, mutant)
    }
}
