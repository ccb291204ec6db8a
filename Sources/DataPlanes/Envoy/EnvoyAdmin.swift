import Foundation
import MigrationCore
import Routing

/// Envoy's administration.
struct EnvoyAdmin: Sendable {
    private let endpoint: AdminEndpoint

    init(_ folder: EnvoyFolder) {
        let place: AdminEndpoint.Place =
            if let elsewhere = folder.elsewhere {
                .address(elsewhere.url)
            } else {
                .socket(path: folder.admin.path)
            }
        endpoint = AdminEndpoint(place: place, program: ("Envoy", "envoy"))
    }

    /// - Parameter filter: a regular expression over the names.
    func stats(_ options: String, filter: String) async throws(RoutingError) -> String {
        let encoded = filter.addingPercentEncoding(withAllowedCharacters: .alphanumerics) ?? filter
        return try await get("/stats?\(options)&filter=\(encoded)")
    }

    /// What it has counted, by name.
    ///
    /// - Parameter filter: a regular expression over the names.
    private func counts(_ filter: String) async throws(RoutingError) -> [String: Int] {
        struct Answer: Decodable {
            struct Stat: Decodable {
                var name: String?
                var value: Int?
            }
            var stats: [Stat]
        }
        let text = try await stats("format=json", filter: filter)
        var values: [String: Int] = [:]
        for stat in (try? JSONDecoder().decode(Answer.self, from: Data(text.utf8)))?.stats ?? [] {
            if let name = stat.name, let value = stat.value { values[name] = value }
        }
        return values
    }

    /// Who may still send requests by an older route.
    struct Leftovers: Hashable, Sendable {
        /// Requests that wait for a connection to a back end; those of the Envoy before a hot restart are among them.
        var waiting: Int
        /// Whether there was an Envoy before this one, whose connections to clients this one has taken over or not.
        var isRestartedHot: Bool
        /// Connections to clients that the Envoy before a hot restart still has, as of a tenth of a second ago.
        var elders: Int
    }

    /// Who may still send requests to one of these by an older route.
    func leftovers(_ backEnds: [BackEnd]) async throws(RoutingError) -> Leftovers {
        // Of no back end there is no name.
        let names =
            backEnds.isEmpty ? "-" : backEnds.map { $0.name.replacing(".", with: #"\."#) }.joined(separator: "|")
        let own = "server.hot_restart_epoch", before = "server.parent_connections"
        var values = try await counts(
            #"^(cluster\.(\#(names))\.upstream_rq_pending_active|server\.(hot_restart_epoch|parent_connections))$"#
        )
        guard let epoch = values.removeValue(forKey: own), let elders = values.removeValue(forKey: before),
            values.count == backEnds.count
        else {
            throw RoutingError(
                .unreachable,
                "Envoy does not say how many requests wait for a connection to \(names)",
                mend: "start Envoy with the configuration that `migrate route config envoy` wrote"
            )
        }
        return Leftovers(waiting: values.values.reduce(0, +), isRestartedHot: epoch > 0, elders: elders)
    }

    /// What its node's ID is, before the mark of the plan that its configuration was written for.
    static let node = "migrate-"

    /// The mark of the plan that Envoy's configuration was written for; nil where it has none.
    func mark() async throws(RoutingError) -> String? {
        struct Info: Decodable {
            struct Node: Decodable { var id: String? }
            var node: Node?
        }
        let text = try await get("/server_info")
        guard let info = try? JSONDecoder().decode(Info.self, from: Data(text.utf8)) else {
            throw RoutingError(.unreachable, "Envoy does not say what node it is: \(text.prefix(200))")
        }
        return info.node?.id.flatMap { $0.hasPrefix(Self.node) ? String($0.dropFirst(Self.node.count)) : nil }
    }

    /// When this Envoy read its configuration, in its own words, to the millisecond: another one says something else.
    func begun() async throws(RoutingError) -> String {
        struct Dump: Decodable {
            struct Part: Decodable {
                enum CodingKeys: String, CodingKey { case type = "@type", updated = "last_updated" }
                var type: String
                var updated: String?
            }
            var configs: [Part]
        }
        let text = try await get("/config_dump?mask=last_updated")
        guard let dump = try? JSONDecoder().decode(Dump.self, from: Data(text.utf8)),
            let begun = dump.configs.first(where: { $0.type.hasSuffix(".BootstrapConfigDump") })?.updated
        else { throw RoutingError(.unreachable, "Envoy does not say when it began: \(text.prefix(200))") }
        return begun
    }

    /// - Throws: ``RoutingError/Code/unreachable`` when it does not answer with 200 within two seconds.
    func get(_ path: String) async throws(RoutingError) -> String { try await endpoint.get(path) }
}
