import AsyncHTTPClient
import Foundation
import NIOCore
import NIOHTTP1
import Routing
import WholeAnswer

/// Where a data plane speaks HTTP of itself.
struct AdminEndpoint: Sendable {
    enum Place: Sendable, CustomStringConvertible {
        /// A socket in its folder.
        case socket(path: String)
        /// `http://HOST:PORT`.
        case address(String)

        var description: String {
            switch self {
            case .socket(let path): path
            case .address(let address): address
            }
        }
    }

    private static let longest = 16 << 20

    let place: Place
    /// What people call the data plane, and what `migrate route config` calls it.
    let program: (name: String, kind: String)

    /// - Throws: ``RoutingError/Code/unreachable`` when it does not answer with 200 within two seconds.
    func get(_ uri: String) async throws(RoutingError) -> String {
        guard let text = try await find(uri) else { throw failure("404 Not Found") }
        return text
    }

    private func failure(_ why: String) -> RoutingError {
        RoutingError(
            .unreachable,
            "\(program.name)’s administration at \(place) does not answer: \(why)",
            mend: "start \(program.name) with the configuration that `migrate route config \(program.kind)` wrote"
        )
    }

    /// - Returns: nil where it says that there is nothing (404).
    /// - Throws: ``RoutingError/Code/unreachable`` when it does not answer with 200 within two seconds.
    func find(_ uri: String) async throws(RoutingError) -> String? {
        guard let url = url(uri) else { throw failure("the path is none") }
        do {
            var request = HTTPClientRequest(url: url)
            request.headers.add(name: "host", value: "admin")
            // A kept connection may lead to a process that a reload is ending.
            request.headers.add(name: "connection", value: "close")
            let (response, body) = try await HTTPClient.shared.whole(
                request,
                within: .seconds(2),
                longest: Self.longest
            )
            if response.status == .notFound { return nil }
            guard response.status == .ok else { throw failure("\(response.status)") }
            return String(buffer: body)
        } catch let error as RoutingError {
            throw error
        } catch {
            throw failure("\(error)")
        }
    }

    private func url(_ uri: String) -> String? {
        switch place {
        case .socket(let path): URL(httpURLWithSocketPath: path, uri: uri)?.absoluteString
        case .address(let address): address + uri
        }
    }
}
