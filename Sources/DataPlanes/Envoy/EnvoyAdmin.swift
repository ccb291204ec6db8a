import Foundation
import Routing

/// Envoy's administration, on its socket.
struct EnvoyAdmin: Sendable {
    private let socket: AdminSocket

    init(_ folder: EnvoyFolder) { socket = AdminSocket(path: folder.admin.path, program: ("Envoy", "envoy")) }

    /// - Parameter filter: a regular expression over the names.
    func stats(_ options: String, filter: String) async throws(RoutingError) -> String {
        let encoded = filter.addingPercentEncoding(withAllowedCharacters: .alphanumerics) ?? filter
        return try await get("/stats?\(options)&filter=\(encoded)")
    }

    /// - Throws: ``RoutingError/Code/unreachable`` when it does not answer with 200 within two seconds.
    func get(_ path: String) async throws(RoutingError) -> String { try await socket.get(path) }
}
