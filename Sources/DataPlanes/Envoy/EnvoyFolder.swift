package import Foundation
package import MigrationCore

/// The folder that Envoy and the program that tells it where to send requests share, or, where Envoy asks for its routes, the program's own.
package struct EnvoyFolder: Sendable {
    package let url: URL
    /// Where Envoy's administration is, when it is no socket of the folder.
    package let elsewhere: Address?

    package init(_ path: String, admin elsewhere: Address? = nil) {
        url = URL(fileURLWithPath: path)
        self.elsewhere = elsewhere
    }

    package var configuration: URL { url.appendingPathComponent("envoy.json") }
    /// The routes, which Envoy reads anew when another file takes this one's place.
    package var routes: URL { url.appendingPathComponent("routes.json") }
    /// The routes that it begins with where it is started by ``start`` and nobody tells it: legacy.
    var legacy: URL { url.appendingPathComponent("legacy.json") }
    /// A program that starts it, at legacy where nobody tells it.
    package var start: URL { url.appendingPathComponent("start") }
    /// Envoy's administration, a socket.
    package var admin: URL { url.appendingPathComponent("admin.sock") }
    /// What was told last.
    package var state: URL { url.appendingPathComponent("route.json") }
}
