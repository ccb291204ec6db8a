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

    /// - Throws: ``RoutingError/Code/unreachable`` when it does not answer with 200 within two seconds.
    func get(_ path: String) async throws(RoutingError) -> String { try await endpoint.get(path) }
}
