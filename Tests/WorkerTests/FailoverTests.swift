import Foundation
import Logging
import MigrationCore
import MigrationLog
import Postgres
import ServiceLifecycle
import Synchronization
import TestSupport
import Testing
import Worker

/// The reasons of the commands of which somebody was told that they stand, and how many of those were found by their ID when they were sent again.
private final class Acknowledged: Sendable {
    private let state = Mutex<(all: Set<String>, found: Int)>(([], 0))
    var all: Set<String> { state.withLock { $0.all } }
    var found: Int { state.withLock { $0.found } }
    func add(_ reason: String, isRepeated: Bool) {
        state.withLock {
            $0.all.insert(reason)
            if isRepeated { $0.found += 1 }
        }
    }
}

@Suite("A primary, its standby, and what is lost between them", .serialized)
struct FailoverTests {
    private func log(_ pair: TestPair, patience: Duration = .seconds(15)) -> MigrationLog {
        MigrationLog(pool: PostgresPool(pair.conninfo, name: "test", limit: 4), patience: patience)
    }

    private func begin(_ log: MigrationLog) async throws {
        _ = try await SchemaInstaller(pool: log.pool).install()
        let plan = SamplePlan.plan()
        _ = try await log.perform(.plan(plan: plan, hash: try CommitHash.hash(of: plan)), on: "m", by: "ana")
        _ = try await log.perform(.registerRouter(router: "r1", environment: "staging"), on: "m", by: "worker:w")
        _ = try await log.perform(.start(reason: nil), on: "m", by: "ana")
    }

    /// Sends overrides until it is told to stop; a command whose outcome is unknown is sent again under its own ID.
    private func write(_ log: MigrationLog, _ acknowledged: Acknowledged) async {
        while !Task.isCancelled {
            // The reason tells the command, whatever IDs the log has.
            let (id, reason) = (UUID(), UUID().uuidString)
            for _ in 0..<200 {
                if Task.isCancelled { return }
                if let performed = try? await log.perform(.halt(reason: reason), on: "m", by: "ana", id: id) {
                    acknowledged.add(reason, isRepeated: performed.isRepeated)
                    break
                }
                try? await Task.sleep(for: .milliseconds(50))
            }
        }
    }

    private func expectEvery(_ acknowledged: Acknowledged, in log: MigrationLog) async throws {
        var found: [String: Int] = [:]
        let texts = try await log.texts(of: "m")
        let report = try await Replay("m", of: log).run { step in
            if case .halt(let reason) = step.commit.command { found[texts.tell(reason), default: 0] += 1 }
        }
        #expect(report.divergence == nil)
        let lost = acknowledged.all.filter { found[$0] == nil }
        #expect(lost.isEmpty, "\(lost.count) of \(acknowledged.all.count) were lost")
        // Also of those of which nobody was told.
        #expect(found.values.allSatisfy { $0 == 1 }, "\(found.count { $0.value > 1 }) were doubled")
        print(
            acknowledged.all.count,
            "commands,",
            acknowledged.found,
            "of them found by their ID when they were sent again"
        )
    }

    @Test("with a synchronous standby a failover loses nothing, and writers go on by themselves")
    func synchronous() async throws {
        let pair = try await offThread { try TestPair(isSynchronous: true) }
        defer { pair.stop() }
        let log = log(pair)
        try await eventually("the standby to stream") { try await offThread { try pair.isStreaming() } }
        try await begin(log)
        let acknowledged = Acknowledged()
        let writers = (0..<4).map { _ in Task { await write(log, acknowledged) } }
        try await eventually("some commits") { acknowledged.all.count > 40 }
        try await pair.loseThePrimary()
        let before = acknowledged.all.count
        try await offThread { try pair.promote() }
        try await eventually("commits on the new primary") { acknowledged.all.count > before + 40 }
        for writer in writers {
            writer.cancel()
            await writer.value
        }
        try await expectEvery(acknowledged, in: log)
        #expect(try await log.load("m").state.migration?.quarantine == nil)
        await log.pool.close()
    }

