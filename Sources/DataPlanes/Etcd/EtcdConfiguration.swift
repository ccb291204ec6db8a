package import Foundation
import JSON
package import MigrationCore
package import Routing

/// What a resolver has to know to send a plan's requests where the log says: a file in JSON, beside the rules in docs/reference.md.
package struct EtcdConfiguration: Sendable {
    /// How long a resolver decides by what it was told last without having heard from etcd.
    package static let lease = TimeSpan.seconds(5)

    private let plan: Plan
    private let environment: String
    private let endpoint: String
    private let keys: EtcdKeys
    private let logPort: Int

    /// - Parameters:
    ///   - endpoint: of etcd's clients, `http://host:port`.
    ///   - logPort: where resolvers tell their requests, by UDP on this host.
    /// - Throws: a ``RoutingError`` for what only the gateway does.
    package init(
        plan: Plan,
        environment: String,
        endpoint: String,
        keys: EtcdKeys,
        logPort: Int
    ) throws(RoutingError) {
        try EtcdPlane.requireSuitable(plan)
        self.plan = plan
        self.environment = environment
        self.endpoint = endpoint
        self.keys = keys
        self.logPort = logPort
    }

    package func text() -> Data {
        let services = plan.services.map { service -> JSONValue in
            [
                "name": .string(service.name), "path": .string(service.path), "legacy": .string(service.legacy),
                "candidate": .string(service.candidate),
                "timeoutMilliseconds": .int(Int(service.timeout.rawValue / 1_000)),
            ]
        }
        let places = plan.stickyBy.map { place -> JSONValue in
            switch place {
            case .header(let name): ["header": .string(name)]
            case .cookie(let name): ["cookie": .string(name)]
            case .clientIP: ["clientIP": true]
            }
        }
        let value: JSONValue = [
            "migration": .string(plan.name), "environment": .string(environment), "etcd": .string(endpoint),
            "route": .string(keys.route), "resolvers": .string(keys.resolvers),
            "leaseSeconds": .int(Int(Self.lease.rawValue / 1_000_000)), "log": .string("127.0.0.1:\(logPort)"),
            "mark": .string(PlanMark(plan).text),
            "buckets": .int(Bucket.count), "stickyBy": .array(places), "services": .array(services),
        ]
        return Data(value.bytes + [UInt8(ascii: "\n")])
    }
}
