import JSON
package import MigrationCore
package import Routing
import Signals

/// Tells a Gateway of Kubernetes what share of requests goes where: by the weights of an HTTPRoute, which is written only over what was read; and
/// believes it when the Gateway shows it.
///
/// Users are dealt at random by every implementation of the Gateway API: nobody stays where they are.
package struct KubernetesAdapter: PlaneAdapter {
    private static let glance = Duration.milliseconds(100)
    /// So often somebody else may have written in between.
    private static let tries = 5
    /// So often in a row the Gateway has to show the route, on connections of their own: it may be several programs, and each of them several workers.
    private static let shows = 20
    private static let betweenShows = Duration.milliseconds(20)
    private static let look = Duration.milliseconds(500)

    package let router: String
    package var isSeenByReading: Bool { true }
    private let plan: Plan
    private let place: KubernetesPlace
    private let api: KubernetesAPI
    private let patience: Duration
    private let connectTimeout: Duration
    private let told: Told

    /// - Parameters:
    ///   - patience: how long controllers and the Gateway have to take a route.
    ///   - connectTimeout: how long the Gateway lets a connection to a service come about.
    package init(
        router: String,
        plan: Plan,
        place: KubernetesPlace,
        access: KubernetesAccess,
        patience: Duration = .seconds(10),
        connectTimeout: Duration
    ) {
        self.init(
            router: router,
            plan: plan,
            place: place,
            access: access,
            patience: patience,
            connectTimeout: connectTimeout,
            told: Told()
        )
    }

    /// - Parameter told: hears of which services requests may go to the candidate.
    init(
        router: String,
        plan: Plan,
        place: KubernetesPlace,
        access: KubernetesAccess,
        patience: Duration = .seconds(10),
        connectTimeout: Duration,
        told: Told
    ) {
        self.connectTimeout = connectTimeout
        self.told = told
        self.patience = patience
        self.router = router
        self.plan = plan
        self.place = place
        api = KubernetesAPI(access, place: place)
    }

    /// Puts a table into force, and waits until every controller says that it has taken it and the Gateway shows it, twenty times in a row; and where a candidate gets nobody,
    /// until no request that was routed before can still be waiting for its connection there, of which no Gateway says anything.
    ///
    /// - Throws: ``RoutingError`` when the HTTPRoute has a higher revision, another commit at this one, or one of a log that is not this one's ancestor;
    ///   when the API server or the Gateway does not answer, a controller does not accept it, or it is not shown in time.
    package func apply(_ table: RouteTable) async throws(RoutingError) -> Acknowledgement {
        let wanted = RouteText(table, plan)
        let sent = table.weights.filter { $0.value > .zero }.keys
        for service in sent { told.expect(service) }
        try await put(table) { now throws(RoutingError) in
            for service in sent { told.insert(service) }
            return try now.says(wanted) ? nil : now.changed(to: wanted)
        }
        let end = ContinuousClock.now + patience
        while let pending = try await self.pending(wanted, table) {
            guard ContinuousClock.now < end, !Task.isCancelled else {
                throw RoutingError(
                    .unreachable,
                    "the HTTPRoute \(place.namespace)/\(place.name) of revision \(wanted.revision) is not in force: \(pending)",
                    mend: "see what its controller says: kubectl describe httproute \(place.name) -n \(place.namespace)"
                )
            }
            try? await Task.sleep(for: Self.glance)
        }
        var seen = 0
        while seen < Self.shows {
            let shown = try await api.shown()
            seen = shown == HTTPRoute.shown(wanted) ? seen + 1 : 0
            guard ContinuousClock.now < end, !Task.isCancelled else {
                throw RoutingError(
                    .unreachable,
                    "the Gateway does not show revision \(wanted.revision) at \(place.probe), but \(shown ?? "no redirect")",
                    mend: "see that --gateway-url leads to the Gateway of this HTTPRoute"
                )
            }
            try? await Task.sleep(for: Self.betweenShows)
        }
        try await untilNobodySends(to: deserted(wanted), wanted, table)
        return Acknowledgement(router: router, revision: wanted.revision, at: SystemClock.now)
    }

    /// The services whose candidate gets nobody.
    private func deserted(_ route: RouteText) -> [String] {
        zip(plan.services, route.weights).filter { $1 == .zero }.map(\.0.name)
    }

    /// Waits as long as a connection may take to come about, in which nobody changes the route.
    private func untilNobodySends(to services: [String], _ wanted: RouteText, _ table: RouteTable)
        async throws(RoutingError)
    {
        guard told.isPending(services) else { return }
        let end = ContinuousClock.now + connectTimeout
        while ContinuousClock.now < end {
            do {
                try await Task.sleep(for: min(Self.look, end - .now))
            } catch {
                throw RoutingError(.unreachable, "the wait for requests that were routed before was broken off")
            }
            if let pending = try await pending(wanted, table) {
                throw RoutingError(
                    .unreachable,
                    "the HTTPRoute \(place.namespace)/\(place.name) of revision \(wanted.revision) is not in force any more: \(pending)",
                    mend: "see who else writes it: one follower of the log for each environment is enough"
                )
            }
        }
        told.settle(services)
    }

    package func lower(to table: RouteTable) async throws(RoutingError) {
        let wanted = RouteText(table, plan), plan = plan
        try await put(table) { now throws(RoutingError) in
            let told = try now.told()
            // Somebody has turned the weights. What is wanted is told in their place as soon as the Gateway answers; till then what they say beyond it is taken back, and nothing said.
            let isAsTold = try now.says(told)
            if !isAsTold, told.identity == wanted.identity { return try now.lowered(to: wanted) }
            let next = told.lowered(to: isAsTold ? wanted : .legacy(plan))
            return try now.says(next) ? nil : now.changed(to: next)
        }
    }

    /// - Parameter next: what to write in the place of what is there; nil for nothing.
    private func put(_ table: RouteTable, next: (_ now: HTTPRoute) throws(RoutingError) -> JSONValue?)
        async throws(RoutingError)
    {
        for _ in 0..<Self.tries {
            let now = try await route()
            try now.told().require(table, plan)
            guard let next = try next(now) else { return }
            if try await api.write(next) { return }
        }
        throw RoutingError(
            .unreachable,
            "the HTTPRoute \(place.namespace)/\(place.name) is written by somebody else all the time",
            mend: "see who else writes it: one follower of the log for each environment is enough"
        )
    }

    private func pending(_ wanted: RouteText, _ table: RouteTable) async throws(RoutingError) -> String? {
        let now = try await route()
        // A newer one may have come meanwhile.
        try now.told().require(table, plan)
        return try now.says(wanted) ? now.pending : "somebody else has changed it"
    }

    /// What is in force: what was told, where the weights still say so, every controller has taken that, and the Gateway shows it; else what nobody has told.
    package func read() async throws(RoutingError) -> RouteText {
        let now = try await route()
        let told = try now.told()
        // Also where the weights were turned: nobody is told anything that is not known to answer.
        let shown = try await api.shown()
        // Weights that were turned and put back are shown by the same host: only who has taken them says so.
        let isInForce = try now.says(told) && now.pending == nil && shown == HTTPRoute.shown(told)
        let deserted = deserted(told)
        self.told.shows(isInForce ? told.text : nil, without: deserted, for: connectTimeout)
        // As long as nobody has waited for those who were sent to a candidate before, it is not.
        guard isInForce, !self.told.isPending(deserted) else { return .legacy(plan) }
        return told
    }

    /// Nothing more: whatever is read is compared with the plan's paths and back ends.
    package func requireOwnConfiguration() async throws(RoutingError) {}

    /// What the API server has. Whom it has sent to a candidate is noted, whoever told it.
    private func route() async throws(RoutingError) -> HTTPRoute {
        let route = HTTPRoute(try await api.read(), plan: plan, place: place)
        for (index, service) in plan.services.enumerated() where try route.share(index) > 0 {
            told.insert(service.name)
        }
        if told.learn(), try !route.told().isUntold {
            for service in plan.services { told.insert(service.name) }
        }
        return route
    }

    package func remember(_ table: RouteTable?) {
        guard let table else { return told.forget() }
        for (name, weight) in table.weights where weight > .zero { told.insert(name) }
    }
}
