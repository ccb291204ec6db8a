/// How often each thing happened that a run should have met.
package struct Tally: Hashable, Sendable {
    /// Something that ought to happen sometimes; a run in which it never does has not tried it.
    package enum Happening: String, Hashable, Sendable, CaseIterable {
        // What becomes of migrations.
        case completed = "a migration completes"
        case rolledBackByTrigger = "a trigger rolls back"
        case rolledBackByPerson = "a person rolls back"
        case rolledBackByGate = "a gate rolls back"
        case partlyRolledBack = "a part is rolled back"
        case rollbackConfirmed = "a rollback is confirmed"
        case rollbackOverdue = "a rollback is overdue"
        case abandoned = "a migration is abandoned"
        case restarted = "a migration is restarted"
        case expired = "a migration expires"
        case halted = "a migration is halted"
        case stepPassed = "a step passes"
        case stepSkipped = "a step is skipped"
        case gateTimedOut = "a gate times out"
        case baselineRecorded = "a baseline is recorded"
        case amended = "a plan is amended"
        case shadowed = "a shadow plan would have it otherwise"
        case frozen = "a freeze holds a step"
        // What becomes of measurements.
        case windowWhole = "a window is whole"
        case windowPartial = "a window is partial"
        case windowMissing = "a window is missing"
        case noData = "the absence of data is reported"
        case late = "measurements come late"
        case sourceFailed = "a source fails"
        case sourceLate = "a source answers too late"
        case caughtUp = "windows are caught up with"
        // What becomes of commands.
        case conflict = "a commit is refused by compare-and-set"
        case tooOld = "a commit is refused because it is too old"
        case unheard = "a commit’s outcome is not heard"
        case repeated = "a command that was sent twice is in the log once"
        case refused = "a person’s command is refused, and recorded"
        case leaseTaken = "a lease is taken over"
        // What becomes of routes.
        case routeStale = "a router refuses an older revision"
        case routeForked = "a router refuses a forked revision"
        case routeForeign = "a router refuses another log’s route"
        case routerRetired = "a router is retired"
        case routerEvicted = "a router is evicted"
        case quarantined = "a log that went back in time is noticed"
        case rewound = "a log is declared rewound"
        case commitsLost = "commits are lost"
    }

    package private(set) var happened = [Int](repeating: 0, count: Happening.allCases.count)
    /// Troubles by their kind, in the order of ``Trouble/kinds``.
    package private(set) var troubles = [Int](repeating: 0, count: Trouble.kinds.count)

    package init() {}

    private static let places = Dictionary(uniqueKeysWithValues: Happening.allCases.enumerated().map { ($1, $0) })

    mutating func count(_ happening: Happening) {
        if let place = Self.places[happening] { happened[place] += 1 }
    }

    mutating func count(_ trouble: Trouble) { troubles[trouble.kind] += 1 }

    package subscript(happening: Happening) -> Int { Self.places[happening].map { happened[$0] } ?? 0 }

    package static func + (left: Tally, right: Tally) -> Tally {
        var sum = left
        sum.happened = zip(left.happened, right.happened).map { $0 + $1 }
        sum.troubles = zip(left.troubles, right.troubles).map { $0 + $1 }
        return sum
    }

    /// What never happened.
    package var missing: [String] {
        Happening.allCases.filter { self[$0] == 0 }.map(\.rawValue)
            + zip(Trouble.kinds, troubles).filter { $0.1 == 0 }.map(\.0)
    }
}
