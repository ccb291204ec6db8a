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
        let plan = was.plan
        try checkJudgement(commit, was, quality)
        try checkAdvance(commit, was, plan)
        try checkPeople(migration)
        try checkWeights(migration)
        // Decided again from what is recorded, it comes out the same.
        let again = try? World.decide(commit.command, before.log, by: commit.actor, at: commit.decidedAt, mutant)
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

    private func checkAdvance(_ commit: Commit, _ was: Migration, _ plan: Plan) throws(Violation) {
        var isSkipped = false, isPassed = false
        for event in commit.events {
            if case .stepPassed(_, let skipped) = event {
                isSkipped = skipped
                isPassed = true
            }
        }
        let positions = commit.events.compactMap { event -> Position? in
            if case .stepEntered(let position) = event { return position }
            return nil
        }
        guard Set(positions).count == positions.count else {
            throw Violation(invariant: 13, message: "one commit enters a step twice")
        }
        let entered = positions.first
        let goesBack = commit.events.contains { if case .rollbackStarted = $0 { true } else { false } }
        if goesBack, entered != nil || isPassed {
            throw Violation(invariant: 17, message: "one commit rolls back and advances")
        }
        guard entered != nil || isPassed else { return }
        let begins: Bool
        switch commit.command {
        case .start, .restart: begins = true
        default: begins = false
        }
        guard begins || was.phase.name == "running" else {
            throw Violation(invariant: 8, message: "a step is entered while \(was.phase.name)")
        }
        if let position = entered, !begins {
            guard let current = was.phase.step?.position, plan.next(after: current) == position else {
                throw Violation(
                    invariant: 9,
                    message: "the step after \(String(describing: was.phase.step?.position)) is left out"
                )
            }
        }
        if let position = entered, begins {
            let isFirst = position == Position(stage: 0, step: 0)
            guard isFirst || (was.phase.rollback.map { !$0.isWhole } ?? false && position.step == 0) else {
                throw Violation(invariant: 9, message: "it does not begin at a first step")
            }
        }
        if let position = entered, !begins, ghost.entered.contains(position) {
            throw Violation(invariant: 13, message: "the step \(position) is entered twice")
        }
        // After a lost tail an acknowledgement may be of a router that has heard more since; its next report quarantines.
        if isPassed, !isSkipped, ghost.goodRun < 1, !ghost.hasLost {
            throw Violation(invariant: 10, message: "a step passes without a good window after its acknowledgement")
        }
    }

    private func checkPeople(_ migration: Migration) throws(Violation) {
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

    private func checkWeights(_ migration: Migration) throws(Violation) {
        guard migration.traffic.map(\.environment) == migration.plan.environments,
            migration.traffic.allSatisfy({ $0.effective.count == migration.plan.services.count })
        else { throw Violation(invariant: 4, message: "an environment has two weights, or none") }
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
        try checkBuckets(before.table, table, mutant)
    }

    /// A weight that rises moves nobody to legacy, one that falls nobody to the candidate.
    private func checkBuckets(_ before: RouteTable?, _ after: RouteTable, _ mutant: Mutant?) throws(Violation) {
        func implementation(_ bucket: Int, _ table: RouteTable?, _ service: String) -> Implementation {
            let weight = table?.weight(of: service) ?? .zero
            let shift = mutant == .bucketsDealtAnew ? Int(table?.revision ?? 0) * 1_237 : 0
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
