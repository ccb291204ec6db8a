package import Foundation

/// The folder that nginx and the program that tells it where to send requests share.
package struct NginxFolder: Sendable {
    package let url: URL

    package init(_ path: String) { url = URL(fileURLWithPath: path) }

    package var configuration: URL { url.appendingPathComponent("nginx.conf") }
    /// The routes in force, a part of the configuration.
    package var routes: URL { url.appendingPathComponent("routes.conf") }
    /// The routes that it begins with where it is started by ``start`` and nobody tells it: legacy.
    var legacy: URL { url.appendingPathComponent("legacy.conf") }
    /// A program that starts it, at legacy where nobody tells it.
    package var start: URL { url.appendingPathComponent("start") }
    package var pid: URL { url.appendingPathComponent("nginx.pid") }
    /// The process from before an upgrade of nginx's program, as long as both are there.
    var elder: URL { url.appendingPathComponent("nginx.pid.oldbin") }
    /// What it says of itself.
    var errors: URL { url.appendingPathComponent("error.log") }
    package var state: URL { url.appendingPathComponent("route.json") }
}
