package import MigrationCore

/// Something that goes wrong for a while (7-faults.md).
package enum Trouble: Hashable, Sendable {
    case databaseAway
    /// Whoever has a commit under way is not told what became of it.
    case backendsKilled
    /// A failover to a standby that had not got the last commits.
    case tailLost
    /// An old backup is restored.
    case backupRestored
    case workerKilled(Int)
    /// Stopped, with what it was about to send sent afterwards.
    case workerPaused(Int)
    case workerCutOff(Int)
    case routerKilled(Int)
    case routerCutOff(Int)
    case routerClock(Int)
    /// Messages are lost, doubled, and come in any order.
    case networkBad
    case networkSlow

    package static let kinds = [
        "the database is away", "backends are killed", "a failover loses the tail", "an old backup is restored",
        "a worker is killed", "a worker is paused", "a worker is cut off", "a router is killed", "a router is cut off",
        "a router’s clock is wrong", "the network loses, doubles and reorders", "the network is slow",
    ]

    var kind: Int {
        switch self {
        case .databaseAway: 0
        case .backendsKilled: 1
        case .tailLost: 2
        case .backupRestored: 3
        case .workerKilled: 4
        case .workerPaused: 5
        case .workerCutOff: 6
        case .routerKilled: 7
        case .routerCutOff: 8
        case .routerClock: 9
        case .networkBad: 10
        case .networkSlow: 11
        }
    }
}

/// How often things go wrong, and for how long.
package struct Weather: Hashable, Sendable {
    /// The mean time between two troubles.
    package var every: TimeSpan
    /// The mean time that one lasts.
    package var lasting: TimeSpan
    /// Of a thousand troubles, how many are lost tails and restored backups.
    package var losses: Int

    package init(every: TimeSpan, lasting: TimeSpan, losses: Int) {
        self.every = every
        self.lasting = lasting
        self.losses = losses
    }

    /// Mostly fair, and everything sometimes.
    package static let changeable = Weather(every: .minutes(50), lasting: .minutes(4), losses: 12)
    /// Hardly ever fair.
    package static let foul = Weather(every: .minutes(6), lasting: .minutes(6), losses: 4)
}
