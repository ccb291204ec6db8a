import MigrationCore

extension Fleet {
    /// Counts what a commit brought about.
    mutating func count(_ commit: Commit, _ before: MigrationState) {
        if case .sealWindow(let window) = commit.command, let was = before.migration { count(window, commit, was) }
        for event in commit.events {
            switch event {
            case .planAmended: tally.count(.amended)
            case .shadowDiffers: tally.count(.shadowed)
            case .baselineRecorded: tally.count(.baselineRecorded)
            case .noDataDetected: tally.count(.noData)
            case .signalLate: tally.count(.late)
            case .stepPassed(_, let skipped): tally.count(skipped ? .stepSkipped : .stepPassed)
            case .halted(let cause, _):
                tally.count(.halted)
                count(cause)
            case .rollbackStarted(let rollback, _): count(rollback)
            case .rollbackConfirmed: tally.count(.rollbackConfirmed)
            case .rollbackOverdue: tally.count(.rollbackOverdue)
            case .restarted: tally.count(.restarted)
            case .expired: tally.count(.expired)
            case .completed: tally.count(.completed)
            case .quarantined, .quarantinedByCheckpoint: tally.count(.quarantined)
            case .logRewound: tally.count(.rewound)
            case .routerRetired:
                if case .evictRouter = commit.command {
                    tally.count(.routerEvicted)
                } else {
                    tally.count(.routerRetired)
                }
            case .overrideRefused: tally.count(.refused)
            default: break
            }
        }
    }

    private mutating func count(_ window: Window, _ commit: Commit, _ was: Migration) {
        if window.environments.contains(where: { $0.readings?.values.contains { $0.isFailed } ?? false }) {
            tally.count(.sourceFailed)
        }
        let expected = was.guardedEnvironment.map { was.routers(in: $0).count } ?? 0
        let seen = window.environments.first { $0.environment == was.guardedEnvironment }?.routers.count ?? 0
        if seen == 0 {
            tally.count(.windowMissing)
        } else {
            tally.count(seen < expected ? .windowPartial : .windowWhole)
        }
        if commit.decidedAt - (was.plan.clock.end(of: window.k) + was.plan.grace) > was.plan.window * 3 {
            tally.count(.caughtUp)
        }
        if was.plan.isFrozen(at: commit.decidedAt), was.phase.name == "running" { tally.count(.frozen) }
    }

    private mutating func count(_ cause: Halt.Cause) {
        switch cause {
        case .approvalTimedOut, .checkTimedOut, .stepTimedOut: tally.count(.gateTimedOut)
        case .person, .expired, .checkFailed, .rewound: break
        }
    }

    private mutating func count(_ rollback: Rollback) {
        switch rollback.cause {
        case .trigger: tally.count(.rolledBackByTrigger)
        case .person: tally.count(.rolledBackByPerson)
        case .gate: tally.count(.rolledBackByGate)
        }
        if !rollback.isWhole { tally.count(.partlyRolledBack) }
    }

    /// Counts what a migration ended as.
    mutating func count(end migration: Migration) {
        if case .abandoned = migration.phase { tally.count(.abandoned) }
    }
}
