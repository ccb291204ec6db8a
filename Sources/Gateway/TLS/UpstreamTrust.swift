package import AsyncHTTPClient
package import Foundation
package import MigrationCore
import NIOSSL
import Routing

/// Whom a router trusts at implementations that are reached over TLS.
package enum UpstreamTrust {
    /// What a plan's implementations are reached with.
    ///
    /// - Parameter file: certificates as PEM; nil for the system's.
    /// - Returns: nil where none is reached over TLS.
    /// - Throws: a `RoutingError` when there are no certificates.
    static func context(_ file: URL?, for plan: Plan) throws -> NIOSSLContext? {
        guard plan.services.contains(where: { $0.legacy.hasPrefix("https:") || $0.candidate.hasPrefix("https:") })
        else { return nil }
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
    ///
    /// - Throws: a `RoutingError` when there are no certificates, and a plan's implementation is reached over TLS.
    package static func client(_ file: URL?, for plan: Plan) throws -> HTTPClient.Configuration {
        _ = try context(file, for: plan)
        var configuration = HTTPClient.Configuration()
        var tls = TLSConfiguration.makeClientConfiguration()
        if let file { tls.trustRoots = .file(file.path) }
        configuration.tlsConfiguration = tls
        // An answer is an answer, wherever it points.
        configuration.redirectConfiguration = .disallow
        return configuration
    }
}
