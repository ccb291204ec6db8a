import Foundation
import MigrationCore
import Routing

/// A route as Envoy's route discovery has it, and the text that says whose it is, which Envoy answers when it is asked at a name of its own.
///
/// Over clusters [legacy, candidate] of total weight 10 000 with a hash policy, Envoy computes xxHash64 with seed 0 of the key modulo 10 000: the
/// gateway's own buckets where the key is a header, and other ones, monotone too, where it is a cookie or the client's address (4-routing.md).
struct EnvoyRoutes: Encodable {
    /// The `Host` at which Envoy says which route is in force.
    static let probe = "migrate.probe"
    /// The name of the route configuration.
    static let name = "migrate"

    private enum Key: String, CodingKey { case version = "version_info", resources }

    private struct Configuration: Encodable {
        enum Key: String, CodingKey {
            case type = "@type", name, validateClusters = "validate_clusters", virtualHosts = "virtual_hosts"
        }
        var virtualHosts: [VirtualHost]

        func encode(to encoder: any Encoder) throws {
            var container = encoder.container(keyedBy: Key.self)
            try container.encode("type.googleapis.com/envoy.config.route.v3.RouteConfiguration", forKey: .type)
            try container.encode(EnvoyRoutes.name, forKey: .name)
            try container.encode(true, forKey: .validateClusters)
            try container.encode(virtualHosts, forKey: .virtualHosts)
        }
    }

    private struct VirtualHost: Encodable {
        var name: String
        var domains: [String]
        var routes: [Route]
    }

    private struct Route: Encodable {
        struct Match: Encodable {
            var path: String?
            var prefix: String?
        }
        struct Action: Encodable {
            enum CodingKeys: String, CodingKey {
                case timeout, hashPolicy = "hash_policy", weighted = "weighted_clusters"
            }
            var timeout: String
            var hashPolicy: [HashPolicy]
            var weighted: Weighted
        }
        struct Weighted: Encodable {
            struct Cluster: Encodable {
                var name: String
                var weight: Int
            }
            enum CodingKeys: String, CodingKey { case usesHash = "use_hash_policy", clusters }
            var usesHash: Bool
            var clusters: [Cluster]
        }
        struct Direct: Encodable {
            struct Body: Encodable {
                enum CodingKeys: String, CodingKey { case text = "inline_string" }
                var text: String
            }
            var status: Int
            var body: Body?
        }
        enum CodingKeys: String, CodingKey { case match, route, direct = "direct_response" }
        var match: Match
        var route: Action?
        var direct: Direct?
    }

    private struct HashPolicy: Encodable {
        struct Header: Encodable {
            struct Rewrite: Encodable {
                struct Pattern: Encodable { var regex: String }
                var pattern: Pattern
                var substitution: String
            }
            enum CodingKeys: String, CodingKey { case name = "header_name", rewrite = "regex_rewrite" }
            var name: String
            var rewrite: Rewrite
        }
        struct Cookie: Encodable { var name: String }
        struct Connection: Encodable {
            enum CodingKeys: String, CodingKey { case isBySource = "source_ip" }
            var isBySource: Bool
        }
        enum CodingKeys: String, CodingKey { case header, cookie, connection = "connection_properties", terminal }
        var header: Header?
        var cookie: Cookie?
        var connection: Connection?
        /// The first place that has a key decides alone.
        var terminal = true
    }

    let plan: Plan
    let route: RouteText

    func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: Key.self)
        try container.encode(route.text, forKey: .version)
        try container.encode([configuration], forKey: .resources)
    }

    private var configuration: Configuration {
        let probe = Route(
            match: Route.Match(prefix: "/"),
            direct: Route.Direct(status: 200, body: Route.Direct.Body(text: route.text))
        )
        let services = plan.services.indices.map { index in
            Route(
                match: Route.Match(path: plan.services[index].path),
                route: Route.Action(
                    timeout: Self.seconds(plan.services[index].timeout),
                    hashPolicy: plan.stickyBy.map(policy),
                    weighted: weighted(index)
                )
            )
        }
        return Configuration(
            virtualHosts: [
                VirtualHost(name: "probe", domains: [Self.probe], routes: [probe]),
                VirtualHost(name: "services", domains: ["*"], routes: services),
            ]
        )
    }

    private func weighted(_ index: Int) -> Route.Weighted {
        let weight = route.weights[index].rawValue
        return Route.Weighted(
            usesHash: true,
            clusters: [
                Route.Weighted.Cluster(name: BackEnd.name(index, .legacy), weight: Bucket.count - weight),
                Route.Weighted.Cluster(name: BackEnd.name(index, .candidate), weight: weight),
            ]
        )
    }

    private func policy(_ place: StickyKey) -> HashPolicy {
        switch place {
        case .header(let name):
            let rewrite = HashPolicy.Header.Rewrite(
                pattern: HashPolicy.Header.Rewrite.Pattern(regex: "^.*$"),
                substitution: "\(plan.name):\\0"
            )
            return HashPolicy(header: HashPolicy.Header(name: name, rewrite: rewrite))
        case .cookie(let name): return HashPolicy(cookie: HashPolicy.Cookie(name: name))
        case .clientIP: return HashPolicy(connection: HashPolicy.Connection(isBySource: true))
        }
    }

    static func seconds(_ span: TimeSpan) -> String {
        "\(Decimals.text(Int(max(1, span.rawValue / 1_000)), scale: 1_000))s"
    }

    /// What a folder's file says, the routes that Envoy finds when it starts, and by which version.
    ///
    /// - Throws: ``RoutingError/Code/storage`` for a file without any.
    static func read(_ folder: EnvoyFolder) throws(RoutingError) -> (version: String, data: Data) {
        struct File: Decodable {
            enum CodingKeys: String, CodingKey { case version = "version_info" }
            var version: String
        }
        guard let data = FileManager.default.contents(atPath: folder.routes.path),
            let file = try? JSONDecoder().decode(File.self, from: data)
        else {
            throw RoutingError(
                .storage,
                "\(folder.routes.path) has no routes",
                mend: "write Envoy's configuration anew: migrate route config envoy"
            )
        }
        return (file.version, data)
    }

    /// The text of the file.
    func text() throws -> Data {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes, .prettyPrinted]
        return try encoder.encode(self)
    }
}
