import Foundation
package import MigrationCore
package import Routing

/// Routes in the language of data planes that this program does not speak to: rendered from what is asked, for whoever applies them. **Unverified**: nothing is read back, fenced or measured,
/// and users are dealt at random, so nobody stays where they are.
package struct RenderedRoutes: Sendable {
    package enum Kind: String, CaseIterable, Sendable {
        /// HTTPRoutes of the Kubernetes Gateway API (gateway.networking.k8s.io/v1).
        case kubernetes
        /// Service splitters of Consul.
        case consul
        /// A file of Traefik's file provider.
        case traefik
    }

    let plan: Plan
    let weights: [String: Weight]

    /// - Parameter weights: by service; one that is not named is at legacy.
    /// - Throws: a ``RoutingError`` for what cannot be said there.
    package init(plan: Plan, weights: [String: Weight]) throws(RoutingError) {
        let plain = { (letter: Character) in
            letter.isASCII && (letter.isLetter || letter.isNumber || "/._~:@+,=-".contains(letter))
        }
        for service in plan.services {
            guard service.path.allSatisfy(plain) else {
                throw RoutingError(
                    .unsuitable,
                    "the path “\(service.path)” cannot be rendered",
                    mend: "use letters, digits and /._~:@+,=- in paths"
                )
            }
        }
        self.plan = plan
        self.weights = weights
    }

    /// The text of a kind; both sides are always written, also at 0.
    ///
    /// - Parameter parent: the Gateway that the HTTPRoutes belong to.
    package func text(_ kind: Kind, parent: String) -> String {
        switch kind {
        case .kubernetes: plan.services.map { httpRoute($0, parent) }.joined(separator: "---\n")
        case .consul: plan.services.map { splitter($0) }.joined(separator: "---\n")
        case .traefik: traefik
        }
    }

    private func weight(_ service: Service, _ side: Implementation) -> Int {
        let candidate = (weights[service.name] ?? .zero).rawValue
        return side == .candidate ? candidate : Bucket.count - candidate
    }

    private func address(_ service: Service, _ side: Implementation) -> (host: String, port: Int) {
        let address = Address(side == .legacy ? service.legacy : service.candidate)
        return (address?.host ?? "", address?.port ?? 80)
    }

    /// A name of lower-case letters, digits and hyphens, as Kubernetes has them.
    private func label(_ service: Service) -> String {
        "\(plan.name)-\(service.name)".lowercased().map { $0.isLetter || $0.isNumber ? $0 : "-" }.reduce(into: "") {
            $0.append($1)
        }
    }

    private func httpRoute(_ service: Service, _ parent: String) -> String {
        let backEnds = Implementation.allCases.map { side in
            let (host, port) = address(service, side)
            // The first label of a service's address in the cluster is its name.
            return """
                        - name: \(host.prefix { $0 != "." })
                          port: \(port)
                          weight: \(weight(service, side))
                """
        }
        return """
            apiVersion: gateway.networking.k8s.io/v1
            kind: HTTPRoute
            metadata:
              name: \(label(service))
              labels:
                migrate/migration: "\(plan.name)"
            spec:
              parentRefs:
                - name: \(parent)
              rules:
                - matches:
                    - path: { type: Exact, value: "\(service.path)" }
                  backendRefs:
            \(backEnds.joined(separator: "\n"))

            """
    }

    private func splitter(_ service: Service) -> String {
        let splits = Implementation.allCases.map { side in
            "  { weight = \(Decimals.text(weight(service, side), scale: 100)), service = \"\(address(service, side).host)\" },"
        }
        return """
            Kind = "service-splitter"
            Name = "\(label(service))"
            Splits = [
            \(splits.joined(separator: "\n"))
            ]

            """
    }

    private var traefik: String {
        var routers: [String] = []
        var services: [String] = []
        for service in plan.services {
            let name = label(service)
            routers.append("    \(name): { rule: \"Path(`\(service.path)`)\", service: \(name) }")
            services.append("    \(name):\n      weighted:\n        services:")
            for side in Implementation.allCases {
                services.append("          - { name: \(name)-\(side.rawValue), weight: \(weight(service, side)) }")
            }
            for side in Implementation.allCases {
                let url = side == .legacy ? service.legacy : service.candidate
                services.append("    \(name)-\(side.rawValue):\n      loadBalancer: { servers: [{ url: \"\(url)\" }] }")
            }
        }
        return (["http:", "  routers:"] + routers + ["  services:"] + services).joined(separator: "\n") + "\n"
    }
}
