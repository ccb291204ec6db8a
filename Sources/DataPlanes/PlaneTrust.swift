package import Foundation

/// Whom a data plane trusts at implementations that it reaches over TLS.
package enum PlaneTrust {
    /// The system's certificates (PEM), where Debian has them.
    package static let system = URL(fileURLWithPath: "/etc/ssl/certs/ca-certificates.crt")
}
