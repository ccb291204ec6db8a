import MigrationCore
import NIOCore
package import Routing

/// Holds what is in force in a gateway: takes a table through the fence, puts it before the traffic, and keeps it.
///
/// A lower weight takes effect at once and a higher one only when it is kept; either is acknowledged only when it is. When ``apply(_:)``
/// returns, every event loop has the new snapshot: no request is sent by the old one any more.
package actor RouteKeeper {
    private let plan: Plan
    private let store: RouteStore
    private let loops: Loops
    private let traffic: TrafficRecord
    private var fence: Fence
    /// What decides now, by service: lower than what is kept where something lower could not be.
    private var weights: [String: Weight]

    init(plan: Plan, kept: RouteTable?, store: RouteStore, loops: Loops, traffic: TrafficRecord) {
        self.traffic = traffic
        self.plan = plan
        self.store = store
        self.loops = loops
        fence = Fence(kept)
        weights = kept?.weights ?? [:]
    }

    /// What is kept, with the weights that are in force; nil before the first.
    package var table: RouteTable? {
        var table = fence.table
        table?.weights = weights
        return table
    }

    /// Puts a table into force.
    ///
    /// - Returns: whether it was new; an old acquaintance is acknowledged again.
    /// - Throws: ``RoutingError`` when the fence refuses it, or it cannot be kept: then the lower of both weights is in force.
    package func apply(_ table: RouteTable) async throws(RoutingError) -> Bool {
        var next = fence
        guard try next.admit(table) || weights != table.weights else { return false }
        let careful = plan.services.map { service in
            (service.name, min(weights[service.name] ?? .zero, table.weight(of: service.name)))
        }
        weights = Dictionary(careful) { first, _ in first }
        await loops.install(RouteSnapshot(plan: plan, weights: weights))
        try store.write(RouteStore.Kept(plan: plan, table: table))
        fence = next
        weights = table.weights
        await loops.install(RouteSnapshot(plan: plan, weights: weights))
        traffic.acknowledged()
        return true
    }
}
