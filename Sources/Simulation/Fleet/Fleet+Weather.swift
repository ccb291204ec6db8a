import MigrationCore

extension Fleet {
    /// Something goes wrong.
    mutating func strike() {
        guard !isFair, let weather = setting.weather else { return }
        let next = now.rawValue + waiting(weather.every)
        queue.push(.strike, at: next)
        let trouble = pick(weather)
        let lasting = TimeSpan(rawValue: waiting(weather.lasting))
        tally.count(trouble)
        tell("trouble: \(trouble)")
        begin(trouble, lasting)
        queue.push(.ends(trouble: trouble), at: (now + lasting).rawValue)
    }

    private mutating func pick(_ weather: Weather) -> Trouble {
        if Int.random(in: 0..<1_000, using: &random) < weather.losses {
            return chance(0.8) ? .tailLost : .backupRestored
        }
        let worker = Int.random(in: workers.indices, using: &random)
        let migration = Int.random(in: logs.indices, using: &random)
        let router = fleets[migration].randomElement(using: &random) ?? 0
        switch Int.random(in: 0..<10, using: &random) {
        case 0: return .databaseAway
        case 1: return .backendsKilled
        case 2: return .workerKilled(worker)
        case 3: return .workerPaused(worker)
        case 4: return .workerCutOff(worker)
        case 5: return .routerKilled(router)
        case 6: return .routerCutOff(router)
        case 7: return .routerClock(router)
        case 8: return .networkBad
        default: return .networkSlow
        }
    }

    private mutating func begin(_ trouble: Trouble, _ lasting: TimeSpan) {
        switch trouble {
        case .databaseAway:
            conditions.isDatabaseAway += 1
            conditions.session += 1
        case .backendsKilled: conditions.areBackendsKilled += 1
        case .tailLost: loseTails()
        case .backupRestored: restoreBackups()
        case .workerKilled(let worker): killWorker(worker)
        case .workerPaused(let worker): workers[worker].pausedUntil = max(workers[worker].pausedUntil, now + lasting)
        case .workerCutOff(let worker): workers[worker].isCut = true
        case .routerKilled(let router): if routers[router].isUp { kill(router) }
        case .routerCutOff(let router): routers[router].isCut = true
        case .routerClock(let router):
            let seconds = Int64.random(in: -3_600...3_600, using: &random)
            turnClock(of: router, to: .seconds(chance(0.5) ? seconds : seconds / 60))
        case .networkBad: conditions.isNetworkBad += 1
        case .networkSlow: conditions.isNetworkSlow += 1
        }
    }

    mutating func end(_ trouble: Trouble) {
        switch trouble {
        case .databaseAway: conditions.isDatabaseAway -= 1
        case .backendsKilled: conditions.areBackendsKilled -= 1
        case .tailLost, .backupRestored, .workerPaused: break
        case .workerKilled(let worker): startWorker(worker)
        case .workerCutOff(let worker): workers[worker].isCut = false
        case .routerKilled(let router):
            // It may be a router of a migration that is over by now.
            let isMine = fleets[routers[router].migration].contains(router)
            if isMine, !routers[router].isUp { start(router) }
        case .routerCutOff(let router): routers[router].isCut = false
        case .routerClock(let router): turnClock(of: router, to: .zero)
        case .networkBad: conditions.isNetworkBad -= 1
        case .networkSlow: conditions.isNetworkSlow -= 1
        }
    }

    private mutating func killWorker(_ worker: Int) {
        workers[worker].isUp = false
        // What was under way with it is on its way; nobody waits for it any more.
        for migration in logs.indices { workers[worker].posts[migration].turn &+= 1 }
    }

    private mutating func startWorker(_ worker: Int) {
        guard !workers[worker].isUp else { return }
        workers[worker].isUp = true
        // Another process has another beginning of its steady clock.
        workers[worker].skew = .seconds(Int64.random(in: 0...1_000_000, using: &random))
        for migration in logs.indices {
            let turn = workers[worker].posts[migration].turn
            workers[worker].posts[migration] = post()
            workers[worker].posts[migration].turn = turn
            schedule(worker, migration, at: now)
        }
    }

    private mutating func turnClock(of router: Int, to skew: TimeSpan) {
        let migration = routers[router].migration
        guard routers[router].skew != skew, fleets[migration].contains(router),
            let plan = logs[migration].migration?.plan
        else { return }
        routers[router].settle(plan, at: now)
        routers[router].skew = skew
        guard routers[router].isUp else { return }
        routers[router].life &+= 1
        start(router)
    }

    // MARK: - A log that goes back in time

    /// A failover to a standby that had not got the last few commits of some migrations.
    private mutating func loseTails() {
        conditions.session += 1
        for index in logs.indices where chance(0.7) {
            rewind(index, to: logs[index].version - Int64.random(in: 1...4, using: &random))
        }
    }

    private mutating func restoreBackups() {
        conditions.session += 1
        for index in logs.indices {
            // The backup is a few hours old: so many windows ago.
            let age = Int64.random(in: 5...60, using: &random)
            rewind(index, to: logs[index].version - age)
        }
    }

    private mutating func rewind(_ index: Int, to version: Int64) {
        // A plan that is lost is planned again by hand, which is another migration.
        let lost = logs[index].truncate(to: max(1, version))
        guard lost > 0 else { return }
        tally.count(.commitsLost)
        tell("\(logs[index].name) loses \(lost) commits, and ends at version \(logs[index].version)")
        referees[index].lost(logs[index], migrationRouters(index), at: now)
        for worker in workers.indices where workers[worker].posts[index].isWaiting {
            workers[worker].posts[index].isWaiting = false
            schedule(worker, index, at: now + .seconds(1))
        }
    }

    // MARK: - Fair weather

    /// Everything that is wrong comes right, and stays so.
    mutating func clear() {
        isFair = true
        conditions.isDatabaseAway = 0
        conditions.areBackendsKilled = 0
        conditions.isNetworkBad = 0
        conditions.isNetworkSlow = 0
        for worker in workers.indices {
            workers[worker].isCut = false
            workers[worker].pausedUntil = now
            startWorker(worker)
        }
        for index in logs.indices {
            for router in fleets[index] {
                routers[router].isCut = false
                turnClock(of: router, to: .zero)
                if !routers[router].isUp { start(router) }
            }
        }
        // What was to end is over.
        var rest = EventQueue<Occurrence>()
        while let (at, occurrence) = queue.pop() {
            switch occurrence {
            case .ends, .strike: break
            default: rest.push(occurrence, at: max(at, now.rawValue))
            }
        }
        queue = rest
    }
}
