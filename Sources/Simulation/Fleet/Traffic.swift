package import MigrationCore
package import Randomness

/// What users, implementations and sources do in a simulated world.
package protocol Traffic: Sendable {
    /// What one service did at one of an environment's routers for a while.
    func measure(_ stretch: Stretch, _ random: inout SplitMix) -> ServiceWindow

    /// What a source says of a window that began at a moment, and after how long; nil when it never says anything.
    func read(_ source: Source, in environment: String, from: Timestamp, _ random: inout SplitMix) -> SourceAnswer?
}

/// A while at one router, for one service.
package struct Stretch: Sendable {
    /// The service's place in the plan.
    package var service: Int
    package var environment: String
    package var from: Timestamp
    package var span: TimeSpan
    /// What share of the requests was sent to the candidate, 0…1.
    package var share: Double
    /// Between how many routers the environment's traffic is divided.
    package var routers: Int
}

/// What a source says, and after how long.
package struct SourceAnswer: Sendable {
    package var reading: Reading
    package var after: TimeSpan
}
