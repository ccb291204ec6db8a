package import Logging
package import MigrationCore
package import MigrationLog
import ServiceLifecycle
import Signals
import Synchronization

/// Runs migrations: several workers share them, each by itself, by rendezvous over those that are alive.
package struct Worker: ServiceLifecycle.Service {
    private let name: String
    private let log: MigrationLog
    private let listener: LogListener
    private let leaseLife: TimeSpan
    private let pollEvery: TimeSpan
    private let checkpoints: CheckpointPolicy?
    private let logger: Logger
    private let assignments = Assignments()

    /// - Parameters:
    ///   - name: unique among the workers of a log.
    ///   - listener: of ``MigrationLog/routeChannel`` and ``MigrationLog/reportChannel``.
    ///   - leaseLife: after how long a worker that is silent is taken for dead.
    ///   - pollEvery: how long it waits at most before it looks for itself.
    ///   - checkpoints: how the order is vouched for, while this worker seals it; nil for not at all.
    package init(
        name: String,
        log: MigrationLog,
        listener: LogListener,
        leaseLife: TimeSpan,
        pollEvery: TimeSpan = .seconds(1),
        checkpoints: CheckpointPolicy? = nil,
        logger: Logger
    ) {
        self.name = name
        self.log = log
        self.listener = listener
        self.leaseLife = leaseLife
        self.pollEvery = pollEvery
        self.checkpoints = checkpoints
        self.logger = logger
    }

    package func run() async throws {
        logger.info("working", metadata: ["worker": "\(name)"])
        await cancelWhenGracefulShutdown {
            await withDiscardingTaskGroup { group in
                group.addTask { await listen() }
                group.addTask { await sealer.run() }
                while !Task.isCancelled {
                    for migration in await assign() {
                        group.addTask { await runOne(migration) }
                    }
                    try? await Task.sleep(for: .microseconds(min(pollEvery.rawValue, leaseLife.rawValue * 3 / 10)))
                }
            }
        }
        try? await log.resign(
            assignments.held.map(MigrationRunner.lease) + [MigrationLog.presenceLease + name],
            of: name
        )
    }

    private var sealer: Sealer {
        Sealer(
            worker: name,
            log: log,
            leaseLife: leaseLife,
            pollEvery: pollEvery,
            checkpoints: checkpoints,
            logger: logger
        )
    }

    private func listen() async {
        await listener.run { event in
            switch event {
            case .connected: assignments.ringAll()
            case .notified(let migration):
                if migration.isEmpty { assignments.ringAll() } else { assignments.ring(migration) }
            case .idle: break
            }
        }
    }

    /// Says that this worker lives, and works out which migrations are its own.
    ///
    /// - Returns: those that it has to begin with.
    private func assign() async -> [String] {
        do {
            _ = try await log.lease(MigrationLog.presenceLease + name, to: name, for: leaseLife)
            let live = try await log.liveLeases(prefix: MigrationLog.presenceLease)
            let mine = try await log.unfinished().filter { Rendezvous.owner(of: $0, among: live) == name }
            return assignments.assign(mine)
        } catch {
            logger.warning("the log cannot be read", metadata: ["reason": "\(error)"])
            return []
        }
    }

    private func runOne(_ migration: String) async {
        var logger = logger
        logger[metadataKey: "migration"] = "\(migration)"
        let runner = MigrationRunner(
            name: migration,
            worker: name,
            log: log,
            bell: assignments.bell(migration),
            leaseLife: leaseLife,
            pollEvery: pollEvery,
            logger: logger
        )
        await runner.run { assignments.isMine(migration) }
        assignments.ended(migration)
    }
}

/// Which migrations a worker has, and how each is woken.
private final class Assignments: Sendable {
    private struct State {
        var mine: Set<String> = []
        var running: Set<String> = []
        var bells: [String: Bell] = [:]
    }

    private let state = Mutex(State())

    var held: [String] { state.withLock { $0.running.union($0.mine).sorted() } }

    /// Takes over what is assigned now.
    ///
    /// - Returns: what is not running yet.
    func assign(_ migrations: [String]) -> [String] {
        state.withLock { state in
            state.mine = Set(migrations)
            let fresh = state.mine.subtracting(state.running)
            state.running.formUnion(fresh)
            return fresh.sorted()
        }
    }

    func isMine(_ migration: String) -> Bool { state.withLock { $0.mine.contains(migration) } }

    func ended(_ migration: String) {
        state.withLock { state in
            state.running.remove(migration)
            state.bells[migration] = nil
        }
    }

    func bell(_ migration: String) -> Bell {
        state.withLock { state in
            let bell = state.bells[migration] ?? Bell()
            state.bells[migration] = bell
            return bell
        }
    }

    func ring(_ migration: String) { state.withLock { $0.bells[migration] }?.ring() }
    func ringAll() { for bell in state.withLock({ Array($0.bells.values) }) { bell.ring() } }
}
