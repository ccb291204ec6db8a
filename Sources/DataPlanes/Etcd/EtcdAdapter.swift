package import MigrationCore
package import Routing
import Signals

/// Tells services that resolve their peers themselves who goes where: by one key in etcd, which is written only over what was read, and by their own
/// word that they have it.
package struct EtcdAdapter: PlaneAdapter {
    private static let patience = Duration.seconds(3)
    private static let glance = Duration.milliseconds(5)
    /// So often somebody else may have written in between.
    private static let tries = 5

    package let router: String
    private let plan: Plan
    private let store: EtcdStore
    private let keys: EtcdKeys

    /// - Parameters:
    ///   - endpoint: of etcd's clients, `http://host:port`.
    ///   - account: whose reads and writes these are; nil for an etcd that does not ask.
    package init(router: String, plan: Plan, endpoint: String, account: EtcdAccount? = nil, keys: EtcdKeys) {
        self.router = router
        self.plan = plan
        store = EtcdStore(endpoint: endpoint, account: account)
        self.keys = keys
    }

    /// Puts a table into force, and waits until every resolver that has a lease says that it decides by it.
    ///
    /// - Throws: ``RoutingError`` when etcd has a higher revision, another commit at this one, or one of a log that is not this one's ancestor; when
    ///   it does not answer; when there is no resolver, or one has not taken the route in time.
    package func apply(_ table: RouteTable) async throws(RoutingError) -> Acknowledgement {
        let wanted = RouteText(table, plan)
        try await put(table) { _ in wanted }
        let end = ContinuousClock.now + Self.patience
        while true {
            let resolvers = try await store.entries(keys.resolvers)
            // What plan it was written for says each of them behind that (``requireOwnConfiguration()``).
            let late = resolvers.filter { $0.value != wanted.identity && !$0.value.hasPrefix(wanted.identity + ":") }
            if !resolvers.isEmpty, late.isEmpty {
                return Acknowledgement(router: router, revision: wanted.revision, at: SystemClock.now)
            }
            guard ContinuousClock.now < end, !Task.isCancelled else {
                throw RoutingError(
                    .unreachable,
                    resolvers.isEmpty
                        ? "no resolver has a key below \(keys.resolvers)"
                        : "these resolvers have not taken revision \(wanted.revision): \(names(late))",
                    mend: "see that they run; one that is gone is forgotten when its lease is over"
                )
            }
            try? await Task.sleep(for: Self.glance)
        }
    }

    package func lower(to table: RouteTable) async throws(RoutingError) {
        let wanted = RouteText(table, plan)
        try await put(table) { now in now.lowered(to: wanted) }
    }

    /// - Parameter next: what to write in the place of what is there.
    private func put(_ table: RouteTable, next: (_ now: RouteText) -> RouteText) async throws(RoutingError) {
        for _ in 0..<Self.tries {
            let (now, revision) = try await stored()
            try now.require(table, plan)
            let next = next(now)
            if next == now { return }
            if try await store.put(keys.route, next.text, ifUnchangedSince: revision) { return }
        }
        throw RoutingError(
            .unreachable,
            "\(keys.route) is written by somebody else all the time",
            mend: "see who else writes that key: one follower of the log for each environment is enough"
        )
    }

    package func requireOwnConfiguration() async throws(RoutingError) {
        for resolver in try await store.entries(keys.resolvers) {
            // Revision, log ID and hash come before.
            let fields = resolver.value.split(separator: ":", omittingEmptySubsequences: false)
            let name = "the resolver \(names([resolver]))"
            try PlanMark(plan).require(fields.count == 4 ? fields[3] : nil, of: (name, "etcd"))
        }
    }

    private func names(_ entries: [EtcdStore.Entry]) -> String {
        entries.map { String($0.key.dropFirst(keys.resolvers.count)) }.joined(separator: ", ")
    }

    /// What is in force; legacy where nobody has written yet.
    package func read() async throws(RoutingError) -> RouteText { try await stored().route }

    private func stored() async throws(RoutingError) -> (route: RouteText, revision: Int64) {
        guard let entry = try await store.entry(keys.route) else { return (.legacy(plan), 0) }
        guard let route = RouteText(entry.value, services: plan.services.count) else {
            throw RoutingError(
                .storage,
                "\(keys.route) holds no route of \(plan.services.count) services: \(entry.value.prefix(200))",
                mend: "delete that key: without it resolvers serve legacy, and the route is written anew"
            )
        }
        return (route, entry.revision)
    }
}
