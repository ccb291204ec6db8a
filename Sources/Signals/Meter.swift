import Histogram
package import MigrationCore
import Synchronization

/// What a router's services did in one window, in the plan's order.
package struct MeasuredWindow: Hashable, Sendable {
    package var k: Int64
    package var services: [ServiceWindow]

    package init(k: Int64, services: [ServiceWindow]) {
        self.k = k
        self.services = services
    }
}

/// Counts what a router's services do, in tumbling windows of event time. What comes when its window was taken already is of the first that was not: on
/// a machine that is busy a thread may be held up between the two, and nothing that happened is lost.
package final class Meter: Sendable {
    /// Latencies up to ten minutes, at two significant digits: at most 1 % off.
    private static let longest: UInt64 = 600_000_000
    /// How many windows are kept for a sink that does not take them.
    private static let kept = 600

    private let services: Int
    private let clock: WindowClock
    private let state: Mutex<State>

    private struct State {
        var windows: [Int64: [Tally]] = [:]
        /// The first window that nobody has taken.
        var open = Int64.min
        var totals: [Totals]
    }

    /// - Parameters:
    ///   - services: how many services there are.
    ///   - clock: the windows.
    package init(services: Int, clock: WindowClock) {
        self.services = services
        self.clock = clock
        state = Mutex(State(totals: (0..<services * 2).map { _ in Totals() }))
    }

    /// One request that ended at `moment`.
    ///
    /// - Parameter user: a hash of the request's key; nil when it has none.
    package func count(
        service: Int,
        _ implementation: Implementation,
        _ outcome: Outcome,
        latency: TimeSpan,
        cache: CacheOutcome?,
        user: UInt64?,
        at moment: Timestamp
    ) {
        change(service, implementation, moment) { tally, totals in
            totals.count(outcome, latency: latency, cache: cache)
            tally.counts.requests += 1
            switch outcome {
            case .answered: break
            case .failed: tally.counts.errors += 1
            case .timedOut: tally.counts.timeouts += 1
            }
            switch cache {
            case .hit?: tally.counts.cacheHits += 1
            case .miss?: tally.counts.cacheMisses += 1
            case nil: break
            }
            if let user { tally.users.count(user, outcome) }
            _ = tally.latency.record(min(UInt64(max(0, latency.rawValue)), Self.longest))
        }
    }

    /// A client that went away before the service had said anything: how the request would have ended nobody knows, so it is in no window.
    package func givenUp(service: Int, _ implementation: Implementation) {
        state.withLock { $0.totals[Self.place(service, implementation)].countGivenUp() }
    }

    /// One copied request of which both sides' answers were compared.
    package func compared(service: Int, isDifferent: Bool, at moment: Timestamp) {
        change(service, .candidate, moment) { tally, _ in
            tally.counts.compared += 1
            if isDifferent { tally.counts.different += 1 }
        }
    }

    /// One look at whether an implementation is there.
    package func probe(service: Int, _ implementation: Implementation, isUp: Bool, at moment: Timestamp) {
        change(service, implementation, moment) { tally, _ in
            if isUp { tally.counts.probesUp += 1 } else { tally.counts.probesDown += 1 }
        }
    }

    /// Takes the windows before `k`, from `first` on; a window in which nothing happened is there, and empty.
    package func take(from first: Int64, before k: Int64) -> [MeasuredWindow] {
        guard first < k else { return [] }
        let first = max(first, k - Int64(Self.kept))
        return state.withLock { state in
            let windows = state.windows
            let taken = (first..<k).map { index in
                let tallies = windows[index] ?? []
                return MeasuredWindow(
                    k: index,
                    services: (0..<services).map { service in
                        guard !tallies.isEmpty else { return ServiceWindow() }
                        return ServiceWindow(
                            legacy: tallies[service * 2].sealed,
                            candidate: tallies[service * 2 + 1].sealed
                        )
                    }
                )
            }
            state.windows = windows.filter { $0.key >= k }
            state.open = max(state.open, k)
            return taken
        }
    }

    /// What was counted and not taken is forgotten, and what comes is of its own window again: the clock was set.
    package func restart() {
        state.withLock { state in
            state.windows = [:]
            state.open = .min
        }
    }

    /// What a service's implementation did since this began.
    package func totals(service: Int, _ implementation: Implementation) -> Totals {
        state.withLock { $0.totals[Self.place(service, implementation)] }
    }

    private static func place(_ service: Int, _ implementation: Implementation) -> Int {
        service * 2 + (implementation == .legacy ? 0 : 1)
    }

    private func change(
        _ service: Int,
        _ implementation: Implementation,
        _ moment: Timestamp,
        _ change: (inout Tally, inout Totals) -> Void
    ) {
        let index = Self.place(service, implementation)
        let own = clock.index(of: moment)
        state.withLock { state in
            let k = max(own, state.open)
            // Nobody takes them: the clock was set back, say.
            if state.windows[k] == nil, state.windows.count >= Self.kept + 2, let oldest = state.windows.keys.min() {
                state.windows[oldest] = nil
            }
            change(
                &state.windows[k, default: (0..<services * 2).map { _ in Tally() }][index],
                &state.totals[index]
            )
        }
    }

    private struct Tally {
        var counts = Counts()
        var users = DistinctUsers()
        var latency = Histogram<UInt32>(highestTrackableValue: Meter.longest, numberOfSignificantValueDigits: .two)

        var sealed: Counts {
            var counts = counts
            users.put(into: &counts)
            counts.latency = LatencyHistogram(
                latency.recordedValues().map { LatencyHistogram.Bucket(micros: Int($0.value), count: Int($0.count)) }
            )
            return counts
        }
    }
}
