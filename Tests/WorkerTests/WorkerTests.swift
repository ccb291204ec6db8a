import Foundation
import Logging
import MigrationCore
import MigrationLog
import Postgres
import ServiceLifecycle
import TestSupport
import Testing
import Worker

@Suite("Workers on a real log", .database)
struct WorkerTests {
    private func worker(_ name: String, _ log: MigrationLog, _ conninfo: String) -> Worker {
        var logger = Logger(label: name)
        logger.logLevel = .critical
        return Worker(
            name: name,
            log: log,
            listener: LogListener(
                conninfo,
                name: name,
                channels: [MigrationLog.routeChannel, MigrationLog.reportChannel]
            ),
            leaseLife: .milliseconds(900),
            pollEvery: .milliseconds(100),
            logger: logger
        )
    }

    @Test("carry a migration on when one of them dies, and never do a thing twice")
    func takeover() async throws {
        let conninfo = try TestDatabase.conninfo
        let log = MigrationLog(pool: PostgresPool(conninfo, name: "test", limit: 8))
        _ = try await SchemaInstaller(pool: log.pool).install()
        let plan = SamplePlan.plan("m", window: .milliseconds(200), bake: .milliseconds(600))
        _ = try await log.perform(.plan(plan: plan, hash: try CommitHash.hash(of: plan)), on: "m", by: "ana")
        try await log.report("m", router: "r1", environment: "staging", log: nil, revision: nil, notify: true)
        let identity = try await log.incarnations().all[0].id.uuidString
        let tasks = ["w1", "w2"].map { name in
            let worker = worker(name, log, conninfo)
            return Task { try await worker.run() }
        }
        _ = try await log.perform(.start(reason: nil), on: "m", by: "ana")
        try await eventually("the router to be registered") {
            try await !(log.load("m").state.migration?.routers.isEmpty ?? true)
        }
        let version = try #require(try await log.load("m").state.migration?.traffic(in: "staging")?.revision)
        // A cancelled task stops in the middle of whatever it did, without giving anything back.
        tasks[0].cancel()
        try await log.report("m", router: "r1", environment: "staging", log: identity, revision: version, notify: true)
        try await eventually("the step to bake") { try await log.load("m").state.migration?.phase.step?.bake != nil }
        try await eventually("windows to be judged") { try await log.load("m").state.migration?.judgement != nil }
        tasks[1].cancel()
        for task in tasks { _ = await task.result }
        let report = try await Replay("m", of: log).run { _ in }
        #expect(report.divergence == nil)
    }
}
