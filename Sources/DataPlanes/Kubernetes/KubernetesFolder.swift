package import Foundation

/// The folder of the program that tells a Gateway of Kubernetes where to send requests.
package struct KubernetesFolder: Sendable {
    package let url: URL

    package init(_ path: String) { url = URL(fileURLWithPath: path) }

    /// The HTTPRoute to begin with.
    package var manifest: URL { url.appendingPathComponent("httproute.json") }
    /// What was told last.
    package var state: URL { url.appendingPathComponent("route.json") }
}