    @Test("a synchronous standby that is gone leaves an append unknown, not failed; sent again, it is there once")
    func standbyGone() async throws {
        let pair = try await offThread { try TestPair(isSynchronous: true) }
        defer { pair.stop() }
        let log = log(pair, patience: .seconds(1))
        try await eventually("the standby to stream") { try await offThread { try pair.isStreaming() } }
        try await begin(log)
        try await offThread { try pair.standby.stop() }
        let id = UUID()
        let halt = Command.halt(reason: "once")
        let error = await #expect(throws: LogError.self) { try await log.perform(halt, on: "m", by: "ana", id: id) }
        #expect(error?.code == .unknownOutcome)
        #expect(error?.mend?.contains(id.uuidString.lowercased()) == true)
        // It stands on this server already, and is no more certain for that.
        let again = await #expect(throws: LogError.self) { try await log.perform(halt, on: "m", by: "ana", id: id) }
        #expect(again?.code == .unknownOutcome)
        try await offThread { try pair.standby.start() }
        try await eventually("the standby to stream again") { try await offThread { try pair.isStreaming() } }
        let performed = try await log.perform(halt, on: "m", by: "ana", id: id)
        #expect(performed?.isRepeated == true)
        #expect(performed?.commit.version == 4)
        let versions = try await Replay("m", of: log).run { _ in }.commits
        #expect(versions == 4)
        await log.pool.close()
    }

    @Test(
        "a failover that lost the tail is quarantined: weights hold, a roll back reaches the routers, and a person ends it"
    )
    func lostTail() async throws {
        let pair = try await offThread { try TestPair(isSynchronous: false) }
        defer { pair.stop() }
        let log = log(pair)
        try await eventually("the standby to stream") { try await offThread { try pair.isStreaming() } }
        try await begin(log)
        let head = try await log.heads()[0].version
        try await eventually("the standby to have everything") {
            try await offThread {
                try pair.standby.tool("psql", ["-At", "-c", "select max(version) from migrate.commit"])
            }.contains("\(head)")
        }
        try await offThread { try pair.standby.stop() }
        // What the standby will never have: a weight that a router has taken.
        let weight = Command.setWeight(
            weight: SamplePlan.weight(2_000),
            service: nil,
            environment: "staging",
            reason: "x"
        )
        _ = try await log.perform(weight, on: "m", by: "ana")
        let heard = try #require(try await log.route("m", environment: "staging"))
        try await pair.loseThePrimary()
        try await offThread { try pair.standby.start() }
        try await offThread { try pair.promote() }

        var logger = Logger(label: "w")
        logger.logLevel = .critical
        let worker = Worker(
            name: "w",
            log: log,
            listener: LogListener(pair.conninfo, name: "w", channels: [MigrationLog.reportChannel]),
            leaseLife: .milliseconds(900),
            pollEvery: .milliseconds(100),
            logger: logger
        )
        let task = Task { try await worker.run() }
        func report(_ route: MigrationLog.Route) async throws {
            try await log.report(
                "m",
                router: "r1",
                environment: "staging",
                log: route.log,
                revision: route.revision,
                hash: route.hash,
                notify: true
            )
        }
        try await eventually("the quarantine") {
            try? await report(heard)
            return try await log.load("m").state.migration?.quarantine != nil
        }
        let refused = try await log.perform(weight, on: "m", by: "ana")
        guard case .overrideRefused(let refusal)? = refused?.commit.events.first else {
            Issue.record("a weight moved in a quarantine")
            return
        }
        #expect(refusal.code == .blocked)
        _ = try await log.perform(.rollBack(reason: "not sure"), on: "m", by: "ana")
        let back = try #require(try await log.route("m", environment: "staging"))
        #expect(back.ancestors.contains(heard.log))
        #expect(back.weights.values.allSatisfy { $0 == .zero })
        _ = try await log.perform(
            .declareRewound(reason: "the standby had not got the last commit"),
            on: "m",
            by: "ana"
        )
        let anew = try #require(try await log.route("m", environment: "staging"))
        try await report(anew)
        try await eventually("the acknowledgement in the new incarnation") {
            try await log.load("m").state.migration?.unacknowledged.isEmpty == true
        }
        #expect(try await log.load("m").state.migration?.quarantine == nil)
        task.cancel()
        _ = await task.result
        #expect(try await Replay("m", of: log).run { _ in }.divergence == nil)
        await log.pool.close()
    }

