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
                } catch let error as LogError where error.code == .damaged {
                    logger.error("the log does not hold: see docs/audit.md", metadata: ["flaw": "\(error.message)"])
                } catch let error as Checkpoint.Malformed {
                    logger.error(
                        "what is no checkpoint stands where one is kept",
                        metadata: ["flaw": "\(error.message)"]
                    )
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
        case .unvouched(let kept):
            logger.warning(
                "nothing newer than this gateway’s checkpoint is signed by a key that the log takes: have a worker sign with one",
                metadata: ["kept": "\(kept.size)"]
            )
        case .begunAnew(let checkpoint, let before):
            logger.error(
                "the log does not go on from this gateway’s checkpoint, and has begun a new incarnation: if people declared it rewound, remove the file",
                metadata: ["origin": "\(checkpoint.origin)", "kept": "\(before.size) of \(before.origin)"]
            )
        case .broken(let flaw, let kept):
            logger.error(
                "the log is not the one of which this gateway has a checkpoint: see docs/audit.md",
                metadata: ["kept": "\(kept.size)", "flaw": "\(flaw)"]
            )
        }
    }
}
