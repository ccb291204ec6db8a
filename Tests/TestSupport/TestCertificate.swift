package import Foundation
package import NIOSSL
import Postgres

/// A certificate that nobody has signed but itself, in a folder of its own.
package final class TestCertificate: Sendable {
    private let folder: URL
    package let chain: URL
    package let key: URL

    /// - Parameter names: whom it is for, as OpenSSL writes it: `DNS:localhost,IP:127.0.0.1`.
    package init(_ names: String = "DNS:localhost,IP:127.0.0.1") throws {
        folder = FileManager.default.temporaryDirectory.appendingPathComponent("certificate-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        chain = folder.appendingPathComponent("chain.pem")
        key = folder.appendingPathComponent("key.pem")
        try Self.issue(chain: chain, key: key, names)
    }

    /// Writes another one to a place.
    package static func issue(chain: URL, key: URL, _ names: String = "DNS:localhost,IP:127.0.0.1") throws {
        let first = names.prefix { $0 != "," }.drop { $0 != ":" }.dropFirst()
        let line = [
            "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
            "-subj", "/CN=\(first)", "-addext", "subjectAltName=\(names)", "-keyout", key.path, "-out", chain.path,
        ]
        let output = chain.appendingPathExtension("log").path
        let code = try ChildProcess("/usr/bin/openssl", line, output: output).wait()
        guard code == 0 else { throw TestFailure("openssl ended with \(code)") }
    }

    /// What a server shows it with.
    ///
    /// - Parameter least: the oldest version that it speaks.
    package func context(least: TLSVersion) throws -> NIOSSLContext {
        var configuration = TLSConfiguration.makeServerConfiguration(
            certificateChain: try NIOSSLCertificate.fromPEMFile(chain.path).map { .certificate($0) },
            privateKey: .privateKey(try NIOSSLPrivateKey(file: key.path, format: .pem))
        )
        configuration.minimumTLSVersion = least
        return try NIOSSLContext(configuration: configuration)
    }

    package func remove() { try? FileManager.default.removeItem(at: folder) }
}
