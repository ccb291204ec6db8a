package import MigrationCore

/// What a plan is rehearsed against: traffic, how both implementations do, how that changes, and what people do.
package struct Scenario: Hashable, Sendable {
    /// How an implementation does: shares of 0…1.
    package struct Behaviour: Hashable, Sendable {
        package var errors = 0.0
        /// Not counted among the errors, as gateways count.
        package var timeouts = 0.0
        package var median: TimeSpan
        package var p95: TimeSpan
        /// Nil where there is no cache.
        package var cacheHits: Double?
        /// The share of copied requests that the two sides answer differently; nil where none is copied.
        package var different: Double?
        package var available = 1.0
        /// What the plan's sources say of it, by their names.
        package var sources: [String: Measurement] = [:]

        package init(median: TimeSpan = .milliseconds(100), p95: TimeSpan = .milliseconds(400)) {
            self.median = median
            self.p95 = p95
        }
    }

    /// Something that is otherwise for a while; what it does not name stays as it is.
    package struct Change: Hashable, Sendable {
        package enum Subject: String, Hashable, Sendable, CaseIterable { case legacy, candidate, traffic }

        /// After the beginning.
        package var at: TimeSpan
        /// Nil for good.
        package var lasting: TimeSpan?
        package var of: Subject
        /// By its name; nil for all.
        package var service: String?
        package var environment: String?
        package var errors: Double?
        package var timeouts: Double?
        package var median: TimeSpan?
        package var p95: TimeSpan?
        package var cacheHits: Double?
        package var different: Double?
        package var available: Double?
        package var sources: [String: Measurement] = [:]
        /// Of traffic: how many times as much.
        package var times: Double?

        package init(at: TimeSpan, of: Subject) {
            self.at = at
            self.of = of
        }

        func applies(_ at: TimeSpan, _ service: String, _ environment: String) -> Bool {
            at >= self.at && (lasting.map { at < self.at + $0 } ?? true)
                && (self.service ?? service) == service && (self.environment ?? environment) == environment
        }
    }

    /// What people do, and when.
    package struct People: Hashable, Sendable {
        /// After how long they approve a step; nil never.
        package var approveAfter: TimeSpan? = .minutes(10)
        /// After how long a check has said something, and whether it passes; nil never.
        package var checkAfter: TimeSpan? = .minutes(2)
        package var checksPass = true

        package init() {}
    }

    /// When it begins.
    package var start: Timestamp
    package var users: Int
    package var routers: Int
    /// Requests a second of each service, by its name; those that are not named have `rate`.
    package var rates: [String: Double]
    package var rate: Double
    /// What part of the traffic an environment has; those that are not named have all of it.
    package var environments: [String: Double]
    package var legacy: Behaviour
    package var candidate: Behaviour
    package var changes: [Change]
    package var people: People

    package init(start: Timestamp) {
        self.start = start
        users = 10_000
        routers = 1
        rates = [:]
        rate = 10
        environments = [:]
        legacy = Behaviour()
        candidate = Behaviour()
        changes = []
        people = People()
    }

    /// When the candidate is first otherwise than in the beginning.
    package var firstFault: TimeSpan? { changes.filter { $0.of == .candidate }.map(\.at).min() }
}

extension Scenario {
    /// An implementation's behaviour at a moment.
    func behaviour(_ side: Implementation, _ service: String, _ environment: String, at: TimeSpan) -> Behaviour {
        var behaviour = side == .legacy ? legacy : candidate
        for change in changes where change.of.rawValue == side.rawValue && change.applies(at, service, environment) {
            behaviour.errors = change.errors ?? behaviour.errors
            behaviour.timeouts = change.timeouts ?? behaviour.timeouts
            behaviour.median = change.median ?? behaviour.median
            behaviour.p95 = change.p95 ?? behaviour.p95
            behaviour.cacheHits = change.cacheHits ?? behaviour.cacheHits
            behaviour.different = change.different ?? behaviour.different
            behaviour.available = change.available ?? behaviour.available
            behaviour.sources.merge(change.sources) { $1 }
        }
        return behaviour
    }

    /// Requests a second of a service in an environment at a moment.
    package func rate(_ service: String, _ environment: String, at: TimeSpan = .zero) -> Double {
        let base = (rates[service] ?? rate) * (environments[environment] ?? 1)
        return changes.reduce(base) { rate, change in
            change.of == .traffic && change.applies(at, service, environment) ? rate * (change.times ?? 1) : rate
        }
    }
}
