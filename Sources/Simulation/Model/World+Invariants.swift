import MigrationCore
import Routing

extension World {
    /// What holds of every commit: `self` is the world with it at the log's end.
    ///
    /// - Parameter quality: what a sealed window was really like; nil for a person's command.
    mutating func checkCommit(after before: World, quality: Quality?, _ mutant: Mutant?) throws(Violation) {
        guard let commit = history?.commit, let was = before.log.migration, let migration = log.migration else {
            return
        }
        try checkJudgement(commit, was, quality)
        let advance = try Invariant.checkAdvance(commit, was, entered: ghost.entered)
        // After a lost tail an acknowledgement may be of a router that has heard more since; its next report quarantines.
        if advance == .passed, ghost.goodRun < 1, !ghost.hasLost {
            throw Violation(invariant: 10, message: "a step passes without a good window after its acknowledgement")
        }
        try Invariant.checkApprovals(migration)
        try Invariant.checkWeights(migration)
        // Decided again from what is recorded, it comes out the same.
        let again = try? before.log.decide(commit.command, by: commit.actor, at: commit.decidedAt, mutant)
        if again != commit.events {
            throw Violation(invariant: 20, message: "\(commit.command) is decided otherwise than it was")
        }
        follow(commit)
    }

    private mutating func checkJudgement(_ commit: Commit, _ was: Migration, _ quality: Quality?) throws(Violation) {
        guard case .windowJudged(let judgement)? = commit.events.first, let quality else { return }
        let plan = was.plan
        guard judgement.k > ghost.lastJudged ?? .min, judgement.k == was.nextWindow else {
            throw Violation(invariant: 12, message: "window \(judgement.k) is judged again")
        }
        ghost.lastJudged = judgement.k
        let isWhole = quality == .good || quality == .bad
        let isServed =
            was.guardedEnvironment.map { environment in
                plan.services.indices.contains {
                    ghost.exposed.contains(Ghost.Exposure(k: judgement.k, environment: environment, service: $0))
                }
            } ?? false
        if !isWhole || !isServed, judgement.criteria.contains(where: { $0.verdict == .pass }) {
            throw Violation(invariant: 11, message: "window \(judgement.k) was not seen, and passes")
        }
        // Breaches in a row: what is between two of them does not matter here, so only whole runs are counted.
        let fires = quality == .bad && isServed
        ghost.badRun = fires ? ghost.badRun + 1 : 0
        let hasFired = commit.events.contains { if case .rollbackStarted = $0 { true } else { false } }
        if ghost.badRun >= 2, was.guardedStage != nil, was.phase.rollback == nil, !hasFired {
            throw Violation(invariant: 17, message: "two bad windows in a row, and no rollback")
        }
        let isIdle = was.phase.step.map { plan.weight(at: $0.position) == .zero } ?? false
        if let since = ghost.acknowledgedAt, plan.clock.start(of: judgement.k) >= since, was.phase.step?.bake != nil {
            let isGood = isIdle ? isWhole : quality == .good && isServed
            ghost.goodRun = isGood ? ghost.goodRun + 1 : 0
        } else {
            ghost.goodRun = 0
        }
    }

    /// What a commit means for what only we know.
    private mutating func follow(_ commit: Commit) {
        for event in commit.events {
            switch event {
            case .started, .restarted:
                ghost.entered = []
                ghost.badRun = 0
                ghost.lastJudged = nil
            case .stepEntered(let position):
                ghost.entered.append(position)
                unsettle()
            case .weightsSet, .flagSet, .logRewound: unsettle()
            case .rollbackStarted:
                ghost.badRun = 0
                unsettle()
            default: break
            }
        }
    }

    // MARK: - Routers

    /// What holds when a router takes a table.
    func checkDelivery(_ index: Int, before: Fence, _ mutant: Mutant?) throws(Violation) {
        guard let table = routers[index].table, let migration = log.migration else { return }
        let name = routers[index].name
        let key = Ghost.Key(incarnation: incarnation, revision: table.revision, environment: table.environment)
        if table.logID == "log \(incarnation)", !ghost.hasLost, let weights = ghost.weights[key],
            weights != table.weights
        {
            throw Violation(invariant: 6, message: "\(name) has other weights than revision \(table.revision) set")
        }
        if let rollback = migration.phase.rollback, (before.table?.revision ?? 0) >= rollback.revision,
            before.table?.logID == "log \(incarnation)"
        {
            for part in rollback.parts where part.environment == table.environment {
                for service in part.services where table.weight(of: migration.plan.services[service].name) > .zero {
                    throw Violation(
                        invariant: 7,
                        message:
                            "\(name), which has the rollback, takes \(migration.plan.services[service].name) above 0"
                    )
                }
            }
        }
        try Invariant.checkBuckets(before.table, table, areDealtAnew: mutant == .bucketsDealtAnew)
    }

    // MARK: - Every world

    /// What holds after every move.
    func check(after before: World) throws(Violation) {
        guard let migration = log.migration else { return }
        for (old, new) in zip(before.routers, routers) where incarnation == before.incarnation {
            guard let had = old.table, had.logID == new.table?.logID ?? had.logID else { continue }
            let has = new.table?.revision ?? 0
            if has < had.revision {
                throw Violation(invariant: 5, message: "\(new.name) goes from revision \(had.revision) to \(has)")
            }
        }
        if let rollback = migration.phase.rollback, rollback.acknowledgedAt != nil, migration.quarantine == nil {
            for part in rollback.parts {
                for router in routers where router.environment == part.environment {
                    for service in part.services where router.weight(migration.plan.services[service].name) > .zero {
                        throw Violation(
                            invariant: 7,
                            message: "the rollback is acknowledged, and \(router.name) serves the candidate"
                        )
                    }
                }
            }
        }
        try checkRouterWeights(migration)
        try checkFold()
    }

    /// A router that the log calls acknowledged has the weights of that revision.
    private func checkRouterWeights(_ migration: Migration) throws(Violation) {
        guard migration.quarantine == nil else { return }
        for router in routers {
            guard let table = router.table, table.logID == "log \(incarnation)",
                let known = migration.routers.first(where: { $0.name == router.name })?.revision,
                known == table.revision
            else { continue }
            let key = Ghost.Key(incarnation: incarnation, revision: known, environment: router.environment)
            if let weights = ghost.weights[key], weights != table.weights {
                throw Violation(invariant: 6, message: "\(router.name) has other weights than revision \(known) set")
            }
        }
    }

    /// The state is the fold of all commits, and their chain is whole; looked at in one world of many, and so on every path.
    private func checkFold() throws(Violation) {
        guard let history, log.version % 5 == 0 else { return }
        var state = MigrationState.initial
        var chain: UInt64 = 0
        for commit in history.commits {
            guard let folded = try? state.folding(commit) else {
                throw Violation(invariant: 1, message: "version \(commit.version) cannot be folded")
            }
            state = folded
            chain = History.link(commit, chain)
        }
        guard state == log else { throw Violation(invariant: 1, message: "the state is not the fold of its commits") }
        guard chain == history.chain else { throw Violation(invariant: 20, message: "the chain is broken") }
    }
}
