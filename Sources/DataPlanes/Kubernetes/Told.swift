import Synchronization

/// The services of which requests have been sent to the candidate, and those of which some may still be on their way there.
final class Told: Sendable {
    private struct State {
        var ever: Set<String> = []
        /// With what the Gateway has shown whenever it was asked since the last request may have been sent there, and since when; nil before that.
        var pending: [String: Shown?] = [:]
        var isUnknown = false
    }

    private struct Shown {
        var route: String
        var since: ContinuousClock.Instant
    }

    private let state = Mutex(State())

    /// Requests of a service will be sent to the candidate.
    func expect(_ service: String) { state.withLock { _ = $0.ever.insert(service) } }

    /// They may be by now.
    func insert(_ service: String) {
        state.withLock {
            $0.ever.insert(service)
            $0.pending.updateValue(nil, forKey: service)
        }
    }

    func contains(_ service: String) -> Bool { state.withLock { $0.ever.contains(service) } }

    func isPending(_ services: [String]) -> Bool {
        state.withLock { state in services.contains { state.pending.keys.contains($0) } }
    }

    /// Nobody has been sent to their candidates for long enough.
    func settle(_ services: [String]) {
        state.withLock { state in
            for service in services { state.pending.removeValue(forKey: service) }
        }
    }

    /// Takes note of what the Gateway shows now: services whose candidates get nobody by that are settled once it has done so for long enough.
    ///
    /// - Parameter route: nil where it shows something else than what is told.
    func shows(_ route: String?, without services: [String], for time: Duration) {
        state.withLock { state in
            guard let route else { return state.pending = state.pending.mapValues { _ in nil } }
            for service in services {
                guard let before = state.pending[service] else { continue }
                if let before, before.route == route {
                    if before.since + time <= .now { state.pending.removeValue(forKey: service) }
                } else {
                    state.pending.updateValue(Shown(route: route, since: .now), forKey: service)
                }
            }
        }
    }

    /// Nobody knows what was told before.
    func forget() { state.withLock { $0.isUnknown = true } }

    /// Whether nobody has known what was told before; once.
    func learn() -> Bool {
        state.withLock { state in
            defer { state.isUnknown = false }
            return state.isUnknown
        }
    }
}
