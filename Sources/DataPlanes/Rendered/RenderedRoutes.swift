import Foundation
package import MigrationCore
package import Routing

/// Routes in the language of data planes that this program does not speak to: rendered from what is asked, for whoever applies them. **Unverified**: nothing is read back, fenced or measured,
/// and users are dealt at random, so nobody stays where they are.
package struct RenderedRoutes: Sendable {
    package enum Kind: String, CaseIterable, Sendable {
        /// Service splitters of Consul.
        case consul
        /// A file of Traefik's file provider.
        case traefik
    }

    private struct Target {
        var service: Service
        var legacy: Address
        var candidate: Address
        var weight: Weight

        func address(_ side: Implementation) -> Address { side == .legacy ? legacy : candidate }
        func weight(_ side: Implementation) -> Int {
            side == .candidate ? weight.rawValue : Bucket.count - weight.rawValue
        }
    }

    private let migration: String
    private let targets: [Target]

    /// - Parameter weights: by service; one that is not named is at legacy.
    /// - Throws: a ``RoutingError`` for what cannot be said there.
    package init(plan: Plan, weights: [String: Weight]) throws(RoutingError) {
        let plain = { (letter: Character) in
            letter.isASCII && (letter.isLetter || letter.isNumber || "/._~:@+,=-".contains(letter))
        }
        var targets: [Target] = []
        for service in plan.services {
            guard let legacy = Address(service.legacy), let candidate = Address(service.candidate) else {
                throw RoutingError(.unsuitable, "“\(service.legacy)” or “\(service.candidate)” is not an address")
            }
            guard service.path.allSatisfy(plain) else {
                throw RoutingError(
                    .unsuitable,
                    "the path “\(service.path)” cannot be rendered",
                    mend: "use letters, digits and /._~:@+,=- in paths"
                )
            }
            let weight = weights[service.name] ?? .zero
            targets.append(Target(service: service, legacy: legacy, candidate: candidate, weight: weight))
        }
        migration = plan.name
        self.targets = targets
    }

    /// The text of a kind; both sides are always written, also at 0.
    ///
    /// - Throws: ``RoutingError/Code/unsuitable`` for Consul where an address does not name a service of its own.
    package func text(_ kind: Kind) throws(RoutingError) -> String {
        for target in targets where kind == .consul {
            guard target.legacy.host != target.candidate.host, !target.legacy.isNumeric, !target.candidate.isNumeric
            else {
                throw RoutingError(
                    .unsuitable,
                    "Consul splits between services by their names, and \(target.service.name) has \(target.legacy.url) and \(target.candidate.url)",
                    mend: "give each side the name of a service of its own in Consul"
                )
            }
        }
        switch kind {
        case .consul: return targets.map { splitter($0) }.joined(separator: "---\n")
        case .traefik: return traefik
        }
    }

    /// A name of lower-case letters, digits and hyphens.
    private func label(_ target: Target) -> String {
        "\(migration)-\(target.service.name)".lowercased().map { $0.isLetter || $0.isNumber ? $0 : "-" }.reduce(
            into: ""
        ) {
            $0.append($1)
        }
    }

    private func splitter(_ target: Target) -> String {
        let splits = Implementation.allCases.map { side in
            "  { weight = \(Decimals.text(target.weight(side), scale: 100)), service = \"\(target.address(side).host)\" },"
        }
        return """
            Kind = "service-splitter"
            Name = "\(label(target))"
            Splits = [
            \(splits.joined(separator: "\n"))
            ]

            """
    }

    private var traefik: String {
        var routers: [String] = []
        var services: [String] = []
        for target in targets {
            let name = label(target)
            routers.append("    \(name): { rule: \"Path(`\(target.service.path)`)\", service: \(name) }")
            services.append("    \(name):\n      weighted:\n        services:")
            for side in Implementation.allCases {
                services.append("          - { name: \(name)-\(side.rawValue), weight: \(target.weight(side)) }")
            }
            for side in Implementation.allCases {
                services.append(
                    "    \(name)-\(side.rawValue):\n      loadBalancer: { servers: [{ url: \"\(target.address(side).url)\" }] }"
                )
            }
        }
        return (["http:", "  routers:"] + routers + ["  services:"] + services).joined(separator: "\n") + "\n"
    }
}
