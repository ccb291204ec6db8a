import Foundation
import Gateway
import Logging
import MigrationLog
import Postgres
import Routing
import ServiceLifecycle
import Synchronization

/// Asks for the head of a log whose database is away, again and again, while others answer by what they have.
final class HeadWait: ServiceLifecycle.Service {
    private static let pause = Duration.seconds(1)

    /// So often it is said again that there is none.
    private static let saying = Duration.seconds(60)

    private let pull: @Sendable () async throws -> GatewayHead
    private let logger: Logger
    private let found = Mutex<GatewayHead?>(nil)
    /// Nil as long as there is none, and where it was told to stop before that.
    var head: GatewayHead? { found.withLock { $0 } }

    init(logger: Logger, _ pull: @escaping @Sendable () async throws -> GatewayHead) {
        self.logger = logger
        self.pull = pull
    }

    /// Whether an error may pass by itself: nobody answered, and nobody refused anything.
    static func mayPass(_ error: LogError) -> Bool {
        switch error.cause?.code {
        case .unreachable, .lost, .unavailable: error.code == .database
        default: false
        }
    }

    func run() async throws {
        try await cancelWhenGracefulShutdown { [self] in
            var said: ContinuousClock.Instant?
            while !Task.isCancelled {
                do {
                    let head = try await pull()
                    return found.withLock { $0 = head }
                } catch let error as LogError where Self.mayPass(error) {
                    if said.map({ $0 + Self.saying < .now }) ?? true {
                        logger.warning(
                            "the database is away: it is waited for",
                            metadata: ["reason": "\(error.message)"]
                        )
                        said = .now
                    }
                    try? await Task.sleep(for: Self.pause)
                }
            }
        }
    }
}
