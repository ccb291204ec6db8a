import Logging
import MigrationCore
import MigrationLog
import Signals

/// Gives commits their numbers in the order of the whole log, while it holds the lease to do so; any worker may, one does.
struct Sealer: Sendable {
    let worker: String
    let log: MigrationLog
    let leaseLife: TimeSpan
    let pollEvery: TimeSpan
    /// Nil where checkpoints are not signed.
    let checkpoints: CheckpointPolicy?
    let logger: Logger

    private static let batch: Int64 = 1000

    /// Runs until the task is cancelled.
    func run() async {
        var lease = LeaseMachine(life: leaseLife)
        var watch = HorizonWatch(logger: logger)
        let publisher = checkpoints.map { CheckpointPublisher(worker: worker, policy: $0, log: log, logger: logger) }
        await withDiscardingTaskGroup { group in
            while !Task.isCancelled {
                do {
                    try await renew(&lease)
                    if lease.isTrusted(now: SystemClock.steady) {
                        let sealed = try await log.sealNext(limit: Self.batch)
                        if sealed == Self.batch { continue }
                        try await watch.look(at: log)
                        // Beside the sealing, which does not wait for an address that is slow.
                        if let publisher, await publisher.begin() { group.addTask { await publisher.publish() } }
                    }
                } catch {
                    guard !Task.isCancelled else { break }
                    logger.warning("the order waits", metadata: ["reason": "\(error)"])
                }
                try? await Task.sleep(for: .microseconds(min(pollEvery.rawValue, leaseLife.rawValue * 3 / 10)))
            }
            group.cancelAll()
        }
        try? await log.resign([MigrationLog.sealerLease], of: worker)
    }

    private func renew(_ lease: inout LeaseMachine) async throws {
        let started = SystemClock.steady
        guard lease.step(now: started) == .renew else { return }
        do {
            let epoch = try await log.lease(MigrationLog.sealerLease, to: worker, for: leaseLife)
            if epoch != nil { lease.renewed(started: started) } else { lease.refused(now: started, lost: true) }
        } catch {
            lease.refused(now: started, lost: false)
            throw error
        }
    }
}

/// Looks now and then at who holds the order back, and says so once for each.
private struct HorizonWatch {
    private static let every = TimeSpan.seconds(10)

    let logger: Logger
    private var looked: TimeSpan?
    private var told: Horizon.Holder?
    private var hasToldOfRestore = false

    init(logger: Logger) { self.logger = logger }

    mutating func look(at log: MigrationLog) async throws {
        let now = SystemClock.steady
        if let looked, now - looked < Self.every { return }
        looked = now
        let horizon = try await log.horizon()
        if horizon.restored > 0, !hasToldOfRestore {
            logger.error(
                "a logical restore brought commits that no waiting will seal: see migrate doctor",
                metadata: ["commits": "\(horizon.restored)"]
            )
        }
        hasToldOfRestore = horizon.restored > 0
        guard horizon.waits > Horizon.patience, let oldest = horizon.holders.first else {
            told = nil
            return
        }
        // Its age goes on.
        let isSame = told.map { ($0.pid, $0.query, $0.application) == (oldest.pid, oldest.query, oldest.application) }
        guard isSame != true else { return }
        told = oldest
        logger.error(
            "a transaction holds the order back: see migrate doctor",
            metadata: [
                "pid": "\(oldest.pid ?? 0)", "database": "\(oldest.database)",
                "age": "\(oldest.age.map(\.description) ?? "not to be seen without pg_read_all_stats")",
                "query": "\(oldest.query)", "unsealed": "\(horizon.unsealed)",
            ]
        )
    }
}
