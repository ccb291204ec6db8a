import NIOCore
import NIOPosix

/// Waits for a time limit that is almost never reached.
enum TimeLimit {
    /// Ends after so long.
    ///
    /// - Throws: `CancellationError` when its task is cancelled before.
    ///
    /// A sleep that is cancelled leaves its timer behind until it would have ended, which for minutes and hundreds of calls a second is many; an event
    /// loop's timer is gone at once.
    static func pass(_ limit: Duration) async throws {
        let nanoseconds = limit.components.seconds * 1_000_000_000 + limit.components.attoseconds / 1_000_000_000
        let timer = MultiThreadedEventLoopGroup.singleton.any().scheduleTask(in: .nanoseconds(nanoseconds)) {}
        try await withTaskCancellationHandler {
            do { try await timer.futureResult.get() } catch { throw CancellationError() }
        } onCancel: {
            timer.cancel()
        }
    }
}
