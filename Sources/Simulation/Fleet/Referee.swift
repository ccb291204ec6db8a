import MigrationCore
import Routing

/// Holds one migration of a fleet to the invariants, by what only a simulation can know.
struct Referee: Sendable {
    /// Since when every router of the step’s environment really has its weight.
    private var acknowledgedAt: Timestamp?
    /// Whole good windows in a row since, and bad ones in a row under the present guards, both counted from the measurements alone.
    private var goodRun = 0
    private var badRun = 0
    private var lastJudged: Int64?
    private var entered: [Position] = []
    /// Commits were lost, and not every router has said since what it has.
    private(set) var isTainted = false
    private var unheard: Set<String> = []
    /// The weights that each commit set, by its hash and environment.
    private var weights: [Key: [String: Weight]] = [:]
    /// What each router took last, whatever it remembers of it.
    private var taken: [String: RouteTable] = [:]
    private let mutant: Mutant?

    private struct Key: Hashable, Sendable {
        var hash: String
        var environment: String
    }

    init(mutant: Mutant?) { self.mutant = mutant }

    // MARK: - Commits

    /// What holds of every commit.
    ///
    /// - Parameters:
    ///   - log: with the commit at its end.
    ///   - before: the state before it.
    ///   - routers: the migration's.
    mutating func committed(_ log: VirtualLog, before: MigrationState, _ routers: [VirtualRouter], at: Timestamp)
        throws(Violation)
    {
        guard let entry = log.entries.last, let migration = log.migration else { return }
        let commit = entry.commit
        guard commit.version == before.version + 1, commit.version == Int64(log.entries.count) else {
            throw Violation(invariant: 2, message: "version \(commit.version) follows version \(before.version)")
        }
        if let was = before.migration {
            try checkJudgement(commit, was)
            let advance = try Invariant.checkAdvance(commit, was, entered: entered)
            if advance == .passed, let step = was.phase.step, !isTainted {
                let need = max(1, was.plan.stage(at: step.position).bake.windows(of: was.plan.window))
                guard goodRun >= need else {
                    throw Violation(
                        invariant: 10,
                        message: "a step passes after \(goodRun) good windows in a row, and needs \(need)"
                    )
                }
            }
            try checkPerson(commit, was)
        }
        try Invariant.checkApprovals(migration)
        try Invariant.checkWeights(migration)
        // People's commands are decided again each time, the many of workers one in sixteen.
        if commit.command.isOverride || commit.version % 16 == 0 { try redecide(commit, before) }
        follow(log, routers, at: at)
        try checkRollback(migration, routers)
    }

    private func redecide(_ commit: Commit, _ before: MigrationState) throws(Violation) {
        let again = try? before.decide(commit.command, by: commit.actor, at: commit.decidedAt, mutant)
        if again != commit.events {
            throw Violation(invariant: 20, message: "\(commit.command) is decided otherwise than it was")
        }
        try decideAlone(commit, before)
    }

    /// A shadow plan changes nothing of what is decided without it.
    private func decideAlone(_ commit: Commit, _ before: MigrationState) throws(Violation) {
        guard before.shadow != nil else { return }
        if case .endShadow = commit.command { return }
        var alone = before
        alone.shadow = nil
        let own = (try? alone.decide(commit.command, by: commit.actor, at: commit.decidedAt, mutant)) ?? []
        guard Array(commit.events.prefix(own.count)) == own,
            commit.events.dropFirst(own.count).allSatisfy(\.isOfShadow)
        else {
            throw Violation(invariant: 20, message: "\(commit.command) is decided otherwise with a shadow plan")
        }
    }

