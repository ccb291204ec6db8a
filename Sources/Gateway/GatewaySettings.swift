package import Foundation
package import MigrationCore

/// How one gateway listens and what it bears.
package struct GatewaySettings: Sendable {
    /// The router's name in the log; unique within the migration.
    package var name: String
    package var environment: String
    package var host: String
    package var port: Int
    /// Where it speaks of itself; nowhere without a port.
    package var adminHost: String
    package var adminPort: Int?
    /// Where the routes that are in force are kept.
    package var stateFile: URL
    /// The largest request body, in bytes.
    package var largestBody: Int
    package var connectTimeout: TimeSpan
    /// How long a client may be silent in the middle of a request, or between two.
    package var idleTimeout: TimeSpan
    /// How long requests under way may go on after a stop.
    package var drainTimeout: TimeSpan
    package var threads: Int

    package init(
        name: String,
        environment: String,
        host: String,
        port: Int,
        adminHost: String = "127.0.0.1",
        adminPort: Int?,
        stateFile: URL,
        largestBody: Int = 10 * 1024 * 1024,
        connectTimeout: TimeSpan = .seconds(2),
        idleTimeout: TimeSpan = .seconds(75),
        drainTimeout: TimeSpan = .seconds(10),
        threads: Int = 2
    ) {
        self.name = name
        self.environment = environment
        self.host = host
        self.port = port
        self.adminHost = adminHost
        self.adminPort = adminPort
        self.stateFile = stateFile
        self.largestBody = largestBody
        self.connectTimeout = connectTimeout
        self.idleTimeout = idleTimeout
        self.drainTimeout = drainTimeout
        self.threads = threads
    }
}
