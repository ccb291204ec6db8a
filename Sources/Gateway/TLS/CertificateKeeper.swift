import Foundation
import Logging
import MigrationCore
import NIOSSL
import Routing
import ServiceLifecycle
import Synchronization

/// Holds the certificate that clients are shown, and takes a new one when its files change: a connection that stands goes on with what it began with.
final class CertificateKeeper: ServiceLifecycle.Service {
    private static let pause = Duration.seconds(1)

    private let files: CertificateFiles
    private let logger: Logger
    private let current: Mutex<(context: NIOSSLContext, stamp: Stamp)>

    /// What shows that the files were written anew.
    private struct Stamp: Hashable {
        var chain: Data
        var key: Data
    }

    /// - Throws: ``RoutingError`` with the file's name when the files hold no certificate and key that belong together.
    init(_ files: CertificateFiles, logger: Logger) throws(RoutingError) {
        self.files = files
        self.logger = logger
        let stamp = try Self.read(files)
        current = Mutex((try Self.context(files, stamp), stamp))
    }

    var context: NIOSSLContext { current.withLock { $0.context } }

    func run() async throws {
        await cancelWhenGracefulShutdown {
            while !Task.isCancelled {
                try? await Task.sleep(for: Self.pause)
                self.look()
            }
        }
    }

    /// Takes the files' content if it is new. What cannot be used is said and not used: the old certificate stays.
    private func look() {
        do {
            let stamp = try Self.read(files)
            guard stamp != current.withLock({ $0.stamp }) else { return }
            let context = try Self.context(files, stamp)
            current.withLock { $0 = (context, stamp) }
            logger.info("certificate taken", metadata: ["file": "\(files.chain.path)"])
        } catch {
            logger.error("certificate not taken", metadata: ["reason": "\(error.message)"])
        }
    }

    private static func read(_ files: CertificateFiles) throws(RoutingError) -> Stamp {
        do {
            return Stamp(chain: try Data(contentsOf: files.chain), key: try Data(contentsOf: files.key))
        } catch {
            throw RoutingError(
                .storage,
                "the certificate \(files.chain.path) and its key \(files.key.path) cannot be read: \(error.localizedDescription)"
            )
        }
    }

    private static func context(_ files: CertificateFiles, _ stamp: Stamp) throws(RoutingError) -> NIOSSLContext {
        do {
            let chain = try NIOSSLCertificate.fromPEMBytes(Array(stamp.chain))
            let key = try NIOSSLPrivateKey(bytes: Array(stamp.key), format: .pem)
            var configuration = TLSConfiguration.makeServerConfiguration(
                certificateChain: chain.map { .certificate($0) },
                privateKey: .privateKey(key)
            )
            configuration.minimumTLSVersion = .tlsv12
            configuration.applicationProtocols = ["h2", "http/1.1"]
            return try NIOSSLContext(configuration: configuration)
        } catch {
            throw RoutingError(
                .storage,
                "\(files.chain.path) and \(files.key.path) are no certificate and key that belong together: \(error)",
                mend: "give both as PEM"
            )
        }
    }
}
