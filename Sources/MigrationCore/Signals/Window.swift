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
    /// What the plan's sources said, by their names; nil for none.
    package var readings: [String: Reading]?

    package init(
        environment: String,
        routers: [String],
        services: [ServiceWindow],
        readings: [String: Reading]? = nil
    ) {
        self.environment = environment
        self.routers = routers
        self.services = services
        self.readings = readings
    }

    /// What an implementation did over some services.
    package func total(_ implementation: Implementation, _ services: [Int]) -> Counts {
        services.reduce(Counts()) {
            self.services.indices.contains($1) ? $0 + self.services[$1][implementation] : $0
        }
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

/// What one source said of one window.
package struct Reading: Hashable, Codable, Sendable {
    package var candidate: Measurement?
    package var legacy: Measurement?
    /// It could not be asked, or did not answer in time, or answered nonsense.
    package var isFailed: Bool

    package init(candidate: Measurement?, legacy: Measurement?, isFailed: Bool = false) {
        self.candidate = candidate
        self.legacy = legacy
        self.isFailed = isFailed
    }

    package subscript(implementation: Implementation) -> Measurement? {
        switch implementation {
        case .legacy: legacy
        case .candidate: candidate
        }
    }
}

/// Everything that one implementation showed in one window, over the services that are judged together.
package struct Sample: Hashable, Sendable {
    package var counts: Counts
    package var readings: [String: Reading]
    package var implementation: Implementation
    package var span: TimeSpan

    package init(
        _ counts: Counts,
        _ implementation: Implementation = .candidate,
        span: TimeSpan,
        readings: [String: Reading] = [:]
    ) {
        self.counts = counts
        self.readings = readings
        self.implementation = implementation
        self.span = span
    }
}
