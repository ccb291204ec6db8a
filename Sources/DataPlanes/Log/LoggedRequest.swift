package import MigrationCore
package import Signals

/// One request as a data plane's log tells it.
package struct LoggedRequest: Hashable, Sendable {
    package var service: Int
    package var implementation: Implementation
    package var outcome: Outcome
    package var latency: TimeSpan
    /// A hash of the request's key; nil when it has none.
    package var user: UInt64?
    package var cache: CacheOutcome?
}
