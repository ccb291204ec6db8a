import MigrationCore
import Routing

/// Everything that a routing decision needs, immutable; each event loop has its own reference, so a decision takes no lock.
final class RouteSnapshot: Sendable {
    struct Entry: Sendable {
        let index: Int
        let service: Service
        let legacy: Address
        let candidate: Address
        let weight: Weight

        func address(_ implementation: Implementation) -> Address {
            switch implementation {
            case .legacy: legacy
            case .candidate: candidate
            }
        }
    }

    let migration: String
    let stickyBy: [StickyKey]
    /// By path.
    let entries: [String: Entry]

    /// - Parameters:
    ///   - plan: the services and where a request's key is.
    ///   - weights: what is in force; a service without one is at legacy.
    init(plan: Plan, weights: [String: Weight]) {
        migration = plan.name
        stickyBy = plan.stickyBy
        var entries: [String: Entry] = [:]
        for (index, service) in plan.services.enumerated() {
            guard let legacy = Address(service.legacy), let candidate = Address(service.candidate) else { continue }
            entries[service.path] = Entry(
                index: index,
                service: service,
                legacy: legacy,
                candidate: candidate,
                weight: weights[service.name] ?? .zero
            )
        }
        self.entries = entries
    }
}
