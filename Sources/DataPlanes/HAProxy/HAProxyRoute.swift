package import MigrationCore
package import Routing

/// A route as one entry of a HAProxy map, so that one command changes all of it at once, and says whose it is.
///
/// `revision:log ID:hash:first bucket of the candidate for each service…`, in the plan's order of services. The file from which HAProxy
/// starts says revision 0 and bucket 10 000 for all, which no request has: legacy.
package struct HAProxyRoute: Hashable, Sendable {
    /// The map's only key.
    package static let key = "route"

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

    /// What HAProxy serves before anybody has told it anything.
    package static func legacy(_ plan: Plan) -> HAProxyRoute {
        HAProxyRoute(revision: 0, logID: "-", hash: "-", weights: plan.services.map { _ in .zero })
    }

    private init(revision: Int64, logID: String, hash: String, weights: [Weight]) {
        self.revision = revision
        self.logID = logID
        self.hash = hash
        self.weights = weights
    }

    package var isUntold: Bool { revision == 0 }

    package var text: String {
        ([String(revision), logID, hash] + weights.map { String(Bucket.count - $0.rawValue) }).joined(separator: ":")
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

    /// The number of a service's field in the text, counted from 1 as HAProxy does.
    static func field(of service: Int) -> Int { service + 4 }
}
