import Synchronization

/// The services of which requests have been sent to the candidate.
final class Told: Sendable {
    private let services = Mutex<Set<String>>([])

    func insert(_ service: String) { services.withLock { _ = $0.insert(service) } }

    func contains(_ service: String) -> Bool { services.withLock { $0.contains(service) } }
}
