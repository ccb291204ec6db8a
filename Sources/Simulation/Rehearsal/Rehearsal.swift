package import MigrationCore

/// A plan carried out on a virtual clock, by the real core and the real worker's machine, against a scenario or recorded windows.
package struct Rehearsal: Sendable {
    /// What it is rehearsed against.
    package enum Against: Sendable {
        case scenario(Scenario)
        /// Recorded windows, with the scenario's people and routers.
        case recorded(RecordedWindows, Scenario)

        package var scenario: Scenario {
            switch self {
            case .scenario(let scenario), .recorded(_, let scenario): scenario
            }
        }
    }

    /// Why a rehearsal cannot be.
    package struct Impossible: Error, Hashable, Sendable { package var message: String }

    package let plan: Plan
    package let against: Against
    private let traffic: any Traffic

    package init(_ plan: Plan, _ against: Against) throws(Impossible) {
        self.plan = plan
        self.against = against
        switch against {
        case .scenario(let scenario):
            traffic = ScenarioTraffic(scenario: scenario, services: plan.services.map(\.name))
        case .recorded(let windows, let scenario):
            guard windows.length == plan.window else {
                throw Impossible(
                    message: "the recorded windows are \(windows.length) long, and the plan's are \(plan.window)"
                )
            }
            guard let recorded = RecordedTraffic(windows, plan: plan, start: scenario.start) else {
                throw Impossible(
                    message:
                        "not every service of the plan was recorded, or one that is new never on the candidate's side; there are: \(windows.services.joined(separator: ", "))"
                )
            }
            traffic = recorded
        }
    }

    /// One rehearsal.
    ///
    /// - Parameter seed: the same seed gives the same outcome.
    /// - Throws: a broken invariant, which is a mistake of this program and not of the plan.
    package func run(seed: UInt64) throws(Violation) -> Outcome {
        let scenario = against.scenario
        let setting = FleetSetting(
            workers: 1,
            routers: scenario.routers,
            pollEvery: max(.seconds(1), plan.window),
            leaseLife: .hours(1)
        )
        var fleet = try Fleet(
            setting,
            plans: [plan],
            traffic: traffic,
            crew: Script(people: scenario.people),
            start: scenario.start,
            seed: seed
        )
        let end = scenario.start + plan.expires + plan.rollbackLimit + plan.window * 4
        while fleet.now < end, !isOver(fleet) { try fleet.run(until: fleet.now + plan.window) }
        return Outcome(fleet.logs[0], start: scenario.start, users: scenario.users)
    }

    private func isOver(_ fleet: Fleet) -> Bool {
        guard let migration = fleet.logs[0].migration else { return false }
        if case .halted = migration.phase { return true }
        if case .rolledBack = migration.phase { return true }
        return migration.phase.isOver
    }

    /// Many rehearsals, with seeds one after the other.
    ///
    /// - Parameter progress: told how many are done.
    package func runs(
        _ count: Int,
        seed: UInt64,
        threads: Int = 2,
        _ progress: @escaping @Sendable (Int) -> Void = { _ in }
    ) async throws -> [Outcome] {
        try await withThrowingTaskGroup(of: [(Int, Outcome)].self) { group in
            let threads = max(1, min(threads, count))
            for thread in 0..<threads {
                group.addTask {
                    var mine: [(Int, Outcome)] = []
                    for index in stride(from: thread, to: count, by: threads) {
                        try Task.checkCancellation()
                        var outcome = try run(seed: seed &+ UInt64(index))
                        // Only the first is told commit by commit.
                        if index > 0 { outcome.commits = [] }
                        mine.append((index, outcome))
                        if thread == 0 { progress(index + 1) }
                        await Task.yield()
                    }
                    return mine
                }
            }
            var all: [(Int, Outcome)] = []
            for try await part in group { all += part }
            return all.sorted { $0.0 < $1.0 }.map(\.1)
        }
    }
}

