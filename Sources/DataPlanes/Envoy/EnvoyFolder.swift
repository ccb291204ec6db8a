package import Foundation

/// The folder that Envoy and the program that tells it where to send requests share.
package struct EnvoyFolder: Sendable {
    package let url: URL

    package init(_ path: String) { url = URL(fileURLWithPath: path) }

    package var configuration: URL { url.appendingPathComponent("envoy.json") }
    /// The routes, which Envoy reads anew when another file takes this one's place.
    package var routes: URL { url.appendingPathComponent("routes.json") }
    /// Envoy's administration, a socket.
    package var admin: URL { url.appendingPathComponent("admin.sock") }
    /// What was told last.
    package var state: URL { url.appendingPathComponent("route.json") }
}
