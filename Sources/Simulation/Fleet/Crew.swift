import MigrationCore
import Randomness

/// A command that somebody gives, on its way to the log.
struct PersonsCommand: Hashable, Sendable {
    var command: Command
    var actor: String
}

/// The people around a migration: what they do when they look at it.
protocol Crew: Sendable {
    /// How long it is until somebody looks again.
    func nextGlance(_ random: inout SplitMix) -> TimeSpan

    /// What is given then.
    ///
    /// - Parameters:
    ///   - migration: as the log has it.
    ///   - absent: registered routers that are not there.
    ///   - isFair: nothing goes wrong any more, and people only help.
    func act(
        on migration: Migration,
        absent: [String],
        at: Timestamp,
        isFair: Bool,
        _ random: inout SplitMix
    ) -> [PersonsCommand]

    /// What a check that a worker runs says, and after how long; nil when it never says anything.
    func result(of check: Check, _ isFair: Bool, _ random: inout SplitMix) -> (isPassed: Bool, after: TimeSpan)?

    /// The plan that follows once a migration is over; nil when it stays as it is.
    func next(after migration: Migration, _ random: inout SplitMix) -> Plan?
}
