import AsyncHTTPClient
import Foundation
import NIOSSL
import Routing

/// Whom the gateway trusts at implementations.
enum UpstreamTrust {
    /// - Parameter file: certificates as PEM; nil for the system's.
    /// - Throws: ``RoutingError`` when there are none.
    static func context(_ file: URL?) throws(RoutingError) -> NIOSSLContext {
        do {
            var configuration = TLSConfiguration.makeClientConfiguration()
            if let file { configuration.trustRoots = .file(file.path) }
            configuration.applicationProtocols = ["http/1.1"]
            return try NIOSSLContext(configuration: configuration)
        } catch {
            throw RoutingError(
                .storage,
                "there are no certificates to trust at \(file?.path ?? "the system's place"): \(error)",
                mend: "give a file of certificates as PEM"
            )
        }
    }

    /// What a client that trusts the same asks with.
    static func client(_ file: URL?) -> HTTPClient.Configuration {
        var configuration = HTTPClient.Configuration()
        var tls = TLSConfiguration.makeClientConfiguration()
        if let file { tls.trustRoots = .file(file.path) }
        configuration.tlsConfiguration = tls
        // An answer is an answer, wherever it points.
        configuration.redirectConfiguration = .disallow
        return configuration
    }
}
