import Logging
import ServiceLifecycle

/// Makes the tables of a second tier of the cache as soon as it can be reached, and removes what is too old there, now and then.
struct TierKeeper: ServiceLifecycle.Service {
    private static let pause = Duration.seconds(60)
    /// Between two tries to make the tables.
    private static let retry = Duration.seconds(5)
    private static let most = 10_000

    let tier: PostgresTier
    let age: Duration
    let logger: Logger

    func run() async throws {
        await cancelWhenGracefulShutdown {
            while !Task.isCancelled, await !isInstalled() { try? await Task.sleep(for: Self.retry) }
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

    private func isInstalled() async -> Bool {
        do {
            try await tier.install()
            return true
        } catch {
            logger.warning("the cache's second tier cannot be used yet", metadata: ["reason": "\(error)"])
            return false
        }
    }
}