    private mutating func checkJudgement(_ commit: Commit, _ was: Migration) throws(Violation) {
        guard case .sealWindow(let window) = commit.command, case .windowJudged(let judgement)? = commit.events.first
        else { return }
        guard judgement.k > lastJudged ?? .min, judgement.k == was.nextWindow else {
            throw Violation(invariant: 12, message: "window \(judgement.k) is judged again")
        }
        lastJudged = judgement.k
        guard let stage = judgement.stage, let environment = was.guardedEnvironment else { return }
        let plan = was.plan
        let seen = window.environments.first { $0.environment == environment }
        let registered = was.routers(in: environment).map(\.name)
        let isWhole = !registered.isEmpty && registered.allSatisfy { seen?.routers.contains($0) ?? false }
        if !isWhole, judgement.criteria.contains(where: { $0.verdict == .pass }) {
            throw Violation(invariant: 11, message: "window \(judgement.k) was not seen, and passes")
        }
        let all = seen?.total(.candidate, Array(plan.services.indices)) ?? Counts()
        badRun = isBad(all, plan.triggers(at: stage).first) ? badRun + 1 : 0
        let hasFired = commit.events.contains { if case .rollbackStarted = $0 { true } else { false } }
        if let need = plan.triggers(at: stage).first?.need(window: plan.window), badRun >= need,
            was.phase.rollback == nil, !hasFired
        {
            throw Violation(invariant: 17, message: "\(badRun) bad windows in a row, and no rollback")
        }
        guard let step = was.phase.step, let since = acknowledgedAt, plan.clock.start(of: judgement.k) >= since else {
            goodRun = 0
            return
        }
        let mine = seen?.total(.candidate, plan.stage(at: step.position).services) ?? Counts()
        let isIdle = plan.weight(at: step.position) == .zero
        goodRun = isWhole && (isIdle || isGood(mine, plan.criteria(at: stage).first)) ? goodRun + 1 : 0
    }

    /// Whether the counts are strictly beyond the first trigger, which every plan of a fleet has on its error rate.
    private func isBad(_ counts: Counts, _ trigger: Trigger?) -> Bool {
        guard let trigger, trigger.scope == .all, case .threshold(.above, let limit) = trigger.condition.test,
            trigger.condition.metric == .errorRate, counts.requests >= max(1, trigger.minimum)
        else { return false }
        return counts.errors * 1_000_000 > limit * counts.requests
    }

    /// Whether the counts are inside the first criterion, which every plan of a fleet has on its error rate.
    private func isGood(_ counts: Counts, _ criterion: Criterion?) -> Bool {
        guard let criterion, case .threshold(.below, let limit) = criterion.condition.test,
            criterion.condition.metric == .errorRate
        else { return true }
        return counts.requests >= max(1, criterion.minimum) && counts.errors * 1_000_000 < limit * counts.requests
    }

    private func checkPerson(_ commit: Commit, _ was: Migration) throws(Violation) {
        guard commit.command.isOverride else { return }
        guard !commit.events.isEmpty else {
            throw Violation(invariant: 15, message: "“\(commit.command)” is neither applied nor refused")
        }
        let isRefused: Bool
        if case .overrideRefused? = commit.events.first { isRefused = true } else { isRefused = false }
        if case .rollBack = commit.command, isRefused, !was.phase.isOver,
            !commit.actor.hasPrefix(Command.workerPrefix)
        {
            throw Violation(invariant: 16, message: "a rollback is refused while \(was.phase.name)")
        }
        if !isRefused, commit.actor.hasPrefix(Command.workerPrefix) {
            if case .reportCheck = commit.command { return }
            throw Violation(invariant: 21, message: "a worker gives a person's command")
        }
    }

    private mutating func follow(_ log: VirtualLog, _ routers: [VirtualRouter], at: Timestamp) {
        guard let commit = log.entries.last?.commit, let migration = log.migration else { return }
        for event in commit.events {
            switch event {
            case .started, .restarted:
                entered = []
                badRun = 0
                lastJudged = nil
            case .stepEntered(let position):
                // Another stage's guards begin anew when they are others.
                if let last = entered.last,
                    migration.plan.guards(at: last.stage) != migration.plan.guards(at: position.stage)
                {
                    badRun = 0
                }
                entered.append(position)
                unsettle(log, routers, at)
            case .weightsSet(let environment, _, _, _):
                note(log, environment)
                unsettle(log, routers, at)
            case .flagSet, .logRewound:
                for environment in migration.plan.environments { note(log, environment) }
                unsettle(log, routers, at)
                if case .logRewound = event { isTainted = false }
            case .planAmended: badRun = 0
            case .rollbackStarted: badRun = 0
            default: break
            }
        }
    }

    private mutating func note(_ log: VirtualLog, _ environment: String) {
        guard let table = log.table(of: environment) else { return }
        weights[Key(hash: table.hash, environment: environment)] = table.weights
    }

    // MARK: - Routers

