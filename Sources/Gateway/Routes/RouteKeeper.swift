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

    init(plan: Plan, kept: RouteTable?, store: RouteStore, loops: Loops, traffic: TrafficRecord) {
        self.traffic = traffic
        self.plan = plan
        self.store = store
        self.loops = loops
        fence = Fence(kept)
    }

    /// What is in force and kept; nil before the first.
    package var table: RouteTable? { fence.table }

    /// Puts a table into force.
    ///
    /// - Returns: whether it was new; an old acquaintance is acknowledged again.
    /// - Throws: ``RoutingError`` when the fence refuses it, or it cannot be kept: then the lower of both weights is in force.
    package func apply(_ table: RouteTable) async throws(RoutingError) -> Bool {
        let before = fence.table
        var next = fence
        guard try next.admit(table) else { return false }
        let careful = plan.services.map { service in
            (service.name, min(before?.weight(of: service.name) ?? .zero, table.weight(of: service.name)))
        }
        await loops.install(RouteSnapshot(plan: plan, weights: Dictionary(careful) { first, _ in first }))
        try store.write(RouteStore.Kept(plan: plan, table: table))
        fence = next
        await loops.install(RouteSnapshot(plan: plan, weights: table.weights))
        traffic.acknowledged()
        return true
    }
}
