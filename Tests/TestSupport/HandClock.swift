import Synchronization

/// A clock that goes on when it is told.
package final class HandClock: Sendable {
    private let time = Mutex(Duration.zero)

    package init() {}

    package var now: Duration { time.withLock { $0 } }
    package func advance(_ by: Duration) { time.withLock { $0 += by } }
}
