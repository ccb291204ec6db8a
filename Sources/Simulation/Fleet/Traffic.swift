package import MigrationCore

/// What users and implementations do in a simulated world.
package protocol Traffic: Sendable {
    /// What one service did at one of an environment's routers for a while.
    ///
    /// - Parameters:
    ///   - service: its place in the plan.
    ///   - environment: where.
    ///   - from: when the time began.
    ///   - span: how long it lasted.
    ///   - share: what share of the requests was sent to the candidate, 0…1.
    ///   - routers: between how many routers the environment's traffic is divided.
    ///   - random: where chance comes from.
    func measure(
        _ service: Int,
        in environment: String,
        from: Timestamp,
        span: TimeSpan,
        share: Double,
        routers: Int,
        _ random: inout SplitMix
    ) -> ServiceWindow

    /// What a source says of a window that began at a moment, and after how long; nil when it never says anything.
    func read(_ source: Source, in environment: String, from: Timestamp, _ random: inout SplitMix) -> (
        reading: Reading, after: TimeSpan
    )?
}
