package import MigrationCore

/// What many rehearsals of one plan have in common.
package struct Forecast: Sendable {
    /// The least, the middle and the most of some numbers, and where a twentieth lies below and above.
    package struct Spread: Hashable, Sendable {
        package var least: Int64
        package var low: Int64
        package var middle: Int64
        package var high: Int64
        package var most: Int64

        /// - Returns: nil for none.
        init?(_ values: [Int64]) {
            let sorted = values.sorted()
            guard let first = sorted.first, let last = sorted.last else { return nil }
            func quantile(_ permille: Int) -> Int64 { sorted[(sorted.count - 1) * permille / 1_000] }
            least = first
            low = quantile(50)
            middle = quantile(500)
            high = quantile(950)
            most = last
        }
    }

    package var runs: Int
    /// How often each end came.
    package var ends: [Outcome.End: Int]
    /// Why, and how often, in the order of how often.
    package var reasons: [(String, Int)]
    /// Rollbacks by a trigger although nothing had gone wrong yet.
    package var falseRollbacks: Int
    /// Microseconds from the beginning to the end of those that completed.
    package var completion: Spread?
    /// Microseconds from the first fault of the scenario to the decision to roll back.
    package var detection: Spread?
    /// Microseconds from that decision to its confirmation.
    package var confirmation: Spread?
    /// Users that were ever sent to the candidate, of the runs that rolled back.
    package var usersExposed: Spread?
    /// Failed requests of the candidate, of the runs that rolled back.
    package var failed: Spread?

    /// - Parameter firstFault: when the scenario's candidate goes wrong first; nil for one that never does.
    package init(_ outcomes: [Outcome], firstFault: TimeSpan?) {
        runs = outcomes.count
        ends = Dictionary(outcomes.map { ($0.end, 1) }, uniquingKeysWith: +)
        let words = outcomes.compactMap { outcome in outcome.reason.map { "\(outcome.end.words): \($0)" } }
        reasons = Dictionary(words.map { ($0, 1) }, uniquingKeysWith: +).sorted {
            ($1.value, $0.key) < ($0.value, $1.key)
        }
        .map { ($0.key, $0.value) }
        let back = outcomes.filter { $0.end == .rolledBack }
        let isEarly = { (outcome: Outcome) in
            outcome.rollbackByTrigger && (firstFault.map { outcome.onset ?? .zero < $0 } ?? true)
        }
        falseRollbacks = back.count(where: isEarly)
        completion = Spread(outcomes.filter { $0.end == .completed }.map(\.lasted.rawValue))
        let real = back.filter { !isEarly($0) && $0.rollbackByTrigger }
        detection = firstFault.flatMap { fault in
            Spread(real.compactMap { outcome in outcome.decided.map { ($0 - fault).rawValue } })
        }
        confirmation = Spread(
            back.compactMap { outcome in
                guard let decided = outcome.decided, let confirmed = outcome.confirmed else { return nil }
                return (confirmed - decided).rawValue
            }
        )
        usersExposed = Spread(back.map { Int64($0.usersExposed) })
        failed = Spread(back.map { Int64($0.candidateErrors) })
    }
}

extension Outcome.End {
    package var words: String {
        switch self {
        case .completed: "completed"
        case .rolledBack: "rolled back"
        case .halted: "halted"
        case .unfinished: "unfinished"
        }
    }
}
