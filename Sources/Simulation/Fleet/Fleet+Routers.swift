import MigrationCore
import Routing

extension Fleet {
    /// Starts a router: it remembers its disk and asks for the head of the log.
    mutating func start(_ router: Int) {
        guard let plan = logs[routers[router].migration].migration?.plan else { return }
        routers[router].isUp = true
        routers[router].said = nil
        routers[router].begin(plan, at: now)
        let life = routers[router].life
        queue.push(.poll(router: router, life: life), at: now.rawValue)
        queue.push(.windowEnds(router: router, life: life), at: routers[router].windowEnd(plan).rawValue)
    }

    /// Looks at the log for a route, and says what is in force.
    mutating func poll(_ router: Int, _ life: UInt32) {
        guard routers[router].isUp, routers[router].life == life else { return }
        let migration = routers[router].migration
        let next = now.rawValue + setting.pollEvery.rawValue + Int64.random(in: 0...1_000_000, using: &random)
        queue.push(.poll(router: router, life: life), at: next)
        guard conditions.isDatabaseAway == 0, !routers[router].isCut else { return }
        if let traffic = logs[migration].migration?.traffic(in: routers[router].environment),
            routers[router].fence.table?.revision != traffic.revision
                || routers[router].fence.table?.logID != VirtualLog.logID(logs[migration].incarnation)
                || logs[migration].isForked(report(of: router)),
            let table = logs[migration].table(of: routers[router].environment)
        {
            send(.route(router: router, life: routers[router].life, table: table))
        }
        say(router)
    }

    /// What a router has to say of itself.
    private func report(of router: Int) -> VirtualLog.Report {
        let table = routers[router].fence.table
        return VirtualLog.Report(
            router: routers[router].name,
            environment: routers[router].environment,
            incarnation: table.flatMap { Int($0.logID.dropFirst(4)) },
            revision: table?.revision ?? 0,
            chain: table?.hash ?? "",
            at: now
        )
    }

    private mutating func say(_ router: Int) {
        guard !routers[router].isCut else { return }
        let report = report(of: router)
        // What was heard before need not be said again, unless silence is counted.
        if logs[routers[router].migration].migration?.plan.evictAfter == nil, let said = routers[router].said,
            said.revision == report.revision, said.chain == report.chain,
            said.incarnation == report.incarnation,
            logs[routers[router].migration].reports.contains(said)
        {
            return
        }
        send(.report(router: router, report: report))
    }

    mutating func take(_ report: VirtualLog.Report, of router: Int) {
        let migration = routers[router].migration
        guard conditions.isDatabaseAway == 0, fleets[migration].contains(router) else { return }
        // A gateway sends its reports one after the other, so an older one that comes late is nobody's word any more.
        if let said = routers[router].said, said.at > report.at { return }
        routers[router].said = report
        logs[migration].report(report)
        referees[migration].heard(report, logs[migration])
        ring(migration)
    }

    /// A table reaches a router.
    mutating func deliver(_ table: RouteTable, to router: Int, _ life: UInt32) throws(Violation) {
        let migration = routers[router].migration
        guard routers[router].isUp, routers[router].life == life, fleets[migration].contains(router),
            table.migration == logs[migration].name,
            let plan = logs[migration].migration?.plan
        else { return }
        routers[router].settle(plan, at: now)
        let before = routers[router].fence.table
        var fence = routers[router].fence
        if setting.mutant == .noFence || setting.mutant == .fenceOnEpoch {
            fence = Fence(table)
        } else {
            do {
                _ = try fence.admit(table)
            } catch {
                switch error.code {
                case .stale: tally.count(.routeStale)
                case .forked: tally.count(.routeForked)
                case .foreignLog: tally.count(.routeForeign)
                case .unreachable, .storage, .unsuitable: break
                }
                return say(router)
            }
        }
        guard fence != routers[router].fence else { return say(router) }
        routers[router].fence = fence
        if setting.mutant == .weightOfAnother, before != nil {
            var mixed = table
            mixed.weights = before?.weights ?? [:]
            routers[router].fence = Fence(mixed)
        }
        tell("\(routers[router].name) of \(logs[migration].name) takes revision \(table.revision)")
        try referees[migration].delivered(
            routers[router],
            before: before,
            logs[migration],
            migrationRouters(migration),
            at: now
        )
        say(router)
    }

    // MARK: - Measurements

    mutating func windowEnds(_ router: Int, _ life: UInt32) {
        let migration = routers[router].migration
        guard routers[router].isUp, routers[router].life == life, let plan = logs[migration].migration?.plan else {
            return
        }
        let siblings = fleets[migration].count { routers[$0].environment == routers[router].environment }
        let signal = routers[router].endWindow(plan, traffic, routers: siblings, &random)
        queue.push(.windowEnds(router: router, life: life), at: routers[router].windowEnd(plan).rawValue)
        // A migration that takes no windows is not told of any.
        guard let signal, logs[migration].migration?.phase.takesWindows ?? false else { return }
        let arrival = arrival()
        queue.push(.handIn(router: router, life: life, tries: 0, signal: signal), at: arrival)
    }

    mutating func handIn(_ router: Int, _ life: UInt32, _ tries: Int, _ signal: RouterSignal) {
        let migration = routers[router].migration
        guard routers[router].life == life, routers[router].isUp else { return }
        let isLost = conditions.isNetworkBad > 0 && chance(0.3)
        guard conditions.isDatabaseAway == 0, !routers[router].isCut, !isLost else {
            guard tries < 15 else { return }
            let again = Occurrence.handIn(router: router, life: life, tries: tries + 1, signal: signal)
            return queue.push(again, at: now.rawValue + 20_000_000)
        }
        logs[migration].hand(in: signal, at: now)
    }

    // MARK: - Ends and beginnings

    mutating func kill(_ router: Int) {
        guard let plan = logs[routers[router].migration].migration?.plan else { return }
        routers[router].settle(plan, at: now)
        routers[router].isUp = false
        routers[router].life &+= 1
        if setting.mutant == .routerForgets { routers[router].fence = Fence() }
    }

    /// After a log was declared rewound, an operator takes each router's state away, one after the other.
    mutating func wipeAll(_ migration: Int) {
        for router in fleets[migration] {
            let at = now.rawValue + waiting(.minutes(3))
            queue.push(.wipe(router: router), at: at)
        }
    }

    mutating func wipe(_ router: Int) {
        let migration = routers[router].migration
        guard fleets[migration].contains(router) else { return }
        guard let table = routers[router].fence.table,
            table.logID != VirtualLog.logID(logs[migration].incarnation)
        else { return }
        routers[router].life &+= 1
        routers[router].fence = Fence()
        referees[migration].forgot(routers[router].name)
        tell("\(routers[router].name) of \(logs[migration].name) begins without its state file")
        if routers[router].isUp { start(router) }
    }
}
