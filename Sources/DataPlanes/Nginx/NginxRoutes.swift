package import MigrationCore
import Routing

/// The part of nginx's configuration that changes: who goes where, and which route says so.
///
/// `split_clients` takes the MurmurHash2 of `<migration>:<key>`; the candidate has the hashes below the weight's share of 2³² − 1. Raising the weight
/// only adds users; they are not the gateway's.
package enum NginxRoutes {
    static func text(_ route: RouteText) -> String {
        var lines = ["map '' $migrate_route { default '\(route.text)'; }"]
        for (index, weight) in route.weights.enumerated() {
            let names = Implementation.allCases.map { BackEnd.name(index, $0) }
            let entries =
                switch weight.rawValue {
                case 0: "* \(names[0]);"
                case Bucket.count: "* \(names[1]);"
                default: "\(Decimals.text(weight.rawValue, scale: 100))% \(names[1]); * \(names[0]);"
                }
            lines.append("split_clients $migrate_name $migrate_\(index) { \(entries) }")
        }
        return lines.joined(separator: "\n") + "\n"
    }

    /// Whether the candidate gets a key, by the documented formula: nginx adds up the shares, of which each is this part of 2³² − 1.
    ///
    /// - Parameter hash: the key's MurmurHash2 with seed 0.
    package static func isCandidate(hash: UInt32, weight: Weight) -> Bool {
        weight.rawValue == Bucket.count || UInt64(hash) < UInt64(UInt32.max) * UInt64(weight.rawValue) / 10_000
    }
}
