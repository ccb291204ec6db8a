package import Foundation
import JSON
package import MigrationCore
package import Routing

/// The HTTPRoute that carries a plan's traffic in one environment, to begin with: legacy.
package struct KubernetesConfiguration: Sendable {
    private let route: HTTPRoute

    /// - Parameter gateway: the name of the Gateway that it belongs to.
    /// - Throws: a ``RoutingError`` for what only the gateway does, and for an address that is no service of a cluster.
    package init(plan: Plan, place: KubernetesPlace, gateway: String) throws(RoutingError) {
        try KubernetesPlane.requireSuitable(plan)
        route = try HTTPRoute.first(plan: plan, place: place, gateway: gateway)
    }

    /// The text of `httproute.json`.
    package func text() throws -> Data {
        let object = try JSONSerialization.jsonObject(with: Data(route.object.bytes))
        return try JSONSerialization.data(
            withJSONObject: object,
            options: [.sortedKeys, .prettyPrinted, .withoutEscapingSlashes]
        ) + Data("\n".utf8)
    }
}
