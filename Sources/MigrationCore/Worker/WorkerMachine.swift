/// What a worker does next for one migration, from what it has just read. It is level-triggered: it remembers nothing that it
/// could not lose, so a worker that is killed at any point is continued by the next one from the log alone.
package struct WorkerMachine: Sendable {
    /// Everything read in one look at the database.
    package struct Sight: Sendable {
        /// The database's clock.
        package var now: Timestamp
        package var state: MigrationState
        /// What each router said of itself last.
        package var reports: [RouterReport]
        /// The measurements of the next window, if it is over.
        package var signals: [RouterSignal]
        /// Measurements of windows that are sealed already.
        package var late: [RouterSignal]
        /// What the plan's sources have said of the windows that they were asked for.
        package var readings: [SourceReading] = []

        package init(
            now: Timestamp,
            state: MigrationState,
            reports: [RouterReport],
            signals: [RouterSignal],
            late: [RouterSignal]
        ) {
            self.now = now
            self.state = state
            self.reports = reports
            self.signals = signals
            self.late = late
        }
    }

    package enum Effect: Hashable, Sendable {
        /// Decide and append; then look again.
        case append(command: Command)
        /// Tell the router once more what is desired.
        case reassert(router: String)
        /// Run a check of the plan, and append what it shows. It may have been run before, by a worker that did not live to tell.
        case run(check: CheckRun)
        /// Ask every source of the plan for a window of an environment, all at once.
        case ask(k: Int64, environment: String)
        /// Nothing is due before this moment, unless somebody calls.
        case wait(until: Timestamp)
        /// The migration is over: nothing will ever be due.
        case rest
    }

    /// How long a router may take before it is told again.
    package let reassertEvery: TimeSpan
    /// How long a worker waits at most before it looks again: the net under lost notifications.
    package let pollEvery: TimeSpan
    private var reasserted: [String: Timestamp] = [:]
    private var begun: Set<CheckRun> = []
    /// When it looked last, and since when without a gap.
    private var lookedAt: Timestamp?
    private var lookedSince: Timestamp?
    /// What sources were asked, and when.
    private var asked: [Question: Timestamp] = [:]

    private struct Question: Hashable, Sendable {
        var k: Int64
        var environment: String
    }

    /// For how many windows sources are asked at once: after an outage they are many, and a source that hangs then costs the time of one.
    private static let questions: Int64 = 16

    package init(reassertEvery: TimeSpan = .seconds(1), pollEvery: TimeSpan = .seconds(1)) {
        self.reassertEvery = reassertEvery
        self.pollEvery = pollEvery
    }

    /// The effects of one look, in their order; nothing comes after an append, because everything else depends on it.
    package mutating func step(_ sight: Sight) -> [Effect] {
        guard let migration = sight.state.migration else { return [.wait(until: sight.now + pollEvery)] }
        look(migration, at: sight.now)
        var effects: [Effect] = []
        for question in dueQuestions(migration, sight.now) {
            asked[question] = sight.now
            effects.append(.ask(k: question.k, environment: question.environment))
        }
        if let command = nextCommand(migration, sight) { return effects + [.append(command: command)] }
        guard !migration.phase.isOver || migration.quarantine != nil else { return [.rest] }
        for router in migration.unacknowledged where isDue(router.name, sight.now) {
            reasserted[router.name] = sight.now
            effects.append(.reassert(router: router.name))
        }
        for run in migration.openRuns where begun.insert(run).inserted { effects.append(.run(check: run)) }
        return effects + [.wait(until: nextLook(migration, sight.now))]
    }

    private func nextCommand(_ migration: Migration, _ sight: Sight) -> Command? {
        if !migration.phase.isFinal {
            for report in sight.reports where !migration.routers.contains(where: { $0.name == report.router }) {
                // Of one that is rolled back as a whole, only a router that knows more than the log is of interest, and one that has not heard of it.
                let isNews =
                    report.isForked || report.revision ?? 0 > sight.state.version
                    || migration.phase.rollback?.unheard?.contains(report.router) ?? false
                if migration.plan.environments.contains(report.environment), !migration.phase.isOver || isNews {
                    return .registerRouter(router: report.router, environment: report.environment)
                }
            }
        }
        for router in migration.routers {
            // What the same name says in another environment, it says of that one's weights.
            guard let report = sight.reports.first(where: { $0.router == router.name }), let revision = report.revision,
                report.environment == router.environment
            else { continue }
            if report.isForked || revision > sight.state.version {
                if migration.quarantine != nil || migration.phase.isFinal { continue }
                return .quarantine(router: router.name, revision: revision, isForked: report.isForked)
            }
            if revision > router.revision ?? 0 {
                return .acknowledge(router: router.name, revision: revision)
            }
        }
        if let eviction = eviction(migration, sight) { return eviction }
        if let window = dueWindow(migration, sight) { return .sealWindow(window: window) }
        if let deadline = migration.nextDeadline, sight.now >= deadline { return .tick }
        return sight.late.first.map { .recordLate(k: $0.k, router: $0.router, requests: $0.requests) }
    }

    /// Stops waiting for a router that has been silent for so long as the plan says, where somebody else of its environment is not.
    ///
    /// Only the time counts in which this looked without a gap: after an outage of the database, or of all workers, nobody could be heard.
    private func eviction(_ migration: Migration, _ sight: Sight) -> Command? {
        guard let limit = migration.plan.evictAfter, let since = lookedSince else { return nil }
        func silence(_ router: Router) -> TimeSpan? {
            let heard = sight.reports.first { $0.router == router.name }?.seenAt
            let silent = sight.now - max(heard ?? since, since)
            return silent >= limit ? silent : nil
        }
        func isHeard(_ router: Router) -> Bool {
            sight.reports.contains { $0.router == router.name && sight.now - $0.seenAt < limit }
        }
        for router in migration.routers {
            guard let silent = silence(router), migration.mayEvict(router) else { continue }
            if migration.routers.contains(where: { $0.environment == router.environment && isHeard($0) }) {
                return .evictRouter(router: router.name, silent: .milliseconds(silent.rawValue / 1_000))
            }
        }
        return nil
    }

    /// Remembers since when it has looked without a gap. One that is shorter than half of what a router may be silent for is none: with it nobody seems
    /// silent for too long.
    private mutating func look(_ migration: Migration, at now: Timestamp) {
        let gap = migration.plan.evictAfter.map { TimeSpan(rawValue: $0.rawValue / 2) } ?? .zero
        if let last = lookedAt, now >= last, now - last <= gap {} else { lookedSince = now }
        lookedAt = now
    }

    /// The next window as the routers reported it, once its grace is over.
    private func dueWindow(_ migration: Migration, _ sight: Sight) -> Window? {
        guard migration.phase.takesWindows, let k = migration.nextWindow,
            sight.now >= migration.plan.clock.end(of: k) + migration.plan.grace,
            !isWaiting(migration, k, sight)
        else { return nil }
        let readings = readings(of: k, migration, sight)
        let registered = Set(migration.routers.map(\.name))
        let signals = sight.signals.filter { $0.k == k && registered.contains($0.router) }
        let empty = migration.plan.services.map { _ in ServiceWindow() }
        let environments = migration.plan.environments.compactMap { name -> EnvironmentWindow? in
            let mine = signals.filter { signal in
                signal.environment == name && signal.services.count == empty.count
                    && signal.services.allSatisfy { $0.legacy.isPlausible && $0.candidate.isPlausible }
            }
            let said = name == migration.guardedEnvironment && !readings.isEmpty ? readings : nil
            guard !mine.isEmpty || said != nil else { return nil }
            let services = mine.reduce(empty) { sum, signal in zip(sum, signal.services).map { $0 + $1 } }
            let routers = mine.map(\.router).sorted()
            return EnvironmentWindow(environment: name, routers: routers, services: services, readings: said)
        }
        return Window(k: k, environments: environments)
    }

    /// The windows that are over and that the sources were not asked for yet, with the environment that is guarded.
    private mutating func dueQuestions(_ migration: Migration, _ now: Timestamp) -> [Question] {
        guard !migration.plan.sources.isEmpty, migration.phase.takesWindows, let next = migration.nextWindow,
            let environment = migration.guardedEnvironment
        else { return [] }
        asked = asked.filter { $0.key.k >= next }
        return (next..<next + Self.questions).prefix { now >= moment(of: $0, migration.plan) }
            .map { Question(k: $0, environment: environment) }.filter { asked[$0] == nil }
    }

    /// When sources are asked for a window: at its end, or as late as its grace allows, so that what comes late is there.
    private func moment(of k: Int64, _ plan: Plan) -> Timestamp {
        plan.clock.end(of: k) + max(.zero, plan.grace - plan.window)
    }

    /// Whether a window that is due still waits for its sources: until all have answered, and no longer than the slowest may take, than a
    /// grace, or than a window, so that windows never fall behind each other. A source that is late never holds up a guard for longer.
    private func isWaiting(_ migration: Migration, _ k: Int64, _ sight: Sight) -> Bool {
        let sources = migration.plan.sources
        guard !sources.isEmpty, let environment = migration.guardedEnvironment else { return false }
        guard let asked = asked[Question(k: k, environment: environment)] else { return true }
        guard readings(answered: k, migration, sight).count < sources.count else { return false }
        return sight.now < asked + patience(migration.plan)
    }

    private func patience(_ plan: Plan) -> TimeSpan {
        min(plan.sources.map(\.timeout).max() ?? .zero, plan.grace, plan.window)
    }

    private func readings(answered k: Int64, _ migration: Migration, _ sight: Sight) -> [SourceReading] {
        sight.readings.filter { reading in
            reading.k == k && reading.environment == migration.guardedEnvironment
                && migration.plan.sources.contains { $0.name == reading.source }
        }
    }

    /// What every source said of a window; one that has not answered has failed.
    private func readings(of k: Int64, _ migration: Migration, _ sight: Sight) -> [String: Reading] {
        guard migration.guardedEnvironment != nil else { return [:] }
        let answered = readings(answered: k, migration, sight)
        return migration.plan.sources.reduce(into: [:]) { said, source in
            said[source.name] =
                answered.first { $0.source == source.name }?.reading
                ?? Reading(candidate: nil, legacy: nil, isFailed: true)
        }
    }

    private func isDue(_ router: String, _ now: Timestamp) -> Bool {
        guard let last = reasserted[router] else { return true }
        return now - last >= reassertEvery
    }

    private func nextLook(_ migration: Migration, _ now: Timestamp) -> Timestamp {
        var moments = [now + pollEvery]
        if migration.phase.takesWindows, let k = migration.nextWindow {
            moments.append(migration.plan.clock.end(of: k) + migration.plan.grace)
            if !migration.plan.sources.isEmpty {
                let question = migration.guardedEnvironment.flatMap { asked[Question(k: k, environment: $0)] }
                moments.append(question.map { $0 + patience(migration.plan) } ?? moment(of: k, migration.plan))
                // The next may be asked for while this one waits.
                moments.append(moment(of: k + 1, migration.plan))
            }
        }
        moments.removeAll { $0 <= now }
        if let deadline = migration.nextDeadline { moments.append(deadline) }
        return moments.min() ?? now + pollEvery
    }
}

