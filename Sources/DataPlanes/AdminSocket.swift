import AsyncHTTPClient
import Foundation
import NIOCore
import NIOHTTP1
import Routing

/// Where a data plane speaks HTTP of itself, on a socket in its folder.
struct AdminSocket: Sendable {
    private static let longest = 16 << 20

    let path: String
    /// What people call the data plane, and what `migrate route config` calls it.
    let program: (name: String, kind: String)

    /// - Throws: ``RoutingError/Code/unreachable`` when it does not answer with 200 within two seconds.
    func get(_ uri: String) async throws(RoutingError) -> String {
        func failure(_ why: String) -> RoutingError {
            RoutingError(
                .unreachable,
                "\(program.name)’s administration at \(path) does not answer: \(why)",
                mend: "start \(program.name) with the configuration that `migrate route config \(program.kind)` wrote"
            )
        }
        guard let url = URL(httpURLWithSocketPath: path, uri: uri) else { throw failure("the path is none") }
        do {
            var request = HTTPClientRequest(url: url.absoluteString)
            request.headers.add(name: "host", value: "admin")
            // A kept connection may lead to a process that a reload is ending.
            request.headers.add(name: "connection", value: "close")
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
