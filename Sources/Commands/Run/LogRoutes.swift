import Foundation
import Gateway
import Logging
import MigrationCore
import MigrationLog
import Routing
import ServiceLifecycle
import Synchronization
import Worker

/// Wires a gateway to the log: routes come from it by notification and by looking, measurements and acknowledgements go to it.
struct LogRoutes: ServiceLifecycle.Service, RouteSource, SignalSink {
    private let migration: String
    private let environment: String
    private let router: String
    private let clock: WindowClock
    private let access: LogAccess.Reach
    private let logger: Logger
    private let stream: AsyncStream<RouteTable>
    private let continuation: AsyncStream<RouteTable>.Continuation
    /// Occasions to say what is in force: something new, or some time has passed.
    private let occasions = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
    private let word: Word
    /// This process, as no other is.
    private let instance = UUID()

    /// What the gateway last said is in force, and whether the log has heard it.
    private final class Word: Sendable {
        struct State {
            var table: RouteTable?
            var isHeard = false
            /// Whether it is known to be in force, and not only what was told last.
            var isInForce: Bool
            /// Whether another process has this name too.
            var isContested = false
        }
        let state: Mutex<State>
        init(_ table: RouteTable?, isInForce: Bool) { state = Mutex(State(table: table, isInForce: isInForce)) }
    }

    init(
        migration: String,
        environment: String,
        router: String,
        clock: WindowClock,
        access: LogAccess.Reach,
        kept: RouteTable?,
        isInForce: Bool = true,
        logger: Logger
    ) {
        self.migration = migration
        self.environment = environment
        self.router = router
        self.clock = clock
        self.access = access
        self.logger = logger
        (stream, continuation) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(1))
        word = Word(kept, isInForce: isInForce)
    }

    func tables() -> AsyncStream<RouteTable> { stream }

    func run() async throws {
        let listener = LogListener(
            access.conninfo,
            name: "migrate gateway \(router)",
            channels: [MigrationLog.routeChannel]
        )
        await cancelWhenGracefulShutdown {
            await withDiscardingTaskGroup { group in
                // Reporting commits, which takes its time: a route that comes meanwhile does not wait for it.
                group.addTask { for await _ in occasions.stream { await report() } }
                await listener.run { event in
                    switch event {
                    case .notified(let stream): if stream == migration { await look() }
                    case .connected, .idle:
                        await look()
                        occasions.continuation.yield()
                    }
                }
                occasions.continuation.finish()
            }
        }
        continuation.finish()
    }

    /// Reads the route and passes it on; the gateway's fence sees to the rest. A log that has another commit where this gateway heard one is
    /// not followed: it went back in time, and the report that this gateway makes now has the migration quarantined.
    private func look() async {
        let known = word.state.withLock { $0.table }.map {
            MigrationLog.KnownRoute(log: $0.logID, revision: $0.revision, hash: $0.hash)
        }
        guard let route = try? await access.log.route(migration, environment: environment, known: known) else { return }
        guard !route.isForked else {
            logger.error(
                "the log has another commit at a revision that is in force here: it is not followed",
                metadata: ["revision": "\(known?.revision ?? 0)"]
            )
            occasions.continuation.yield()
            return
        }
        continuation.yield(RouteTable(route, migration, environment))
    }

    func acknowledge(_ table: RouteTable) async {
        let isNew = word.state.withLock { state in
            let isNew = state.table != table || !state.isInForce
            state.isInForce = true
            state.isHeard = state.isHeard && !isNew
            state.table = table
            return isNew
        }
        if isNew { occasions.continuation.yield() }
    }

    func lost() async { word.state.withLock { $0.isInForce = false } }

    /// Says what is in force: at once when it is new, and now and then as a sign of life.
    private func report() async {
        let (table, isHeard, isInForce) = word.state.withLock { ($0.table, $0.isHeard, $0.isInForce) }
        // A router of which nothing is known is silent, and not well.
        guard isInForce else { return }
        do {
            let isContested = try await access.log.report(
                migration,
                router: router,
                environment: environment,
                log: table?.logID,
                revision: table?.revision,
                hash: table?.hash,
                instance: instance,
                notify: !isHeard
            )
            let isNews = word.state.withLock { state in
                if state.table == table { state.isHeard = true }
                defer { state.isContested = isContested }
                return isContested && !state.isContested
            }
            if isNews {
                logger.error(
                    "another process says that it is this router: nothing is taken of either; give each a --name of its own",
                    metadata: ["router": "\(router)", "environment": "\(environment)"]
                )
            }
        } catch {
            logger.debug("not reported", metadata: ["reason": "\(error)"])
        }
    }

    func hand(in signals: [RouterSignal]) async throws {
        // Whose window it would be nobody could tell.
        if word.state.withLock({ $0.isContested }) { return }
        guard let ahead = try await access.log.hand(in: signals, of: migration, clock: clock) else { return }
        logger.error(
            "measurements dropped, and so missing: this host's clock is ahead of the database's; set it right (NTP)",
            metadata: ["ahead": "\(ahead)"]
        )
    }
}
