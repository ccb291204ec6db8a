extension Decision {
    /// A router has a revision of this log that the log does not have, or has with other content: the log went back in time.
    func quarantine(_ router: String, _ revision: Int64, isForked: Bool) throws(Refusal) -> [Event] {
        guard migration.routers.contains(where: { $0.name == router }) else {
            throw unknown("router", router, migration.routers.map(\.name))
        }
        guard isForked || revision >= version else {
            throw Refusal(.unknownRevision, "revision \(revision) of \(router) is one that the log has")
        }
        guard !migration.phase.isFinal, migration.quarantine == nil else { return [] }
        return [.quarantined(router: router, revision: revision)]
    }

    /// The log is not the one of which a checkpoint is kept elsewhere: its end was cut off, or commits are others than they were. What people
    /// have answered by declaring the log rewound is no news, wherever it is kept.
    func quarantine(_ place: String, _ size: Int64, _ root: String) -> [Event] {
        let isAnswered = (migration.answered ?? []).contains {
            if case .checkpoint(_, size, root) = $0 { true } else { false }
        }
        if isAnswered { return [] }
        guard !migration.phase.isFinal, migration.quarantine == nil else { return [] }
        return [.quarantinedByCheckpoint(place: place, size: size, root: root)]
    }

    /// A person says that the log, as it stands, is what counts: routers take its weights, and whoever advanced is halted.
    func declareRewound() throws(Refusal) -> [Event] {
        guard migration.quarantine != nil else {
            throw Refusal(.wrongState, "\(plan.name) is not quarantined: nobody knows more than the log")
        }
        let anew = Event.logRewound(revision: version)
        switch migration.phase {
        case .running, .watching:
            return [anew, .halted(cause: .rewound, reason: "the log began anew: what was decided meanwhile is lost")]
        case .rollingBack(let rollback): return [anew] + acknowledged(rollback)
        case .rolledBack(let rollback):
            // What the lost commits had begun again is at the candidate still; nothing was judged since, unless a part was guarded.
            let first = rollback.isWhole ? plan.clock.firstIndex(from: at) : nil
            return [.logRewound(revision: version, firstWindow: first)] + acknowledged(rollback)
        case .planned, .halted, .completed, .abandoned: return [anew]
        }
    }

    /// A rollback that no router has to hear of is acknowledged.
    private func acknowledged(_ rollback: Rollback) -> [Event] {
        isRouted(rollback.parts) ? [] : [.rollbackAcknowledged]
    }

    /// Refuses what moves traffic forward while the log may have forgotten why it went back.
    func requireNoQuarantine(against command: Command) throws(Refusal) {
        guard let quarantine = migration.quarantine else { return }
        switch command {
        case .amend, .start, .resume, .setWeight, .approve, .skip, .restart, .beginShadow,
            .setFlag(_, enabled: true, _):
            throw Refusal(
                .blocked,
                "\(plan.name) is quarantined: \(quarantine.evidence)",
                mend: "roll it back, or find out what was lost, and then: migrate rewound \(plan.name)"
            )
        case .plan, .halt, .rollBack, .setFlag, .reportCheck, .abandon, .declareRewound, .retireRouter,
            .endShadow, .redact, .registerRouter, .acknowledge, .quarantine, .quarantineByCheckpoint, .evictRouter,
            .sealWindow, .recordLate, .tick:
            break
        }
    }
}

extension MigrationState {
    /// Whether a commit with these events begins a new incarnation of the log: a person declared it rewound, or moves traffic while it is
    /// quarantined, and routers that know higher revisions of the one before must follow.
    package func beginsIncarnation(with events: [Event]) -> Bool {
        events.contains { event in
            switch event {
            case .logRewound: true
            case .weightsSet, .flagSet: migration?.quarantine != nil
            default: false
            }
        }
    }
}