/// One asking for a check that a worker can run by itself.
package struct CheckRun: Hashable, Sendable {
    /// Its place in the plan, and its name: an amended plan may have another at that place.
    package var check: Int
    package var name: String
    package var position: Position
    package var since: Timestamp

    package init(check: Int, name: String, position: Position, since: Timestamp) {
        self.check = check
        self.name = name
        self.position = position
        self.since = since
    }
}

extension Migration {
    /// The checks of the current step that a worker runs and that have said nothing yet.
    package var openRuns: [CheckRun] {
        guard case .running(let step) = phase, case .checking(_, _, let since) = step.progress else { return [] }
        return plan.stage(at: step.position).checks.filter { check in
            plan.checks[check].how != .reported && !checks.contains { $0.check == check }
        }.map { CheckRun(check: $0, name: plan.checks[$0].name, position: step.position, since: since) }
    }
}

/// What a router said of itself: the revision that is in force and durable there.
package struct RouterReport: Hashable, Sendable {
    package var router: String
    package var environment: String
    package var revision: Int64?
    /// The log has another commit at that revision: it went back in time and on another way since.
    package var isForked: Bool
    package var seenAt: Timestamp

    package init(
        router: String,
        environment: String,
        revision: Int64?,
        isForked: Bool = false,
        seenAt: Timestamp
    ) {
        self.router = router
        self.environment = environment
        self.revision = revision
        self.isForked = isForked
        self.seenAt = seenAt
    }
}

/// What one source said of one window.
package struct SourceReading: Hashable, Sendable {
    package var k: Int64
    package var environment: String
    package var source: String
    package var reading: Reading

    package init(k: Int64, environment: String, source: String, reading: Reading) {
        self.k = k
        self.environment = environment
        self.source = source
        self.reading = reading
    }
}

/// One router's measurements of one whole window.
package struct RouterSignal: Hashable, Codable, Sendable {
    package var k: Int64
    package var router: String
    package var environment: String
    /// In the order of the plan's services.
    package var services: [ServiceWindow]

    package init(k: Int64, router: String, environment: String, services: [ServiceWindow]) {
        self.k = k
        self.router = router
        self.environment = environment
        self.services = services
    }

    package var requests: Int {
        services.reduce(0) { $0.saturating($1.legacy.requests).saturating($1.candidate.requests) }
    }
}
