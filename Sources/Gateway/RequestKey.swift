import MigrationCore
import NIOCore
import NIOHTTP1

/// Finds whose a request is.
enum RequestKey {
    /// The first of the plan's places that the request has; nil when it has none.
    static func find(_ places: [StickyKey], _ headers: HTTPHeaders, client: SocketAddress?) -> String? {
        for place in places {
            switch place {
            case .header(let name):
                if let value = headers.first(name: name), !value.isEmpty { return value }
            case .cookie(let name):
                if let value = cookie(name, headers) { return value }
            case .clientIP:
                if let address = client?.ipAddress { return address }
            }
        }
        return nil
    }

    private static func cookie(_ name: String, _ headers: HTTPHeaders) -> String? {
        for line in headers[canonicalForm: "cookie"] {
            for pair in line.split(separator: ";") {
                let parts = pair.drop { $0 == " " }.split(separator: "=", maxSplits: 1)
                if parts.count == 2, parts[0] == name { return String(parts[1]) }
            }
        }
        return nil
    }
}
