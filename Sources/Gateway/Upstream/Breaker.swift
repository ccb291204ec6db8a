import MigrationCore

/// Stops asking an address that has failed so many times in a row, and tries it again with one request after a pause.
///
///     closed ──failures in a row──► open ──pause──► half open ──success──► closed
///                                     ▲                  └──failure──┐
///                                     └──────────────────────────────┘
///
/// A failure is a connection that was refused or broke, or an answer that did not come in time; an answer of any status is a success.
struct Breaker: Hashable, Sendable {
    private enum State: Hashable {
        case closed(failures: Int)
        case open(since: TimeSpan)
        case halfOpen(since: TimeSpan)
    }

    /// How many failures in a row open it; 0 never does.
    let limit: Int
    let pause: TimeSpan
    private var state = State.closed(failures: 0)

    init(limit: Int, pause: TimeSpan) {
        self.limit = limit
        self.pause = pause
    }

    var isClosed: Bool {
        if case .closed = state { return true }
        return false
    }

    /// Whether a request may be sent now.
    ///
    /// - Parameter now: on a clock that does not go back.
    mutating func admits(at now: TimeSpan) -> Bool {
        switch state {
        case .closed: return true
        case .open(let since), .halfOpen(let since):
            guard now - since >= pause else { return false }
            state = .halfOpen(since: now)
            return true
        }
    }

    mutating func succeeded() { state = .closed(failures: 0) }

    mutating func failed(at now: TimeSpan) {
        guard limit > 0 else { return }
        switch state {
        case .closed(let failures) where failures + 1 < limit: state = .closed(failures: failures + 1)
        case .closed, .open, .halfOpen: state = .open(since: now)
        }
    }
}
