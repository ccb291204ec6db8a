package import Foundation

/// The folder of the program that tells resolvers by etcd where to send requests.
package struct EtcdFolder: Sendable {
    package let url: URL

    package init(_ path: String) { url = URL(fileURLWithPath: path) }

    /// What a resolver has to know.
    package var configuration: URL { url.appendingPathComponent("resolver.json") }
    package var state: URL { url.appendingPathComponent("route.json") }
}
