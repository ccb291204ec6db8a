/// When a lease is renewed, trusted and given up (3-log.md, "Leases"). Times are of the holder's own steady clock, in microseconds:
/// the holder trusts a lease from the *start* of its last renewal for less than its life, so it is never wrong about being alone.
package struct LeaseMachine: Sendable {
    package enum Action: Hashable, Sendable {
        /// Ask the database for it, or for more of it.
        case renew
        /// Nothing to do before this moment.
        case wait(until: TimeSpan)
    }

    package let life: TimeSpan
    package let renewEvery: TimeSpan
    private var trustedUntil: TimeSpan?
    private var nextTry = TimeSpan.zero

    /// - Parameter life: how long the database keeps it without a renewal; 10 s where nothing else is asked.
    package init(life: TimeSpan = .seconds(10)) {
        self.life = life
        renewEvery = TimeSpan(rawValue: life.rawValue * 3 / 10)
    }

    package func step(now: TimeSpan) -> Action { now >= nextTry ? .renew : .wait(until: nextTry) }

    /// Whether the holder may act; a tenth of the life is kept as a margin.
    package func isTrusted(now: TimeSpan) -> Bool { trustedUntil.map { now < $0 } ?? false }

    /// The database granted a renewal that began at `started`.
    package mutating func renewed(started: TimeSpan) {
        trustedUntil = started + TimeSpan(rawValue: life.rawValue * 9 / 10)
        nextTry = started + renewEvery
    }

    /// Somebody else holds it, or the database could not be asked; a trust that runs goes on to its end.
    package mutating func refused(now: TimeSpan, lost: Bool) {
        if lost { trustedUntil = nil }
        nextTry = now + TimeSpan(rawValue: renewEvery.rawValue / 3)
    }
}
