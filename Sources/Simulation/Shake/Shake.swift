package import MigrationCore
import Randomness
import Routing

/// A large simulated fleet in bad weather, held to all invariants after every step; then the weather clears, and everything must come
/// right. The same seed does the same, step by step.
package struct Shake: Sendable {
    package struct Scenario: Sendable {
        package var migrations: Int
        package var window: TimeSpan
        package var setting: FleetSetting
        /// How often somebody looks at a migration.
        package var glanceEvery: TimeSpan

        /// Two migrations at a time over windows of five minutes, three workers, two routers for each environment, and trouble now and
        /// then.
        package static let standard = Scenario(
            migrations: 2,
            window: .minutes(5),
            setting: FleetSetting(
                workers: 3,
                routers: 2,
                pollEvery: .minutes(2),
                leaseLife: .minutes(4),
                weather: .changeable
            ),
            glanceEvery: .minutes(20)
        )

        /// Shorter windows, more of everything, and hardly ever fair weather.
        package static let foul = Scenario(
            migrations: 4,
            window: .minutes(1),
            setting: FleetSetting(
                workers: 4,
                routers: 3,
                pollEvery: .seconds(20),
                leaseLife: .seconds(40),
                weather: .foul
            ),
            glanceEvery: .minutes(6)
        )
    }

    package struct Report: Sendable {
        package var seed: UInt64
        /// Simulated time.
        package var simulated = TimeSpan.zero
        package var steps = 0
        package var commits = 0
        /// A hash over all that happened, in its order.
        package var trace: UInt64 = 0
        package var tally = Tally()
        package var violation: Violation?
        /// When it was broken.
        package var at: TimeSpan?
    }

    package let scenario: Scenario
    package let seed: UInt64
    package let lasting: TimeSpan

    /// - Parameters:
    ///   - lasting: how long things go wrong, before the weather clears.
    ///   - mutant: a deliberate mistake.
    package init(_ scenario: Scenario, seed: UInt64, lasting: TimeSpan, mutant: Mutant? = nil) {
        var scenario = scenario
        scenario.setting.mutant = mutant
        self.scenario = scenario
        self.seed = seed
        self.lasting = lasting
    }

    /// The mistakes that a fleet can show, and the invariant by which each does. The rest are of the small worlds' own store and clock, or
    /// one part of a fleet makes good for another; the search finds them.
    package static let mutants: [Mutant: Int] = [
        .leaseInsteadOfCompareAndSet: 14, .fenceOnEpoch: 5, .advanceOnMissing: 11, .retryWithoutLookup: 3, .noFence: 5,
        .weightOfAnother: 6, .advanceWhileHalted: 8, .leap: 9, .stepTwice: 13, .judgedTwice: 12,
        .acknowledgedUnheard: 7, .overrideLost: 15, .rollbackRefusedWhileHalted: 16, .advanceFirst: 17,
        .bucketsDealtAnew: 18, .workersClock: 20, .approvalTwice: 21, .approvalOfAnybody: 21, .lossUnnoticed: 19,
    ]

    private static let start = Timestamp(rawValue: 1_700_006_400_000_000)
    /// Once nothing goes wrong any more, everything is settled after this at the latest.
    private static let patience = TimeSpan.days(12)

    /// Runs from the beginning.
    ///
    /// - Parameter listener: told what happens; the same run is told the same.
    package func run(listener: (@Sendable (Timestamp, String) -> Void)? = nil) -> Report {
        var report = Report(seed: seed)
        var fleet: Fleet
        do {
            fleet = try makeFleet()
        } catch {
            report.violation = error
            return report
        }
        fleet.listener = listener
        do {
            try fleet.run(until: Self.start + lasting)
            fleet.clear()
            try settle(&fleet)
        } catch {
            report.violation = error
            report.at = fleet.now - Self.start
        }
        report.simulated = fleet.now - Self.start
        report.steps = fleet.steps
        report.commits = fleet.commits
        report.trace = fleet.trace.value
        report.tally = fleet.tally
        return report
    }

    private func makeFleet() throws(Violation) -> Fleet {
        var random = SplitMix(seed: seed &* 31 &+ 7)
        let plans = (0..<scenario.migrations).map { RandomPlan.make($0 + 1, window: scenario.window, &random) }
        let climate = Climate(
            requests: 300,
            seed: seed,
            spell: scenario.window * 4,
            fairFrom: Self.start + lasting
        )
        return try Fleet(
            scenario.setting,
            plans: plans,
            traffic: climate,
            crew: Operators(window: scenario.window, every: scenario.glanceEvery),
            start: Self.start,
            seed: seed
        )
    }

    /// Nothing goes wrong any more: every migration ends, or waits for nothing but people (19).
    private func settle(_ fleet: inout Fleet) throws(Violation) {
        let end = fleet.now + Self.patience
        // Nobody begins anything new, so what has ended stays as it is.
        while fleet.now < end {
            try fleet.run(until: fleet.now + scenario.window * 4)
            if fleet.isSettled { break }
        }
        for index in fleet.logs.indices {
            try fleet.referees[index].checkWhole(fleet.logs[index])
            guard !fleet.isSettled(index) else { continue }
            let state = fleet.logs[index].migration.map {
                "\($0.phase.name), \($0.phase.step.map { "\($0.progress)" } ?? "")"
            }
            throw Violation(
                invariant: 19,
                message:
                    "nothing goes wrong any more, and \(fleet.logs[index].name) stays \(state ?? "nothing") for ever"
            )
        }
    }
}

extension Fleet {
    /// Whether every migration is at its end.
    var isSettled: Bool { logs.indices.allSatisfy { isSettled($0) } }

    /// Whether a migration is over, and its routers have what it ended with.
    func isSettled(_ index: Int) -> Bool {
        guard let migration = logs[index].migration, migration.quarantine == nil else { return false }
        switch migration.phase {
        case .completed, .abandoned: break
        case .rolledBack(let rollback): guard rollback.isWhole else { return false }
        // One that has expired stays halted until somebody ends it.
        case .halted: guard migration.hasExpired else { return false }
        case .planned, .running, .watching, .rollingBack: return false
        }
        return migrationRouters(index).allSatisfy { router in
            guard let table = logs[index].table(of: router.environment), table.revision > 1 else { return true }
            return router.fence.table == table
        }
    }
}
