import Dispatch
import Synchronization

extension TimeLimit {
    /// What something gives; after a time it is cancelled, and its end is waited for.
    ///
    /// For work that is done often and seldom takes too long: one clock looks after all of it, ten times a second while there is any, so that a
    /// limit needs no timer of its own. It holds up to a tenth of a second later than it says.
    ///
    /// - Throws: what it throws.
    package static func cancelling<R: Sendable>(
        after limit: Duration,
        _ body: @escaping @Sendable () async throws -> R
    ) async throws -> R {
        let work = Task { try await body() }
        let number = Watch.shared.begin(limit) { work.cancel() }
        defer { Watch.shared.end(number) }
        return try await withTaskCancellationHandler {
            try await work.value
        } onCancel: {
            work.cancel()
        }
    }
}

/// Looks after limits that are seldom reached.
private final class Watch: Sendable {
    static let shared = Watch()

    private struct Limit {
        var end: ContinuousClock.Instant
        var reached: @Sendable () -> Void
    }

    private struct State {
        var limits: [UInt64: Limit] = [:]
        var last: UInt64 = 0
        var isLooking = false
    }

    private let state = Mutex(State())
    /// Of its own: what blocks threads of the shared queues must not delay a limit.
    private let queue = DispatchQueue(label: "limits that are seldom reached", qos: .userInitiated)
    private static let round = DispatchTimeInterval.milliseconds(100)

    func begin(_ limit: Duration, _ reached: @escaping @Sendable () -> Void) -> UInt64 {
        let end = ContinuousClock.now + limit
        let (number, isFirst) = state.withLock { state in
            state.last += 1
            state.limits[state.last] = Limit(end: end, reached: reached)
            defer { state.isLooking = true }
            return (state.last, !state.isLooking)
        }
        if isFirst { lookLater() }
        return number
    }

    func end(_ number: UInt64) { state.withLock { $0.limits[number] = nil } }

    private func lookLater() { queue.asyncAfter(deadline: .now() + Self.round) { self.look() } }

    private func look() {
        let now = ContinuousClock.now
        let (reached, isOver) = state.withLock { state in
            let reached = state.limits.filter { $0.value.end <= now }
            for number in reached.keys { state.limits[number] = nil }
            state.isLooking = !state.limits.isEmpty
            return (reached, !state.isLooking)
        }
        for limit in reached.values { limit.reached() }
        if !isOver { lookLater() }
    }
}
