import Foundation
package import MigrationCore
import Routing

/// The part of nginx's configuration that changes: who goes where, and which route says so.
///
/// A candidate is named only where it has users: nginx takes no configuration with a name that it cannot resolve, and a candidate that is gone keeps nobody from legacy.
///
/// `split_clients` deals users as ``Dealing/nginx`` has it: raising the weight only adds some; they are not the gateway's.
package enum NginxRoutes {
    package static func text(_ route: RouteText, _ plan: Plan) -> String {
        var lines = ["map '' $migrate_route { default '\(route.text)'; }"]
        for (index, weight) in route.weights.enumerated() {
            let names = Implementation.allCases.map { BackEnd.name(index, $0) }
            let entries =
                switch weight.rawValue {
                case 0: "* \(names[0]);"
                case Bucket.count: "* \(names[1]);"
                default: "\(Decimals.text(weight.rawValue, scale: 100))% \(names[1]); * \(names[0]);"
                }
            if weight > .zero, let upstream = upstream(index, .candidate, plan) { lines.append(upstream) }
            lines.append("split_clients $migrate_name $migrate_\(index) { \(entries) }")
        }
        return lines.joined(separator: "\n") + "\n"
    }

    /// Where a back end is; nil for what is no address.
    static func upstream(_ index: Int, _ side: Implementation, _ plan: Plan) -> String? {
        let service = plan.services[index]
        return Address(side == .legacy ? service.legacy : service.candidate).map { address in
            let host = address.host.contains(":") ? "[\(address.host)]" : address.host
            // Usual servers close after 5 s; a request that meets their end would be an error of theirs.
            return
                "upstream \(BackEnd.name(index, side)) { server \(host):\(address.port) max_fails=0; keepalive 64; keepalive_timeout 4s; }"
        }
    }

    /// The route that the file has, which nginx finds when it starts.
    ///
    /// - Returns: nil where it is no file of this plan's.
    static func read(_ folder: NginxFolder, _ plan: Plan) throws(RoutingError) -> RouteText? {
        guard let data = FileManager.default.contents(atPath: folder.routes.path) else {
            throw RoutingError(
                .storage,
                "\(folder.routes.path) cannot be read",
                mend: "write nginx’s configuration anew: migrate route config nginx"
            )
        }
        let text = String(decoding: data, as: UTF8.self)
        return text.prefixMatch(of: /map '' \$migrate_route { default '([^']*)'; }/).flatMap { match in
            RouteText(match.output.1, services: plan.services.count)
        }
    }
}
