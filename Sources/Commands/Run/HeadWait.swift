import Foundation
import Gateway
import Logging
import MigrationLog
import Routing
import ServiceLifecycle
import Synchronization

/// Asks for the head of a log whose database is away, again and again, while others answer by what they have.
final class HeadWait: ServiceLifecycle.Service {
    private static let pause = Duration.seconds(1)

    private let pull: @Sendable () async throws -> GatewayHead
    private let found = Mutex<GatewayHead?>(nil)
    /// Nil as long as there is none, and where it was told to stop before that.
    var head: GatewayHead? { found.withLock { $0 } }

    init(_ pull: @escaping @Sendable () async throws -> GatewayHead) { self.pull = pull }

    func run() async throws {
        try await cancelWhenGracefulShutdown { [self] in
            while !Task.isCancelled {
                do {
                    let head = try await pull()
                    return found.withLock { $0 = head }
                } catch let error as LogError where error.code == .database {
                    try? await Task.sleep(for: Self.pause)
                }
            }
        }
    }
}
