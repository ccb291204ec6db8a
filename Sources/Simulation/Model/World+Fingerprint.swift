import MigrationCore
import Routing

extension World {
    /// A number that is the same for worlds in which the same can happen.
    ///
    /// Revisions count only by their order and times only by their distance from now, so that histories of different length meet in
    /// one world.
    var fingerprint: UInt64 {
        var mix = Mix()
        let ranks = ranks()
        func rank(_ revision: Int64?) -> Int { revision.flatMap { ranks.firstIndex(of: $0) } ?? -1 }
        mix.add(left.people)
        mix.add(left.crashes)
        mix.add(left.restarts)
        mix.add(left.losses)
        mix.add(incarnation)
        mix.add(time % 2)
        if let migration = log.migration { add(migration, rank, &mix) }
        // Routers of one environment are alike: their numbers count in any order.
        let numbers = routers.map { number(of: $0, rank) }
        for number in zip(routers.map(\.environment), numbers).sorted(by: { $0 < $1 }) {
            mix.add(Int64(bitPattern: number.1))
        }
        add(slow, numbers, &mix)
        for table in offered {
            mix.add(rank(table.revision))
            mix.add(table.logID == "log \(incarnation)" ? 1 : 0)
            add(table, &mix)
        }
        add(ghost, &mix)
        return mix.value
    }

    private func number(of router: ModelRouter, _ rank: (Int64?) -> Int) -> UInt64 {
        var mix = Mix()
        mix.add(rank(router.table?.revision))
        mix.add(router.table.map { $0.logID == "log \(incarnation)" ? 1 : 2 } ?? 0)
        add(router.table, &mix)
        mix.add(rank(router.reported?.revision))
        mix.add(router.reported.map { $0.incarnation + ($0.hash == router.table?.hash ? 10 : 20) } ?? -1)
        mix.add(rank(log.migration?.routers.first { $0.name == router.name }?.revision))
        return mix.value
    }

    private func ranks() -> [Int64] {
        var all: [Int64] = [log.version]
        all += offered.map(\.revision) + routers.compactMap { $0.table?.revision }
        all += routers.compactMap { $0.reported?.revision }
        if let migration = log.migration {
            all += migration.traffic.map(\.revision) + migration.routers.compactMap(\.revision)
            if let rollback = migration.phase.rollback { all.append(rollback.revision) }
        }
        all.sort()
        var unique: [Int64] = []
        for revision in all where unique.last != revision { unique.append(revision) }
        return unique
    }

    /// Distances from now in half windows, no further than matters.
    private func distance(_ moment: Timestamp?) -> Int {
        guard let moment else { return 99 }
        let ticks = (moment - now).rawValue / SmallWorld.tick.rawValue
        return Int(max(-14, min(14, ticks)))
    }

    private func distance(_ k: Int64?) -> Int {
        guard let k, let plan = log.migration?.plan else { return 99 }
        return Int(max(-6, min(6, k - window(plan))))
    }

    private func add(_ migration: Migration, _ rank: (Int64?) -> Int, _ mix: inout Mix) {
        add(migration.phase, rank, &mix)
        for traffic in migration.traffic {
            mix.add(rank(traffic.revision))
            for weight in traffic.planned + traffic.weights { mix.add(weight.rawValue) }
        }
        for flag in migration.flags { mix.add(flag ? 1 : 0) }
        mix.add(distance(migration.nextWindow))
        mix.add(migration.stage)
        for running in migration.guards {
            mix.add(running.streak.breaches)
            mix.add(Int(running.streak.gap.rawValue / SmallWorld.tick.rawValue))
            mix.add(min(3, running.streak.missing))
        }
        for judged in migration.judgement?.criteria ?? [] { mix.add(judged.verdict.number) }
        for approval in migration.approvals {
            mix.add(approval.position.stage * 8 + approval.position.step)
            mix.add(approval.by == "ana" ? 1 : approval.by == "ben" ? 2 : 3)
        }
        for check in migration.checks { mix.add(check.isPassed ? 1 : 2) }
        mix.add(migration.quarantine == nil ? 0 : 1)
        mix.add(migration.rollbacks.count)
        mix.add(migration.steps.last.map { $0.position.stage * 8 + $0.position.step } ?? -1)
    }

