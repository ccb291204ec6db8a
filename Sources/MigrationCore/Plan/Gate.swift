/// What happens when a gate is not opened in time, or closed for good.
package enum GateAction: String, Hashable, Codable, Sendable, CaseIterable {
    case halt
    case rollBack = "rollback"
}

/// A gate before one step that only people open.
package struct Approval: Hashable, Codable, Sendable {
    /// The weight that may not begin without it.
    package var before: Weight
    /// How many different people.
    package var by: Int
    /// Who may; anybody where it is nil.
    package var of: [String]?
    /// How long the gate may stand closed.
    package var timeout: TimeSpan
    package var then: GateAction

    package init(before: Weight, by: Int, of: [String]? = nil, timeout: TimeSpan, then: GateAction = .halt) {
        self.before = before
        self.by = by
        self.of = of
        self.timeout = timeout
        self.then = then
    }
}

/// A named gate outside the metrics: a test run, a drill, a sign-off. It is asked for once a step has baked.
package struct Check: Hashable, Codable, Sendable {
    package enum How: Hashable, Codable, Sendable {
        /// Somebody says so: `migrate check`.
        case reported
        /// A program that the worker starts; it passes when it exits with 0.
        case process(arguments: [String])
        /// An address that the worker posts to; it passes when it answers 2xx.
        case webhook(url: String)
    }

    package var name: String
    package var how: How
    package var timeout: TimeSpan
    /// What a failure or a timeout does.
    package var then: GateAction

    package init(name: String, how: How, timeout: TimeSpan, then: GateAction = .halt) {
        self.name = name
        self.how = how
        self.timeout = timeout
        self.then = then
    }
}

/// Something outside that measures: asked once a window for both implementations.
package struct Source: Hashable, Codable, Sendable {
    /// The name of the metric.
    package var name: String
    /// Asked by GET; `{environment}`, `{from}` and `{to}` (seconds since 1970) are filled in. A Prometheus's own address; empty for a database.
    package var url: String
    /// What is asked there; nil for an endpoint that answers by itself.
    package var query: SourceQuery?
    package var unit: Metric.Unit
    package var isBadWhenHigh: Bool
    /// A source that takes longer has said nothing of the window.
    package var timeout: TimeSpan

    package init(
        name: String,
        url: String,
        query: SourceQuery? = nil,
        unit: Metric.Unit,
        isBadWhenHigh: Bool,
        timeout: TimeSpan
    ) {
        self.name = name
        self.url = url
        self.query = query
        self.unit = unit
        self.isBadWhenHigh = isBadWhenHigh
        self.timeout = timeout
    }

    /// What is filled into its address.
    package static let places = ["{environment}", "{from}", "{to}"]

    package var metric: Metric { .named(name: name, unit: unit, isBadWhenHigh: isBadWhenHigh) }
}

/// How a source is asked that has a language of its own.
package enum SourceQuery: Hashable, Codable, Sendable {
    /// Two instant queries of PromQL at the window's end, for the value and for the number of samples; `{implementation}`, `{environment}` and `{window}`
    /// are filled in. Without the second the value is one of many that nobody counts.
    case prometheus(value: String, of: String?)
    /// A query that only reads, of the database whose connection string stands in an environment variable of the workers.
    case sql(query: String, database: String)
}
