import AsyncHTTPClient
import Foundation
import NIOCore
import NIOHTTP1
import Routing

/// Envoy's administration, on its socket.
struct EnvoyAdmin: Sendable {
    private static let longest = 16 << 20

    private let socket: String

    init(_ folder: EnvoyFolder) { socket = folder.admin.path }

    /// - Parameter filter: a regular expression over the names.
    func stats(_ options: String, filter: String) async throws(RoutingError) -> String {
        let encoded = filter.addingPercentEncoding(withAllowedCharacters: .alphanumerics) ?? filter
        return try await get("/stats?\(options)&filter=\(encoded)")
    }

    /// - Throws: ``RoutingError/Code/unreachable`` when it does not answer with 200 within two seconds.
    func get(_ path: String) async throws(RoutingError) -> String {
        func failure(_ why: String) -> RoutingError {
            RoutingError(
                .unreachable,
                "Envoy’s administration at \(socket) does not answer: \(why)",
                mend: "start Envoy with the configuration that `migrate route config envoy` wrote"
            )
        }
        guard let url = URL(httpURLWithSocketPath: socket, uri: path) else { throw failure("the path is none") }
        do {
            var request = HTTPClientRequest(url: url.absoluteString)
            request.headers.add(name: "host", value: "envoy")
            let response = try await HTTPClient.shared.execute(request, timeout: .seconds(2))
            let text = String(buffer: try await response.body.collect(upTo: Self.longest))
            guard response.status == .ok else { throw failure("\(response.status)") }
            return text
        } catch let error as RoutingError {
            throw error
        } catch {
            throw failure("\(error)")
        }
    }
}
