import MigrationCore
import NIOCore
import NIOHTTP1

/// What changes in a message's headers between the two sides (RFC 9110 §7.6, RFC 7239).
enum ForwardedHeaders {
    /// Says which implementation answered.
    static let implementation = "x-migrate-implementation"
    private static let hopByHop: Set<String> = [
        "connection", "keep-alive", "proxy-authenticate", "proxy-authorization", "proxy-connection", "te", "trailer",
        "transfer-encoding",
        "upgrade",
    ]

    static func request(_ head: HTTPRequestHead, client: SocketAddress?) -> HTTPRequestHead {
        var headers = endToEnd(head.headers)
        // Without its framing a chunked body would have none.
        if head.headers.contains(name: "transfer-encoding") {
            headers.remove(name: "content-length")
            headers.add(name: "transfer-encoding", value: "chunked")
        }
        if let address = client?.ipAddress {
            let node = address.contains(":") ? "\"[\(address)]\"" : address
            headers.add(name: "forwarded", value: "for=\(node);proto=http")
        }
        headers.add(name: "via", value: "1.1 migrate")
        return HTTPRequestHead(version: .http1_1, method: head.method, uri: head.uri, headers: headers)
    }

    static func response(_ head: HTTPResponseHead, from implementation: Implementation, isPersistent: Bool)
        -> HTTPResponseHead
    {
        var headers = endToEnd(head.headers)
        headers.add(name: "via", value: "1.1 migrate")
        headers.replaceOrAdd(name: Self.implementation, value: implementation.rawValue)
        if !isPersistent { headers.add(name: "connection", value: "close") }
        return HTTPResponseHead(version: .http1_1, status: head.status, headers: headers)
    }

    private static func endToEnd(_ headers: HTTPHeaders) -> HTTPHeaders {
        let named = headers[canonicalForm: "connection"].map { $0.lowercased() }
        return HTTPHeaders(
            headers.filter { name, _ in
                let name = name.lowercased()
                return !hopByHop.contains(name) && !named.contains(name)
            }.map { ($0.name, $0.value) }
        )
    }
}