    @Test(
        "an old backup of the files is known by the checkpoint that a worker keeps elsewhere: quarantined, until people declare it rewound"
    )
    func oldBackup() async throws {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent("ob-\(UUID().uuidString.prefix(8))")
        let notes = FileManager.default.temporaryDirectory.appendingPathComponent("on-\(UUID().uuidString.prefix(8))")
        let cluster = PrivateCluster(folder: folder)
        defer {
            try? cluster.stop()
            for path in [folder.path, folder.path + ".lock", notes.path] {
                try? FileManager.default.removeItem(atPath: path)
            }
        }
        try await offThread { try cluster.start() }
        func open() -> MigrationLog { MigrationLog(pool: PostgresPool(cluster.conninfo, name: "test", limit: 4)) }
        var log = open()
        try await begin(log)
        let key = SigningKey()
        let sealer = TrustCommand.addKey(owner: "sealer", key: key.publicKey, roles: [.checkpoint], reason: "x")
        _ = try await log.perform(sealer, by: "kim", key: nil)
        let latest = notes.appendingPathComponent("latest")
        func kept() throws -> Checkpoint? {
            try FileManager.default.contents(atPath: latest.path).map {
                try Checkpoint(note: String(decoding: $0, as: UTF8.self))
            }
        }
        let heard = HeardErrors()
        func worker() -> Task<Void, any Error> {
            let worker = Worker(
                name: "w",
                log: log,
                listener: LogListener(cluster.conninfo, name: "w", channels: []),
                leaseLife: .milliseconds(900),
                pollEvery: .milliseconds(50),
                checkpoints: CheckpointPolicy(key: key, every: .milliseconds(100), sinks: [.folder(notes)]),
                logger: Logger(label: "w") { _ in heard }
            )
            return Task { try await worker.run() }
        }
        func stop(_ task: Task<Void, any Error>) async {
            task.cancel()
            _ = await task.result
        }
        func quarantine() async throws -> Quarantine? { try await log.load("m").state.migration?.quarantine }
        var task = worker()
        try await eventually("a checkpoint of everything") { try kept()?.size == 4 }
        await stop(task)

        // The backup is made, and two commits come after it.
        let data = folder.appendingPathComponent("data").path
        await log.pool.close()
        try await offThread {
            try cluster.stop()
            let copy = try ChildProcess("/bin/cp", ["-a", data, data + ".old"], output: "/dev/null")
            guard copy.wait() == 0 else { throw TestFailure("there is no copy") }
            try cluster.start()
        }
        log = open()
        let weight = Command.setWeight(
            weight: SamplePlan.weight(2_000),
            service: nil,
            environment: "staging",
            reason: "x"
        )
        _ = try await log.perform(weight, on: "m", by: "ana")
        _ = try await log.perform(.halt(reason: "x"), on: "m", by: "ana")
        task = worker()
        try await eventually("a checkpoint of those") { try kept()?.size == 6 }
        await stop(task)
        #expect(heard.all.isEmpty, "\(heard.all)")

        await log.pool.close()
        try await offThread {
            try cluster.stop()
            try FileManager.default.removeItem(atPath: data)
            try FileManager.default.moveItem(atPath: data + ".old", toPath: data)
            try cluster.start()
        }
        log = open()
        // No router knows more than the log; only what was kept does.
        task = worker()
        try await eventually("the quarantine") { try await quarantine() != nil }
        let root = Data(try #require(try kept()).root).base64EncodedString()
        #expect(try await quarantine()?.evidence == .checkpoint(place: latest.path, size: 6, root: root))
        let refused = try await log.perform(weight, on: "m", by: "ana")
        guard case .overrideRefused(let refusal)? = refused?.commit.events.first else {
            Issue.record("a weight moved in a quarantine")
            return
        }
        #expect(refusal.message.contains("6 commits in \(latest.path)"), "\(refusal.message)")
        _ = try await log.perform(.declareRewound(reason: "the backup of Monday"), on: "m", by: "ana")
        // The folder still has the old one, and is complained of: people know that already.
        let complaints = heard.all.count
        try await eventually("two more looks") { heard.all.count > complaints + 1 }
        #expect(try await quarantine() == nil)
        guard case .kept = try await Witness(file: latest, log: log, acceptsRewind: true).look() else {
            Issue.record("the rewind was not accepted")
            return
        }
        let all = try await log.incarnations()
        try await eventually("the new incarnation to be vouched for") {
            try kept()?.origin == all.id(of: all.newest).map { Checkpoint.origin(of: $0) }
        }
        #expect(try await quarantine() == nil)
        await stop(task)
        #expect(try await Replay("m", of: log).run { _ in }.divergence == nil)
        await log.pool.close()
    }

    /// Has commits written of which nobody hears, as where the answer comes after the crash: they wait for a standby that will never be. Who starts next waits for none. (One that was
    /// found waits too, by a message of its own.)
    ///
    /// - Returns: how many there are.
    private func unheard(_ conninfo: String) async throws -> Int {
        let admin = try await PostgresConnection(conninfo, name: "admin")
        try await admin.run {
            try $0.query("alter system set synchronous_standby_names = 'nobody'")
            try $0.query("select pg_reload_conf()")
        }
        var count = 0
        try await eventually("a commit that waits") {
            count = try await admin.run {
                try $0.query(
                    """
                    select pid from pg_stat_activity where wait_event = 'SyncRep' and application_name = 'ledger'
                        and query not like '%pg_logical_emit_message%'
                    """
                ).rows.count
            }
            return count > 0
        }
        try await admin.run { _ = try $0.query("alter system reset synchronous_standby_names") }
        await admin.close()
        return count
    }

    @Test(
        "kill -9 of the first process under load, again and again: what was acknowledged is there, once, and what was not is found by its ID"
    )
    func crashLedger() async throws {
        let crashes = ProcessInfo.processInfo.environment["MIGRATE_TEST_CRASHES"].flatMap { Int($0) } ?? 5
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent("cl-\(UUID().uuidString.prefix(8))")
        let cluster = PrivateCluster(folder: folder)
        defer {
            try? cluster.stop()
            try? FileManager.default.removeItem(at: folder)
            try? FileManager.default.removeItem(atPath: folder.path + ".lock")
        }
        try await offThread { try cluster.start() }
        let log = MigrationLog(pool: PostgresPool(cluster.conninfo, name: "ledger", limit: 4))
        try await begin(log)
        let acknowledged = Acknowledged()
        let writers = (0..<4).map { _ in Task { await write(log, acknowledged) } }
        var unheard = 0
        for _ in 0..<crashes {
            let before = acknowledged.all.count
            try await eventually("commits between two crashes") { acknowledged.all.count > before + 20 }
            unheard += try await self.unheard(cluster.conninfo)
            let postmaster = try #require(cluster.postmaster)
            kill(postmaster, SIGKILL)
            try await eventually("the cluster to be gone") { kill(postmaster, 0) != 0 }
            try await eventually("the cluster to start again") {
                (try? await offThread { try cluster.start() }) != nil
            }
        }
        let before = acknowledged.all.count
        try await eventually("commits after the last crash, and those of which nobody heard") {
            acknowledged.all.count > before + 20 && acknowledged.found >= unheard
        }
        for writer in writers {
            writer.cancel()
            await writer.value
        }
        try await expectEvery(acknowledged, in: log)
        #expect(unheard >= crashes)
        await log.pool.close()
    }
}
