package import MigrationCore
package import Routing

/// A route as a data plane keeps it: one text, so that all of it changes at once, and that says whose it is.
///
/// `revision:log ID:hash:first bucket of the candidate for each service…`, in the plan's order of services. What a data plane starts from
/// says revision 0 and bucket 10 000 for all, which no request has: legacy.
package struct RouteText: Hashable, Sendable {
    package var revision: Int64
    package var logID: String
    package var hash: String
    /// In the plan's order of services.
    package var weights: [Weight]

    package init(_ table: RouteTable, _ plan: Plan) {
        revision = table.revision
        logID = table.logID
        hash = table.hash
        weights = plan.services.map { table.weight(of: $0.name) }
    }

    /// What a data plane serves before anybody has told it anything.
    package static func legacy(_ plan: Plan) -> RouteText {
        RouteText(revision: 0, logID: "-", hash: "-", weights: plan.services.map { _ in .zero })
    }

    private init(revision: Int64, logID: String, hash: String, weights: [Weight]) {
        self.revision = revision
        self.logID = logID
        self.hash = hash
        self.weights = weights
    }

    /// As a router would have it.
    func table(_ plan: Plan, in environment: String) -> RouteTable {
        let weights = zip(plan.services.map(\.name), weights)
        return RouteTable(
            logID: logID,
            migration: plan.name,
            environment: environment,
            revision: revision,
            hash: hash,
            weights: Dictionary(weights) { first, _ in first }
        )
    }

    /// Whether it sends somebody to a candidate who is not sent there by another route.
    func raises(_ other: RouteText) -> Bool {
        weights.count != other.weights.count || zip(weights, other.weights).contains { $0 > $1 }
    }

    /// The same route with less of each service where another says less, as long as a later one cannot be told as a whole.
    func lowered(to other: RouteText) -> RouteText {
        var lowered = self
        lowered.weights = zip(weights, other.weights).map { min($0, $1) }
        return lowered
    }

    package var isUntold: Bool { revision == 0 }

    package var text: String {
        ([String(revision), logID, hash] + weights.map { String(Bucket.count - $0.rawValue) }).joined(separator: ":")
    }

    /// Which route it is, without what it says: `revision:log ID:hash`.
    package var identity: String { "\(revision):\(logID):\(hash)" }

    /// Those to whom it sends nobody.
    var deserted: [BackEnd] {
        weights.enumerated().compactMap { service, weight in
            switch weight {
            case .zero: BackEnd(service: service, implementation: .candidate)
            case .all: BackEnd(service: service, implementation: .legacy)
            default: nil
            }
        }
    }

    /// - Parameter services: how many the plan has.
    /// - Returns: nil for what is no route of so many services.
    package init?(_ text: some StringProtocol, services: Int) {
        let fields = text.split(separator: ":", omittingEmptySubsequences: false)
        guard fields.count == services + 3, let revision = Int64(fields[0]), revision >= 0 else { return nil }
        var weights: [Weight] = []
        for field in fields.dropFirst(3) {
            guard let first = Int(field), let weight = Weight(rawValue: Bucket.count - first) else { return nil }
            weights.append(weight)
        }
        self.init(revision: revision, logID: String(fields[1]), hash: String(fields[2]), weights: weights)
    }

    /// The number of a service's field in the text, counted from 1.
    static func field(of service: Int) -> Int { service + 4 }

    /// Whether a table may come after this.
    ///
    /// - Throws: a ``RoutingError`` when it is older, of another commit at the same revision, or of a log that this one's is no ancestor of.
    func require(_ table: RouteTable, _ plan: Plan) throws(RoutingError) {
        guard !isUntold else { return }
        let next = RouteText(table, plan)
        if logID != next.logID {
            guard table.ancestors?.contains(logID) == true else {
                throw RoutingError(
                    .foreignLog,
                    "a route of log \(next.logID) was offered to a data plane of log \(logID)",
                    mend: "if that log is the right one, write the data plane's configuration anew: it begins at legacy"
                )
            }
            return
        }
        guard next.revision >= revision else {
            throw RoutingError(.stale, "revision \(next.revision) was offered after revision \(revision)")
        }
        if next.revision == revision, next != self {
            if next.identity == identity, !raises(next) {
                throw RoutingError(
                    .stale,
                    "revision \(revision) was offered again after a part of it had been taken back for a later one"
                )
            }
            throw RoutingError(
                .forked,
                "revision \(revision) was offered with other content than the data plane has",
                mend: "find out whether an old backup of the log was restored, or who else tells this data plane"
            )
        }
    }
}
