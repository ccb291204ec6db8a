import Synchronization

/// The services of which requests have been sent to the candidate, and those of which some may still be on their way there.
final class Told: Sendable {
    private struct State {
        var ever: Set<String> = []
        var pending: Set<String> = []
        /// What the Gateway has shown whenever it was asked, and since when.
        var shown: (route: String, since: ContinuousClock.Instant)?
    }

    private let state = Mutex(State())

    func insert(_ service: String) {
        state.withLock {
            $0.ever.insert(service)
            $0.pending.insert(service)
            $0.shown = nil
        }
    }

    func contains(_ service: String) -> Bool { state.withLock { $0.ever.contains(service) } }

    func isPending(_ services: [String]) -> Bool {
        state.withLock { state in services.contains { state.pending.contains($0) } }
    }

    /// Nobody has been sent to their candidates for long enough.
    func settle(_ services: [String]) { state.withLock { $0.pending.subtract(services) } }

    /// Takes note of what the Gateway shows now: services whose candidates get nobody by that are settled once it has done so for long enough.
    ///
    /// - Parameter route: nil where it shows something else than what is told.
    func shows(_ route: String?, without services: [String], for time: Duration) {
        state.withLock { state in
            guard let route else { return state.shown = nil }
            if let shown = state.shown, shown.route == route {
                if shown.since + time <= .now { state.pending.subtract(services) }
            } else {
                state.shown = (route, .now)
            }
        }
    }
}
