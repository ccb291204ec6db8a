/// What a router accepts: the same revision or a higher one of the same log, or any of a log that was begun anew from it, and nothing else. A value: the gateway, the adapters and
/// the simulator ask the same one.
package struct Fence: Hashable, Sendable {
    package private(set) var table: RouteTable?

    /// - Parameter table: what was accepted last and kept; nil for a router that remembers nothing.
    package init(_ table: RouteTable? = nil) { self.table = table }

    /// Accepts a table, or says why not.
    ///
    /// - Returns: whether it says anything new.
    /// - Throws: ``RoutingError/Code/stale``, ``RoutingError/Code/foreignLog`` or ``RoutingError/Code/forked``.
    package mutating func admit(_ next: RouteTable) throws(RoutingError) -> Bool {
        guard let table else {
            self.table = next
            return true
        }
        let isOurs = next.migration == table.migration && next.environment == table.environment
        if isOurs, next.logID != table.logID, next.ancestors?.contains(table.logID) == true {
            self.table = next
            return true
        }
        guard isOurs, next.logID == table.logID else {
            throw RoutingError(
                .foreignLog,
                "a route of log \(next.logID) was offered to a router of log \(table.logID)",
                mend: "if that log is the right one, remove the router's state file while it is stopped"
            )
        }
        guard next.revision >= table.revision else {
            throw RoutingError(.stale, "revision \(next.revision) was offered after revision \(table.revision)")
        }
        if next.revision == table.revision {
            guard next.hash == table.hash, next.weights == table.weights else {
                throw RoutingError(
                    .forked,
                    "revision \(next.revision) was offered with other content than before",
                    mend: "find out whether an old backup of the log was restored"
                )
            }
            return false
        }
        self.table = next
        return true
    }
}
