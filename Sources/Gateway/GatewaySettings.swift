package import Foundation
package import MigrationCore

/// How one gateway listens and what it bears.
package struct GatewaySettings: Sendable {
    /// The router's name in the log; unique within the migration.
    package var name: String
    package var environment: String
    package var host: String
    package var port: Int
    /// The certificate for clients; without one they speak in the clear.
    package var certificate: CertificateFiles?
    /// Whom to trust at implementations with `https://`: a file of certificates (PEM); without one, the system's.
    package var trust: URL?
    /// Where it speaks of itself; nowhere without a port.
    package var adminHost: String
    package var adminPort: Int?
    /// Where the routes that are in force are kept.
    package var stateFile: URL
    /// Where each request leaves a line; nowhere without it.
    package var accessLog: URL?
    package var threads: Int

    /// The largest request head, in bytes.
    package var largestHead = 32 * 1_024
    /// The largest request body, in bytes.
    package var largestBody = 10 * 1_024 * 1_024
    /// So many clients may be connected; more are turned away.
    package var mostClients = 10_000
    /// How long a client's head may take from its first byte on.
    package var headTimeout = TimeSpan.seconds(10)
    /// How long a client may be silent in the middle of a body.
    package var bodyTimeout = TimeSpan.seconds(30)
    /// How long a client may be silent between two requests.
    package var idleTimeout = TimeSpan.seconds(75)

    package var connectTimeout = TimeSpan.seconds(2)
    /// Connections to one address, for each thread.
    package var mostUpstreamConnections = 512
    /// Idle connections to one address that are kept, for each thread.
    package var keptUpstreamConnections = 64
    /// How long an idle connection is kept: less than the five seconds after which usual servers (Node, uvicorn) close it, for a request that is
    /// sent at that moment cannot always be sent again.
    package var upstreamIdleTimeout = TimeSpan.seconds(4)
    /// So many failures in a row of one address, and it is left alone for a moment; 0 never.
    package var breakerFailures = 20
    package var breakerPause = TimeSpan.seconds(1)
    /// How long requests under way may go on after a stop; nil for as long as any service of the plan may take.
    package var drainTimeout: TimeSpan?
    /// With which people ask for one side; nil where nobody may.
    package var forceKey: ForceKey?

    package init(
        name: String,
        environment: String,
        host: String,
        port: Int,
        adminHost: String = "127.0.0.1",
        adminPort: Int?,
        stateFile: URL,
        threads: Int = 2
    ) {
        self.name = name
        self.environment = environment
        self.host = host
        self.port = port
        self.adminHost = adminHost
        self.adminPort = adminPort
        self.stateFile = stateFile
        self.threads = threads
    }
}

/// A certificate chain and its private key, as PEM files.
package struct CertificateFiles: Hashable, Sendable {
    package var chain: URL
    package var key: URL

    package init(chain: URL, key: URL) {
        self.chain = chain
        self.key = key
    }
}
