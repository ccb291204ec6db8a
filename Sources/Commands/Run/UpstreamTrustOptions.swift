import ArgumentParser
import Foundation

/// Whom a router trusts.
struct UpstreamTrustOptions: ParsableArguments {
    @Option(help: "Certificates (PEM) to trust at services with https://; else the system's.") var trust: String?

    var file: URL? { trust.map { URL(fileURLWithPath: $0) } }
    /// The option as it is written to give it again.
    var text: String { file.map { " --trust \($0.path)" } ?? "" }
}
