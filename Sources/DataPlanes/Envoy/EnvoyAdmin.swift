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

    /// How many requests wait for a connection to one of these.
    func pending(_ backEnds: [BackEnd]) async throws(RoutingError) -> Int {
        struct Answer: Decodable {
            struct Stat: Decodable { var value: Int? }
            var stats: [Stat]
        }
        let names = backEnds.map { $0.name.replacing(".", with: #"\."#) }.joined(separator: "|")
        let text = try await stats("format=json", filter: #"^cluster\.(\#(names))\.upstream_rq_pending_active$"#)
        let values = (try? JSONDecoder().decode(Answer.self, from: Data(text.utf8)))?.stats.compactMap(\.value)
        guard let values, values.count == backEnds.count else {
            throw RoutingError(
                .unreachable,
                "Envoy does not say how many requests wait for a connection to \(names): \(text.prefix(200))",
                mend: "start Envoy with the configuration that `migrate route config envoy` wrote"
            )
        }
        return values.reduce(0, +)
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
