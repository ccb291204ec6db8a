package import MigrationCore

/// What the routers of one environment are to serve: the weights of one revision of one log.
package struct RouteTable: Hashable, Codable, Sendable {
    /// The log's ID: revisions of another log say nothing here.
    package var logID: String
    /// The log's IDs before a person declared it rewound: a router of one of those takes this table, whatever it knows.
    package var ancestors: [String]?
    package var migration: String
    package var environment: String
    /// The version of the commit that set the weights.
    package var revision: Int64
    /// That commit's hash, in hexadecimal digits.
    package var hash: String
    /// By service; a service that is not named is at legacy.
    package var weights: [String: Weight]

    package init(
        logID: String,
        ancestors: [String]? = nil,
        migration: String,
        environment: String,
        revision: Int64,
        hash: String,
        weights: [String: Weight]
    ) {
        self.logID = logID
        self.ancestors = ancestors
        self.migration = migration
        self.environment = environment
        self.revision = revision
        self.hash = hash
        self.weights = weights
    }

    package func weight(of service: String) -> Weight { weights[service] ?? .zero }
}