    /// What holds when a router has taken a table.
    mutating func delivered(
        _ router: VirtualRouter,
        before: RouteTable?,
        _ log: VirtualLog,
        _ routers: [VirtualRouter],
        at: Timestamp
    ) throws(Violation) {
        guard let table = router.fence.table, let migration = log.migration else { return }
        if let last = taken[router.name], last.logID == table.logID, table.revision < last.revision {
            throw Violation(
                invariant: 5,
                message: "\(router.name) goes from revision \(last.revision) to \(table.revision)"
            )
        }
        taken[router.name] = table
        if let known = weights[Key(hash: table.hash, environment: table.environment)], known != table.weights {
            throw Violation(
                invariant: 6,
                message: "\(router.name) has other weights than revision \(table.revision) set"
            )
        }
        try Invariant.checkBuckets(before, table, areDealtAnew: mutant == .bucketsDealtAnew)
        try checkRollback(migration, routers)
        settle(log, routers, at)
    }

    /// A rollback that is acknowledged is in force at every router that is registered (7).
    private func checkRollback(_ migration: Migration, _ routers: [VirtualRouter]) throws(Violation) {
        guard let rollback = migration.phase.rollback, rollback.acknowledgedAt != nil, !isTainted,
            migration.quarantine == nil
        else { return }
        for part in rollback.parts {
            for router in routers where router.environment == part.environment {
                guard migration.routers.contains(where: { $0.name == router.name }) else { continue }
                for service in part.services where router.weight(migration.plan.services[service].name) > .zero {
                    throw Violation(
                        invariant: 7,
                        message: "the rollback is acknowledged, and \(router.name) serves the candidate"
                    )
                }
            }
        }
    }

    /// Notes when every router of the step's environment really has the step's weights.
    private mutating func settle(_ log: VirtualLog, _ routers: [VirtualRouter], _ at: Timestamp) {
        guard acknowledgedAt == nil, let migration = log.migration, let step = migration.phase.step else { return }
        let environment = migration.plan.stage(at: step.position).environment
        guard let table = log.table(of: environment) else { return }
        let concerned = routers.filter { router in
            router.environment == environment && migration.routers.contains { $0.name == router.name }
        }
        if concerned.allSatisfy({ $0.fence.table == table }) { acknowledgedAt = at }
    }

    private mutating func unsettle(_ log: VirtualLog, _ routers: [VirtualRouter], _ at: Timestamp) {
        acknowledgedAt = nil
        goodRun = 0
        settle(log, routers, at)
    }

    /// A router is no longer waited for, or has just been heard of: what is left may be agreed.
    mutating func changed(_ log: VirtualLog, _ routers: [VirtualRouter], at: Timestamp) {
        settle(log, routers, at)
    }

    /// A router begins anew, because the log did.
    mutating func forgot(_ router: String) { taken[router] = nil }

    // MARK: - A log that went back in time

    /// What was true of the commits that are left is true still.
    mutating func lost(_ log: VirtualLog, _ routers: [VirtualRouter], at: Timestamp) {
        guard let migration = log.migration else { return }
        isTainted = true
        unheard = Set(migration.routers.map(\.name))
        let bake = migration.phase.step?.bake
        acknowledgedAt = bake == nil ? nil : migration.steps.last?.acknowledgedAt
        goodRun = bake?.run ?? 0
        badRun = migration.guards.first?.streak.breaches ?? 0
        lastJudged = migration.judgement?.k
        entered = migration.steps.map(\.position)
        settle(log, routers, at)
    }

    /// A router's word has reached the log; once all have been heard and none knew more, nothing of it is left.
    mutating func heard(_ report: VirtualLog.Report, _ log: VirtualLog) {
        guard isTainted, !log.isForked(report), report.revision <= log.version else { return }
        unheard.remove(report.router)
        if unheard.isEmpty { isTainted = false }
    }

    // MARK: - The end

    /// The state is the fold of all commits, and their chain is whole (1, 20); every command of a person that was not lost is in the log
    /// once (3, 15).
    func checkWhole(_ log: VirtualLog) throws(Violation) {
        var state = MigrationState.initial
        var chain: UInt64 = 0
        var ids: Set<Int> = []
        for entry in log.entries {
            guard let folded = try? state.folding(entry.commit) else {
                throw Violation(invariant: 1, message: "version \(entry.commit.version) cannot be folded")
            }
            state = folded
            chain = History.link(entry.commit, chain)
            guard chain == entry.chain else { throw Violation(invariant: 20, message: "the chain is broken") }
            if let id = entry.id, !ids.insert(id).inserted {
                throw Violation(invariant: 3, message: "command \(id) is in the log twice")
            }
        }
        guard state == log.state else {
            throw Violation(invariant: 1, message: "the state is not the fold of its commits")
        }
    }
}
