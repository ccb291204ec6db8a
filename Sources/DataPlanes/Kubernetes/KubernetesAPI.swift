import AsyncHTTPClient
package import Foundation
import JSON
import NIOCore
import NIOHTTP1
import NIOPosix
import NIOSSL
import Routing
import WholeAnswer

/// How a cluster is reached.
package struct KubernetesAccess: Sendable {
    /// Of the API server, `https://host:port`.
    package var server: String
    /// Where the bearer token stands, which is read for every request: it is renewed there.
    package var token: URL?
    /// The certificates that the server's is held against; nil for those of the system.
    package var authority: URL?
    /// Where clients reach the Gateway, `http://host:port`, with the `Host` to ask for where it serves several.
    package var gateway: (url: String, host: String?)

    package init(server: String, token: URL?, authority: URL?, gateway: (url: String, host: String?)) {
        self.server = server
        self.token = token
        self.authority = authority
        self.gateway = gateway
    }
}

/// The API server of a cluster, for one HTTPRoute: an object is written only over the one that was read (`resourceVersion`).
struct KubernetesAPI: Sendable {
    private static let patience = Duration.seconds(5)
    private static let longest = 4 << 20
    /// Redirects are looked at here, not followed.
    private static let client = {
        var configuration = HTTPClient.Configuration(redirectConfiguration: .disallow)
        // HTTP/2 would have one connection for all that is asked.
        configuration.httpVersion = .http1Only
        return HTTPClient(eventLoopGroup: MultiThreadedEventLoopGroup.singleton, configuration: configuration)
    }()

    private let access: KubernetesAccess
    private let place: KubernetesPlace
    private let url: String

    init(_ access: KubernetesAccess, place: KubernetesPlace) {
        self.access = access
        self.place = place
        url =
            "\(access.server)/apis/gateway.networking.k8s.io/v1/namespaces/\(place.namespace)/httproutes/\(place.name)"
    }

    /// The HTTPRoute as it is.
    func read() async throws(RoutingError) -> JSONValue {
        let (status, answer) = try await ask(.GET, nil)
        guard status == .ok else { throw refusal(status, answer) }
        return answer
    }

    /// Puts an object in the place of the one that it was made from.
    ///
    /// - Returns: whether it was put; if not, somebody else has written meanwhile.
    func write(_ object: JSONValue) async throws(RoutingError) -> Bool {
        let (status, answer) = try await ask(.PUT, object)
        if status == .conflict { return false }
        guard status == .ok else { throw refusal(status, answer) }
        return true
    }

    /// The host to which the Gateway redirects a request of its own connection that asks which route is in force; nil where it does not redirect.
    func shown() async throws(RoutingError) -> String? {
        var request = HTTPClientRequest(url: access.gateway.url + place.probe)
        if let host = access.gateway.host { request.headers.add(name: "host", value: host) }
        request.headers.add(name: "connection", value: "close")
        do {
            let (response, _) = try await Self.client.whole(request, within: Self.patience, longest: Self.longest)
            return response.headers.first(name: "location").flatMap { URLComponents(string: $0)?.host }
        } catch {
            throw RoutingError(
                .unreachable,
                "the Gateway at \(access.gateway.url) does not answer: \(error)",
                mend: "see that --gateway-url is where clients reach it"
            )
        }
    }

    private func ask(_ method: HTTPMethod, _ body: JSONValue?) async throws(RoutingError) -> (
        HTTPResponseStatus, JSONValue
    ) {
        var request = HTTPClientRequest(url: url)
        request.method = method
        request.headers.add(name: "accept", value: "application/json")
        if let token = try token() { request.headers.add(name: "authorization", value: "Bearer \(token)") }
        if let authority = access.authority {
            var configuration = TLSConfiguration.makeClientConfiguration()
            configuration.trustRoots = .file(authority.path)
            request.tlsConfiguration = configuration
        }
        if let body {
            request.headers.add(name: "content-type", value: "application/json")
            request.body = .bytes(ByteBuffer(bytes: body.bytes))
        }
        do {
            let (response, text) = try await Self.client.whole(request, within: Self.patience, longest: Self.longest)
            let value = try? JSONValue(parsing: Array(text.readableBytesView))
            return (response.status, value ?? .string(String(String(buffer: text).prefix(200))))
        } catch {
            throw RoutingError(
                .unreachable,
                "the API server at \(access.server) does not answer: \(error)",
                mend:
                    "see that it is reached from here, and that its certificates are those of the authority that was given"
            )
        }
    }

    private func token() throws(RoutingError) -> String? {
        guard let file = access.token else { return nil }
        guard let data = FileManager.default.contents(atPath: file.path) else {
            throw RoutingError(.storage, "the token \(file.path) cannot be read")
        }
        return String(decoding: data, as: UTF8.self).trimmingCharacters(in: .whitespacesAndNewlines)
    }

    private func refusal(_ status: HTTPResponseStatus, _ answer: JSONValue) -> RoutingError {
        let mend =
            switch status {
            case .unauthorized: "see that the token is one of this cluster, and not over"
            case .forbidden:
                "let the account get and update httproutes of gateway.networking.k8s.io in \(place.namespace)"
            case .notFound: "write it: migrate route config kubernetes, and kubectl apply"
            default: "see what the API server says"
            }
        return RoutingError(
            status == .notFound ? .storage : .unreachable,
            "the API server answers \(status.code) for the HTTPRoute \(place.namespace)/\(place.name): \(answer["message"]?.string ?? answer.text)",
            mend: mend
        )
    }
}
