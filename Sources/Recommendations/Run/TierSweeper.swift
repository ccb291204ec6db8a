import Logging
import ServiceLifecycle

/// Removes what is too old from the cache's second tier, now and then.
struct TierSweeper: ServiceLifecycle.Service {
    private static let pause = Duration.seconds(60)
    private static let most = 10_000

    let tier: PostgresTier
    let age: Duration
    let logger: Logger

    func run() async throws {
        await cancelWhenGracefulShutdown {
            while !Task.isCancelled {
                do {
                    while try await tier.sweep(olderThan: age, most: Self.most) == Self.most, !Task.isCancelled {}
                } catch {
                    logger.warning("the cache's second tier was not swept", metadata: ["reason": "\(error)"])
                }
                try? await Task.sleep(for: Self.pause)
            }
        }
    }
}
