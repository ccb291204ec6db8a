package import Foundation
package import MigrationCore
package import Routing

/// A ready-made configuration of Envoy for one environment of a plan, and the routes that it starts from: legacy.
package struct EnvoyConfiguration: Sendable {
    /// Where clients are accepted, by its name.
    static let listener = "migrate"
    /// The cluster that Envoy asks for its routes.
    private static let discoverer = "migrate.discovery"
    /// The cluster that is Envoy's own administration.
    private static let administration = "migrate.admin"

    private let plan: Plan
    private let listen: (host: String, port: Int)
    private let folder: EnvoyFolder
    private let discovery: Address?
    private let scrape: Address?
    private let trust: URL

    /// - Parameters:
    ///   - discovery: where Envoy asks for its routes; nil where it sees the folder's file.
    ///   - scrape: where a Prometheus is answered at `/stats/prometheus`, and nothing else of its administration is; nil is nowhere.
    ///   - trust: the certificates (PEM) that implementations with `https://` are checked by.
    /// - Throws: a ``RoutingError`` for a key whose name cannot stand in Envoy's configuration.
    package init(
        plan: Plan,
        host: String,
        port: Int,
        folder: EnvoyFolder,
        discovery: Address? = nil,
        scrape: Address? = nil,
        trust: URL = PlaneTrust.system
    ) throws(RoutingError) {
        try EnvoyPlane.requireSuitable(plan)
        self.plan = plan
        listen = (host, port)
        self.folder = folder
        self.discovery = discovery
        self.scrape = scrape
        self.trust = trust
    }

    /// All that Envoy reads; where it sees the file of its routes, also a program that starts it.
    package func files() throws -> [PlaneFile] {
        let routes = try EnvoyRoutes(plan: plan, route: .legacy(plan)).text()
        let files = [PlaneFile(folder.routes, routes), PlaneFile(folder.configuration, try text())]
        guard discovery == nil else { return files }
        return files + [
            PlaneFile(folder.legacy, routes),
            .start(
                folder.start,
                "\(plan.name): written by `migrate route config envoy`",
                legacy: folder.legacy,
                routes: folder.routes,
                command: "\"${ENVOY:-envoy}\" -c \(PlaneFile.quoted(folder.configuration.path))"
            ),
        ]
    }

    /// The text of `envoy.json`.
    private func text() throws -> Data {
        let encoded = try JSONSerialization.data(
            withJSONObject: bootstrap,
            options: [.sortedKeys, .prettyPrinted, .withoutEscapingSlashes]
        )
        return encoded + Data("\n".utf8)
    }

    private var bootstrap: [String: Any] {
        [
            "node": ["id": EnvoyAdmin.node + PlanMark(plan).text, "cluster": plan.name],
            "admin": ["address": admin],
            "stats_flush_interval": "0.1s",
            "static_resources": [
                "listeners": [Self.listener(Self.listener, listen, manager)]
                    + (scrape.map { [Self.listener("scrape", ($0.host, $0.port), exporter)] } ?? []),
                "clusters": plan.services.enumerated().flatMap { index, service in
                    Implementation.allCases.compactMap { cluster(index, service, $0) }
                } + (discovery.map { [Self.cluster(Self.discoverer, $0, limit: 10)] } ?? [])
                    + (scrape == nil ? [] : [Self.cluster(Self.administration, "STATIC", admin, limit: 10)]),
            ],
        ]
    }

    private var admin: [String: Any] {
        if let elsewhere = folder.elsewhere { return Self.address(elsewhere.host, elsewhere.port) }
        // For its owner alone.
        return ["pipe": ["path": folder.admin.path, "mode": 0o600] as [String: Any]]
    }

    private static func address(_ host: String, _ port: Int) -> [String: Any] {
        ["socket_address": ["address": host, "port_value": port] as [String: Any]]
    }

    private static func listener(
        _ name: String,
        _ place: (host: String, port: Int),
        _ manager: [String: Any]
    ) -> [String: Any] {
        [
            "name": name, "address": address(place.host, place.port),
            "filter_chains": [["filters": [manager]]],
        ]
    }

    private var longest: TimeSpan { plan.services.map(\.timeout).max() ?? .seconds(60) }

    private var manager: [String: Any] {
        Self.manager(
            "migrate",
            [
                "use_remote_address": true, "request_headers_timeout": "10s",
                // A client that stalls in its body; what a service may take is in its route, and is less.
                "stream_idle_timeout": EnvoyRoutes.seconds(max(longest + .seconds(5), .seconds(75))),
                "http_protocol_options": ["allow_chunked_length": false],
                "rds": ["route_config_name": EnvoyRoutes.name, "config_source": source] as [String: Any],
            ]
        )
    }

    /// Shows a Prometheus the counters of the administration, and nothing else of it.
    private var exporter: [String: Any] {
        let route: [String: Any] = [
            "match": ["path": "/stats/prometheus"], "route": ["cluster": Self.administration],
        ]
        let host: [String: Any] = ["name": "scrape", "domains": ["*"], "routes": [route]]
        return Self.manager(
            "scrape",
            [
                // A connection that is kept would be one of a client's after a hot restart.
                "common_http_protocol_options": ["max_requests_per_connection": 1],
                "route_config": ["name": "scrape", "virtual_hosts": [host]] as [String: Any],
            ]
        )
    }

    private static func manager(_ prefix: String, _ settings: [String: Any]) -> [String: Any] {
        let router = [
            "@type": "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router"
        ]
        let common: [String: Any] = [
            "@type":
                "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
            "stat_prefix": prefix,
            "http_filters": [["name": "envoy.filters.http.router", "typed_config": router] as [String: Any]],
        ]
        return [
            "name": "envoy.filters.network.http_connection_manager",
            "typed_config": common.merging(settings) { $1 },
        ]
    }

    private func cluster(_ index: Int, _ service: Service, _ implementation: Implementation) -> [String: Any]? {
        let name = BackEnd.name(index, implementation)
        return Address(implementation == .legacy ? service.legacy : service.candidate).map { address in
            var cluster = Self.cluster(name, address, limit: 100_000)
            if address.isSecure { cluster["transport_socket"] = secure(address) }
            return cluster
        }
    }

    /// TLS, and only with who shows a certificate for this name or address.
    private func secure(_ address: Address) -> [String: Any] {
        let host = address.certificateName
        let names: [String: Any] = [
            "san_type": address.isNumeric ? "IP_ADDRESS" : "DNS", "matcher": ["exact": host],
        ]
        var context: [String: Any] = [
            "@type": "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext",
            "common_tls_context": [
                "alpn_protocols": ["http/1.1"],
                "tls_params": [
                    "tls_minimum_protocol_version": "TLSv1_2", "tls_maximum_protocol_version": "TLSv1_3",
                ],
                "validation_context": [
                    "trusted_ca": ["filename": trust.path], "match_typed_subject_alt_names": [names],
                ] as [String: Any],
            ] as [String: Any],
        ]
        if !address.isNumeric { context["sni"] = host }
        return ["name": "envoy.transport_sockets.tls", "typed_config": context]
    }

    /// Where Envoy learns its routes.
    private var source: [String: Any] {
        guard discovery != nil else {
            return [
                "resource_api_version": "V3", "initial_fetch_timeout": "5s",
                "path_config_source": [
                    "path": folder.routes.path, "watched_directory": ["path": folder.url.path],
                ],
            ]
        }
        return [
            // Nobody is served before there are routes, however long that takes: a request of a user's is no 404.
            "resource_api_version": "V3", "initial_fetch_timeout": "0s",
            "api_config_source": [
                "api_type": "REST", "transport_api_version": "V3", "cluster_names": [Self.discoverer],
                "refresh_delay": "0.010s", "request_timeout": "10s",
            ] as [String: Any],
        ]
    }

    private static func cluster(_ name: String, _ address: Address, limit: Int) -> [String: Any] {
        cluster(name, "STRICT_DNS", Self.address(address.host, address.port), limit: limit)
    }

    private static let options = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions"
    /// Usual servers close idle connections after 5 s; a request that meets their end would be an error of theirs.
    private static var upstream: [String: Any] {
        [
            "@type": "type.googleapis.com/\(options)", "common_http_protocol_options": ["idle_timeout": "4s"],
            "explicit_http_config": ["http_protocol_options": [String: Any]()],
        ]
    }

    /// - Parameter kind: how its address is found.
    private static func cluster(
        _ name: String,
        _ kind: String,
        _ address: [String: Any],
        limit: Int
    ) -> [String: Any] {
        let endpoint = ["endpoint": ["address": address]]
        return [
            "name": name, "type": kind, "connect_timeout": "2s",
            "typed_extension_protocol_options": [options: upstream],
            "circuit_breakers": [
                "thresholds": [
                    ["max_connections": limit, "max_pending_requests": limit, "max_requests": limit]
                ]
            ],
            "load_assignment": ["cluster_name": name, "endpoints": [["lb_endpoints": [endpoint]]]] as [String: Any],
        ]
    }
}
