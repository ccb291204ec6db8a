import Synchronization

/// Leaves a model alone that has failed so many times in a row, and lets one request try it again after a pause.
///
///     closed ──failures in a row──► open ──pause──► one tries ──success──► closed
///                                    ▲                 └────failure────┐
///                                    └─────────────────────────────────┘
package final class ModelBreaker: Sendable {
    private enum State {
        case closed(failures: Int)
        case open(since: Duration)
        /// One is trying; one that never says how it went is given up after another pause.
        case trying(since: Duration)
    }

    private let limit: Int
    private let pause: Duration
    private let now: @Sendable () -> Duration
    private let state = Mutex(State.closed(failures: 0))
    private let last = Mutex<String?>(nil)

    /// - Parameters:
    ///   - limit: failures in a row that open it.
    ///   - now: a clock that does not go back.
    package init(limit: Int = 5, pause: Duration = .seconds(30), now: (@Sendable () -> Duration)? = nil) {
        let start = ContinuousClock.now
        self.limit = limit
        self.pause = pause
        self.now = now ?? { ContinuousClock.now - start }
    }

    package var isOpen: Bool {
        state.withLock { state in
            if case .closed = state { return false }
            return true
        }
    }

    /// How the last request ended: `ok`, or an error's name; nil before the first.
    package var lastOutcome: String? { last.withLock { $0 } }

    func note(_ outcome: String) { last.withLock { $0 = outcome } }

    func admits() -> Bool {
        let time = now()
        return state.withLock { state in
            switch state {
            case .closed: return true
            case .open(let since), .trying(let since):
                guard time - since >= pause else { return false }
                state = .trying(since: time)
                return true
            }
        }
    }

    /// A success forgets every failure.
    func succeeded() { state.withLock { $0 = .closed(failures: 0) } }

    func failed() {
        let time = now()
        state.withLock { state in
            switch state {
            case .closed(let failures) where failures + 1 < limit: state = .closed(failures: failures + 1)
            case .closed, .open, .trying: state = .open(since: time)
            }
        }
    }
}
