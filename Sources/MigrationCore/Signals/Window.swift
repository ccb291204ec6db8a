/// One sealed interval of measurements, as it goes into the log: the sums over the routers that reported.
package struct Window: Hashable, Codable, Sendable {
    package var k: Int64
    /// One for each environment that has a router, in the plan's order.
    package var environments: [EnvironmentWindow]

    package init(k: Int64, environments: [EnvironmentWindow]) {
        self.k = k
        self.environments = environments
    }
}

/// What the routers of one environment reported of one window.
package struct EnvironmentWindow: Hashable, Codable, Sendable {
    package var environment: String
    /// The routers that reported the whole window, by name, sorted.
    package var routers: [String]
    /// In the order of the plan's services.
    package var services: [ServiceWindow]

    package init(environment: String, routers: [String], services: [ServiceWindow]) {
        self.environment = environment
        self.routers = routers
        self.services = services
    }

    /// What an implementation did over all services.
    package func total(_ implementation: Implementation) -> Counts {
        services.reduce(Counts()) { $0 + $1[implementation] }
    }
}

/// What one service did in one window.
package struct ServiceWindow: Hashable, Codable, Sendable {
    package var legacy: Counts
    package var candidate: Counts

    package init(legacy: Counts = Counts(), candidate: Counts = Counts()) {
        self.legacy = legacy
        self.candidate = candidate
    }

    package subscript(implementation: Implementation) -> Counts {
        switch implementation {
        case .legacy: legacy
        case .candidate: candidate
        }
    }

    package static func + (left: ServiceWindow, right: ServiceWindow) -> ServiceWindow {
        ServiceWindow(legacy: left.legacy + right.legacy, candidate: left.candidate + right.candidate)
    }
}
