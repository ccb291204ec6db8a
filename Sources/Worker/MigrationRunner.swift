import Foundation
import Logging
import MigrationCore
import MigrationLog
import Routing
import Signals
import Synchronization

/// Does for one migration what its machine says, while it holds the migration's lease.
struct MigrationRunner: Sendable {
    let name: String
    let worker: String
    let log: MigrationLog
    let bell: Bell
    let leaseLife: TimeSpan
    let pollEvery: TimeSpan
    let logger: Logger

    /// The name of a migration's lease.
    static func lease(_ migration: String) -> String { "migration/\(migration)" }

    /// Runs until the migration is over, `isMine` says no, or the task is cancelled; checks that are under way then are given up.
    func run(isMine: () -> Bool) async {
        await withDiscardingTaskGroup { group in
            await run(isMine, &group)
            group.cancelAll()
        }
        // It has become another worker's, who should not have to wait for the lease's end.
        if !Task.isCancelled { try? await log.resign([Self.lease(name)], of: worker) }
    }

    private func run(_ isMine: () -> Bool, _ checks: inout DiscardingTaskGroup) async {
        var lease = LeaseMachine(life: leaseLife)
        var machine = WorkerMachine(pollEvery: pollEvery)
        var stream: MigrationLog.Stream?
        let readings = Readings()
        while !Task.isCancelled, isMine() {
            await renew(&lease)
            guard lease.isTrusted(now: SystemClock.steady) else {
                stream = nil
                await bell.wait(for: .milliseconds(200))
                continue
            }
            do {
                var (loaded, sight) = try await log.look(at: name, from: stream)
                stream = loaded
                sight.readings = readings.all(from: loaded.state.migration?.nextWindow)
                for effect in machine.step(sight) {
                    switch effect {
                    case .append(let command): stream = try await append(command, to: loaded, lease)
                    case .reassert(let router): await reassert(router, loaded)
                    case .run(let check): begin(check, loaded, &checks)
                    case .ask(let k, let environment): ask(k, environment, loaded, readings, &checks)
                    case .wait(let until): await wait(until - sight.now, lease)
                    case .rest: return
                    }
                }
            } catch {
                // Whatever it was, the next look begins from the log.
                stream = nil
                guard !Task.isCancelled else { return }
                logger.warning("looking again", metadata: ["reason": "\(error)"])
                await bell.wait(for: .milliseconds(200))
            }
        }
    }

    private func begin(_ run: CheckRun, _ stream: MigrationLog.Stream, _ checks: inout DiscardingTaskGroup) {
        guard let plan = stream.state.migration?.plan else { return }
        let runner = CheckRunner(plan: plan, run: run, logger: logger)
        checks.addTask {
            guard let result = await runner.result(), !Task.isCancelled else { return }
            let command = Command.reportCheck(
                check: plan.checks[run.check].name,
                isPassed: result.isPassed,
                detail: result.detail,
                since: run.since
            )
            await report(command)
        }
    }

    /// Asks every source for a window, all at once; each answer calls the worker.
    private func ask(
        _ k: Int64,
        _ environment: String,
        _ stream: MigrationLog.Stream,
        _ readings: Readings,
        _ questions: inout DiscardingTaskGroup
    ) {
        guard let plan = stream.state.migration?.plan else { return }
        let reader = SourceReader(plan: plan, k: k, environment: environment, logger: logger)
        for source in plan.sources {
            questions.addTask {
                readings.add(await reader.read(source))
                bell.ring()
            }
        }
    }

    /// What a check has shown is not lost to a database that is away for a while.
    private func report(_ command: Command) async {
        // The same each time: one of which nobody has heard may stand in the log.
        let id = UUID()
        for _ in 0..<600 where !Task.isCancelled {
            do {
                _ = try await log.perform(command, on: name, by: "worker:\(worker)", id: id)
                return bell.ring()
            } catch let refusal as Refusal {
                return logger.warning("a check came too late", metadata: ["reason": "\(refusal.message)"])
            } catch {
                logger.warning("a check is reported again", metadata: ["reason": "\(error)"])
                try? await Task.sleep(for: .seconds(1))
            }
        }
    }

    private func renew(_ lease: inout LeaseMachine) async {
        let started = SystemClock.steady
        guard lease.step(now: started) == .renew else { return }
        do {
            if try await log.lease(Self.lease(name), to: worker, for: leaseLife) != nil {
                lease.renewed(started: started)
            } else {
                lease.refused(now: started, lost: true)
            }
        } catch {
            lease.refused(now: started, lost: false)
        }
    }

    private func append(_ command: Command, to stream: MigrationLog.Stream, _ lease: LeaseMachine) async throws
        -> MigrationLog.Stream?
    {
        guard lease.isTrusted(now: SystemClock.steady) else { return nil }
        do {
            guard let performed = try await log.perform(worker: command, on: stream, by: "worker:\(worker)") else {
                return nil
            }
            for event in performed.commit.events { announce(event, performed) }
            return performed.stream
        } catch let refusal as Refusal {
            // Another worker, or a person, was faster; what is due now shows at the next look.
            logger.debug("refused", metadata: ["reason": "\(refusal.message)"])
            await bell.wait(for: .milliseconds(50))
            return nil
        }
    }

    private func announce(_ event: Event, _ performed: MigrationLog.Performed) {
        let version: Logger.MetadataValue = "\(performed.commit.version)"
        switch event {
        case .windowJudged, .routerAcknowledged: logger.debug("\(event)", metadata: ["version": version])
        case .triggerFired, .rollbackStarted, .rollbackOverdue, .noDataDetected, .expired, .halted:
            logger.warning("\(event)", metadata: ["version": version])
        default: logger.info("\(event)", metadata: ["version": version])
        }
    }

    private func reassert(_ router: String, _ stream: MigrationLog.Stream) async {
        guard let environment = stream.state.migration?.routers.first(where: { $0.name == router })?.environment else {
            return
        }
        do {
            guard let route = try await log.route(name, environment: environment) else { return }
            let table = RouteTable(route, name, environment)
            _ = try await LogRouteAdapter(router: router, migration: name, log: log).apply(table)
        } catch {
            logger.warning("router not told", metadata: ["router": "\(router)", "reason": "\(error)"])
        }
    }

    private func wait(_ span: TimeSpan, _ lease: LeaseMachine) async {
        var micros = max(1_000, span.rawValue)
        if case .wait(let until) = lease.step(now: SystemClock.steady) {
            micros = min(micros, max(1_000, (until - SystemClock.steady).rawValue))
        }
        await bell.wait(for: .microseconds(micros))
    }
}

/// What sources have said and no window has taken yet.
private final class Readings: Sendable {
    private let readings = Mutex<[SourceReading]>([])

    func add(_ reading: SourceReading) { readings.withLock { $0.append(reading) } }

    /// Those of a window and of later ones; what was said of an earlier one comes too late.
    func all(from k: Int64?) -> [SourceReading] {
        readings.withLock { readings in
            readings.removeAll { $0.k < k ?? .max }
            return readings
        }
    }
}
