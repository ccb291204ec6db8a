import Foundation
import Logging
import MigrationLog
import ServiceLifecycle

/// Keeps the log's newest checkpoint beside a gateway's routes, on a machine that is not the database's, and says so when the log is no longer
/// the one that it was.
struct GatewayWitness: ServiceLifecycle.Service {
    private static let pause = Duration.seconds(60)

    private let witness: Witness
    private let logger: Logger

    /// - Parameter stateFile: where the gateway's routes are kept.
    init(stateFile: URL, log: MigrationLog, logger: Logger) {
        witness = Witness(file: stateFile.appendingPathExtension("checkpoint"), log: log)
        self.logger = logger
    }

    func run() async throws {
        await cancelWhenGracefulShutdown {
            while !Task.isCancelled {
                do {
                    try await look()
                } catch {
                    logger.debug("no checkpoint", metadata: ["reason": "\(error)"])
                }
                try? await Task.sleep(for: Self.pause)
            }
        }
    }

    private func look() async throws {
        switch try await witness.look() {
        case .nothing, .kept: break
        case .begunAnew(let checkpoint, let before):
            logger.warning(
                "the log was declared rewound: its checkpoints begin anew",
                metadata: ["origin": "\(checkpoint.origin)", "before": "\(before.size) of \(before.origin)"]
            )
        case .broken(let flaw, let kept):
            logger.error(
                "the log is not the one of which this gateway has a checkpoint: see docs/audit.md",
                metadata: ["kept": "\(kept.size)", "flaw": "\(flaw)"]
            )
        }
    }
}
