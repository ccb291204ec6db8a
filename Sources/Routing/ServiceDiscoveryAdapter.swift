package import MigrationCore

/// The one thing that moves traffic: it tells a data plane who goes where, and reads back what is in force there.
package protocol ServiceDiscoveryAdapter: Sendable {
    /// Applies a table of the same or a higher revision of the same log.
    ///
    /// - Returns: what the data plane said is in force and durable, which may still be older.
    /// - Throws: ``RoutingError`` when it refuses or cannot be reached.
    func apply(_ table: RouteTable) async throws(RoutingError) -> Acknowledgement

    /// What the data plane says is in force; nil when it has not been told anything yet.
    func current() async throws(RoutingError) -> Acknowledgement?
}

/// A data plane's word about itself. It is not an observation of traffic.
package struct Acknowledgement: Hashable, Sendable {
    package var router: String
    package var revision: Int64?
    package var at: Timestamp

    package init(router: String, revision: Int64?, at: Timestamp) {
        self.router = router
        self.revision = revision
        self.at = at
    }
}