    private func add(_ phase: Phase, _ rank: (Int64?) -> Int, _ mix: inout Mix) {
        switch phase {
        case .planned: mix.add(1)
        case .running(let step):
            mix.add(2)
            add(step, &mix)
        case .halted(let halt):
            mix.add(3)
            switch halt.held {
            case .stepping(let step): add(step, &mix)
            case .watching(let watch): mix.add(distance(watch.until))
            }
        case .watching(let watch):
            mix.add(4)
            mix.add(distance(watch.until))
        case .rollingBack(let rollback), .rolledBack(let rollback), .abandoned(let rollback):
            mix.add(phase.isOver ? 5 : 6)
            mix.add(rank(rollback.revision))
            mix.add(distance(rollback.acknowledgedAt))
            mix.add(distance(rollback.decidedAt))
            mix.add(rollback.isOverdue ? 1 : 0)
            mix.add(rollback.outcome == .abandoned ? 1 : 0)
            mix.add(rollback.confirmedAt == nil ? 0 : 1)
            for part in rollback.parts { for service in part.services { mix.add(service) } }
        case .completed: mix.add(7)
        }
    }

    private func add(_ step: Step, _ mix: inout Mix) {
        mix.add(step.position.stage * 8 + step.position.step)
        mix.add(distance(step.enteredAt))
        switch step.progress {
        case .recording(let first, let windows):
            mix.add(distance(first))
            mix.add(windows)
        case .shifting: mix.add(1)
        case .baking(let first, let run):
            mix.add(2)
            mix.add(distance(first))
            mix.add(min(run, 3))
        case .checking(let first, let run, let since):
            mix.add(3)
            mix.add(distance(first))
            mix.add(min(run, 3))
            mix.add(distance(since))
        case .awaitingApproval(let first, let run, _):
            mix.add(4)
            mix.add(distance(first))
            mix.add(min(run, 3))
        }
    }

    private func add(_ worker: ModelWorker, _ numbers: [UInt64], _ mix: inout Mix) {
        switch worker.state {
        case .idle: mix.add(0)
        case .prepared(let prepared):
            mix.add(1)
            add(prepared, numbers, &mix)
        case .unknown(let prepared):
            mix.add(2)
            add(prepared, numbers, &mix)
            mix.add(ghost.done.contains(prepared.id) ? 1 : 0)
        }
    }

    private func add(_ prepared: ModelWorker.Prepared, _ numbers: [UInt64], _ mix: inout Mix) {
        mix.add(Int(min(3, log.version - prepared.expected)))
        mix.add(prepared.quality.rawValue)
        mix.add(distance(prepared.at))
        switch prepared.command {
        case .registerRouter: mix.add(1)
        case .acknowledge(let router, _):
            mix.add(2)
            mix.add(Int64(bitPattern: routers.firstIndex { $0.name == router }.map { numbers[$0] } ?? 0))
        case .quarantine, .quarantineByCheckpoint: mix.add(3)
        case .sealWindow(let window):
            mix.add(4)
            mix.add(distance(window.k))
        case .tick: mix.add(5)
        default: mix.add(6)
        }
    }

    private func add(_ table: RouteTable?, _ mix: inout Mix) {
        for service in log.migration?.plan.services ?? [] { mix.add(table?.weight(of: service.name).rawValue ?? -1) }
    }

    private func add(_ ghost: Ghost, _ mix: inout Mix) {
        // A set has no order that would be the same on every run: its members are added up.
        var sum: Int64 = 0
        for exposure in ghost.exposed {
            sum &+= Int64(distance(exposure.k) * 16 + exposure.service + 1) &* 2_654_435_761
        }
        mix.add(sum)
        mix.add(distance(ghost.acknowledgedAt))
        mix.add(min(2, ghost.goodRun))
        mix.add(min(2, ghost.badRun))
        mix.add(ghost.entered.count)
        mix.add(ghost.epoch)
        mix.add(ghost.hasLost ? 1 : 0)
    }
}

extension Verdict {
    fileprivate var number: Int {
        switch self {
        case .breach: 1
        case .gray: 2
        case .pass: 3
        case .missing: 4
        case .error: 5
        }
    }
}