/// What became of one rehearsal.
package struct Outcome: Sendable {
    package enum End: String, Hashable, Sendable, CaseIterable {
        case completed, rolledBack, halted
        /// It was neither one nor the other when its time was over.
        case unfinished
    }

    package var end: End
    /// What brought about its end, in words; nil for a completed one.
    package var reason: String?
    /// From its beginning to its end.
    package var lasted: TimeSpan
    /// From its beginning to the onset, the decision and the confirmation of a rollback.
    package var onset: TimeSpan?
    package var decided: TimeSpan?
    package var confirmed: TimeSpan?
    /// Where a rollback happened.
    package var position: Position?
    package var rollbackByTrigger = false
    /// Requests that the candidate got, and those among them that failed.
    package var candidateRequests = 0
    package var candidateErrors = 0
    /// How many users were ever sent to the candidate.
    package var usersExposed = 0
    package var steps: [StepRecord]
    package var commits: [Commit]
    package var state: MigrationState

    init(_ log: VirtualLog, start: Timestamp, users: Int) {
        state = log.state
        commits = log.entries.map(\.commit)
        steps = log.migration?.steps ?? []
        lasted = log.state.decidedAt - start
        end = .unfinished
        guard let migration = log.migration else { return }
        switch migration.phase {
        case .completed: end = .completed
        case .halted(let halt):
            end = .halted
            reason = halt.reason
        case .rolledBack, .rollingBack, .abandoned: end = .rolledBack
        case .planned, .running, .watching: reason = "it expired in \(migration.phase.name)"
        }
        if let rollback = migration.rollbacks.last {
            reason = migration.words(rollback)
            onset = rollback.onset.map { $0 - start }
            decided = rollback.decidedAt - start
            confirmed = rollback.confirmedAt.map { $0 - start }
            position = rollback.position
            if case .trigger = rollback.cause { rollbackByTrigger = true }
        }
        count(users, last: migration.plan.stages.last?.environment)
    }

    private mutating func count(_ users: Int, last environment: String?) {
        var most = Weight.zero
        for commit in commits {
            if case .sealWindow(let window) = commit.command {
                for service in window.environments.flatMap(\.services) {
                    candidateRequests += service.candidate.requests
                    candidateErrors += service.candidate.errors
                }
            }
            for case .weightsSet(let place, let weights, _, _) in commit.events where place == environment {
                most = max(most, weights.max() ?? .zero)
            }
        }
        usersExposed = users * most.rawValue / 10_000
    }
}

extension Outcome {
    /// One window as a chart shows it.
    package struct Point: Hashable, Sendable {
        /// From the beginning to the window's end.
        package var at: TimeSpan
        /// The largest weight of the guarded environment's services, and the share that was seen there.
        package var asked: Weight
        package var seen: Measurement?
        /// What was measured of the metrics of the plan's criteria, in their order.
        package var candidate: [Measurement?]
        package var legacy: [Measurement?]
    }

    /// The windows, in their order; only of a rehearsal that kept its commits.
    package func points(start: Timestamp) -> [Point] {
        var folded = MigrationState.initial
        var points: [Point] = []
        for commit in commits {
            guard let next = try? folded.folding(commit) else { return points }
            folded = next
            for case .windowJudged(let judgement) in commit.events {
                if let point = Point(judgement, in: folded, start: start) { points.append(point) }
            }
        }
        return points
    }
}

extension Outcome.Point {
    /// A judged window.
    ///
    /// - Parameters:
    ///   - state: the one that the judgement led to.
    ///   - start: the beginning of the chart.
    package init?(_ judgement: Judgement, in state: MigrationState, start: Timestamp) {
        guard let migration = state.migration else { return nil }
        let stage = judgement.stage ?? migration.stage
        let environment = migration.plan.stages[stage].environment
        let shares = judgement.observed.first { $0.environment == environment }?.shares ?? []
        let seen = shares.reduce(Measurement(value: 0, of: 0)) {
            Measurement(value: $0.value + $1.value, of: $0.of + $1.of)
        }
        // A stage may have criteria of its own; a chart shows the plan's metrics.
        let judged = migration.plan.criteria.map { criterion in
            migration.plan.criteria(at: stage).firstIndex { $0.condition.metric == criterion.condition.metric }
                .flatMap { judgement.criteria.indices.contains($0) ? judgement.criteria[$0] : nil }
        }
        self.init(
            at: migration.plan.clock.end(of: judgement.k) - start,
            asked: migration.traffic(in: environment)?.effective.max() ?? .zero,
            seen: seen.of > 0 ? seen : nil,
            candidate: judged.map { $0?.candidate },
            legacy: judged.map { $0?.legacy }
        )
    }
}
