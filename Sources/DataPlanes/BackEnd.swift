import MigrationCore
import Routing

/// The back end of a data plane that is one implementation of one service, by the name under which its requests are counted: `0.legacy`.
struct BackEnd: Hashable, Sendable {
    var service: Int
    var implementation: Implementation

    static func name(_ service: Int, _ implementation: Implementation) -> String {
        "\(service).\(implementation.rawValue)"
    }

    var name: String { Self.name(service, implementation) }

    /// Which implementations a data plane is told to reach over TLS.
    enum Secure {
        case none
        /// Those whose certificate is checked against a name.
        case names
        case all
    }

    /// - Parameter secure: what it can reach over TLS.
    /// - Throws: a ``RoutingError`` for a key whose name cannot stand in the configuration of a data plane, and for what it is not told.
    static func requireSuitable(_ plan: Plan, _ plane: String, secure: Secure) throws(RoutingError) {
        for service in plan.services {
            for address in [service.legacy, service.candidate].compactMap({ Address($0) }) where address.isSecure {
                let isReached =
                    switch secure {
                    case .none: false
                    case .names: !address.isNumeric
                    case .all: true
                    }
                guard !isReached else { continue }
                throw RoutingError(
                    .unsuitable,
                    secure == .none
                        ? "\(plane) is not told how to reach \(service.name) over TLS"
                        : "\(plane) checks a certificate against a name, and \(address.url) has none",
                    mend: secure == .none
                        ? "let the gateway, HAProxy, Envoy or nginx carry this migration"
                        : "write the name that its certificate has, or let the gateway or Envoy carry this migration"
                )
            }
            guard service.fallsBack != true, service.shadow == nil else {
                throw RoutingError(
                    .unsuitable,
                    "\(plane) is not told how to fall back to legacy, or compare answers, for \(service.name)",
                    mend: "let the gateway carry this migration"
                )
            }
        }
        for place in plan.stickyBy {
            let name =
                switch place {
                case .header(let name), .cookie(let name): name
                case .clientIP: ""
                }
            guard name.allSatisfy({ $0.isASCII && ($0.isLetter || $0.isNumber || "-_".contains($0)) }) else {
                throw RoutingError(
                    .unsuitable,
                    "\(plane) cannot be told to look for the key “\(name)”",
                    mend: "use letters, digits, - and _ in the names under sticky_by"
                )
            }
        }
    }
}

extension BackEnd {
    /// - Returns: nil for what is no back end's name.
    init?(_ name: some StringProtocol) {
        let parts = name.split(separator: ".")
        guard parts.count == 2, let service = Int(parts[0]), service >= 0,
            let implementation = Implementation(rawValue: String(parts[1]))
        else { return nil }
        self.init(service: service, implementation: implementation)
    }
}
