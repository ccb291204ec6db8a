package import Logging
import MigrationCore
import Routing

/// The counter by which a Gateway's programs tell a Prometheus what they have answered.
package struct GatewayCounter: Sendable {
    let address: String
    let selector: String
    let code: String
    let logger: Logger

    /// - Parameters:
    ///   - address: the Prometheus's, `http://HOST:PORT`.
    ///   - selector: of the counter's series for one side of one service, with `{backend}`, `{namespace}` and `{port}` (the cluster's service of that side),
    ///     `{service}`, `{rule}` (both of the plan, the latter from 0) and `{implementation}` to be filled in.
    ///   - code: the label that holds an answer's status: `503`, or `5xx`.
    ///   - logger: hears why a window was not measured.
    package init(address: String, selector: String, code: String, logger: Logger) {
        self.address = address
        self.selector = selector
        self.code = code
        self.logger = logger
    }

    /// For each service of a plan legacy's selector, and the candidate's.
    ///
    /// - Throws: a ``RoutingError`` where two are the same: what the one did would be taken for the other's.
    func selectors(_ plan: Plan, in place: KubernetesPlace) throws(RoutingError) -> [String] {
        var selectors: [String] = []
        for (rule, service) in plan.services.enumerated() {
            for (side, address) in [(Implementation.legacy, service.legacy), (.candidate, service.candidate)] {
                let backEnd = try BackEndReference(address, in: place)
                let filled = selector.replacing("{backend}", with: backEnd.name)
                    .replacing("{namespace}", with: backEnd.namespace ?? place.namespace)
                    .replacing("{port}", with: "\(backEnd.port)")
                    .replacing("{service}", with: service.name)
                    .replacing("{rule}", with: "\(rule)")
                    .replacing("{implementation}", with: side.rawValue)
                guard !selectors.contains(filled) else {
                    throw RoutingError(
                        .unsuitable,
                        "--counter selects the same series for the \(side.rawValue) of \(service.name) and another: \(filled)",
                        mend:
                            "tell services and sides apart by {service} or {rule}, and by {backend}, {namespace} or {implementation}"
                    )
                }
                selectors.append(filled)
            }
        }
        return selectors
    }
}
