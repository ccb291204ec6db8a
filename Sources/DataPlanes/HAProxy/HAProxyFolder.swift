package import Foundation

/// The folder that HAProxy and the program that tells it where to send requests share.
package struct HAProxyFolder: Sendable {
    package let url: URL

    package init(_ path: String) { url = URL(fileURLWithPath: path) }

    package var configuration: URL { url.appendingPathComponent("haproxy.cfg") }
    /// What HAProxy starts from: legacy.
    package var map: URL { url.appendingPathComponent("route.map") }
    /// HAProxy's runtime socket.
    package var socket: URL { url.appendingPathComponent("haproxy.sock") }
    /// What was told last, for a HAProxy that has forgotten it.
    package var state: URL { url.appendingPathComponent("route.json") }
}
