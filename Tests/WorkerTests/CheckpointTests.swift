import Foundation
import Logging
import MigrationCore
import MigrationLog
import Postgres
import Synchronization
import TestSupport
import Testing
import Worker

@Suite("Checkpoints by a worker", .database)
struct CheckpointTests {
    /// An address that is away, and comes back.
    private final class Sink: Sendable {
        private let state = Mutex<(isAway: Bool, taken: [String])>((true, []))
        /// The sizes of what it took.
        var taken: [String] { state.withLock { $0.taken } }
        func comeBack() { state.withLock { $0.isAway = false } }
        func answer(_ request: String) -> String {
            state.withLock { state in
                guard !state.isAway else {
                    return "HTTP/1.1 503 Away\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
                }
                let note = request.components(separatedBy: "\r\n\r\n").last ?? ""
                state.taken.append(note.components(separatedBy: "\n").dropFirst().first ?? "")
                return "HTTP/1.1 204 Taken\r\nconnection: close\r\n\r\n"
            }
        }
    }

    @Test(
        "go to a folder and to an address, which gets what it missed while it was away; a log that was cut off is not vouched for there"
    )
    func published() async throws {
        let conninfo = try TestDatabase.conninfo
        let log = MigrationLog(pool: PostgresPool(conninfo, name: "test", limit: 8))
        _ = try await SchemaInstaller(pool: log.pool).install()
        let key = SigningKey()
        func add(_ owner: String, _ key: SigningKey, _ role: Role) async throws {
            let command = TrustCommand.addKey(owner: owner, key: key.publicKey, roles: [role], reason: "x")
            _ = try await log.perform(command, by: "kim", key: nil)
        }
        try await add("sealer", key, .checkpoint)
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent("sink-\(UUID().uuidString)")
        defer { try? FileManager.default.removeItem(at: folder) }
        let sink = Sink()
        let address = try await TestUpstream(.says { sink.answer($0) })
        let heard = HeardErrors()
        let logger = Logger(label: "w") { _ in heard }
        func worker() -> Task<Void, any Error> {
            let worker = Worker(
                name: "w",
                log: log,
                listener: LogListener(conninfo, name: "w", channels: []),
                leaseLife: .milliseconds(900),
                pollEvery: .milliseconds(50),
                checkpoints: CheckpointPolicy(
                    key: key,
                    every: .milliseconds(100),
                    sinks: [.folder(folder), .http("http://127.0.0.1:\(address.port)/checkpoints")]
                ),
                logger: logger
            )
            return Task { try await worker.run() }
        }
        var task = worker()
        func kept() throws -> Int64? {
            guard let data = FileManager.default.contents(atPath: folder.appendingPathComponent("latest").path) else {
                return nil
            }
            return try Checkpoint(note: String(decoding: data, as: UTF8.self)).size
        }
        try await eventually("the first checkpoint") { try kept() == 1 }
        try await add("ana", SigningKey(), .operate)
        try await eventually("the second checkpoint") { try kept() == 2 }
        for name in ["000000000001.note", "000000000002.note"] {
            #expect(FileManager.default.fileExists(atPath: folder.appendingPathComponent(name).path))
        }
        try await eventually("the address to be tried") { address.requests > 0 }
        #expect(sink.taken.isEmpty)
        sink.comeBack()
        try await eventually("the address to have both") { sink.taken.count == 2 }
        #expect(sink.taken == ["2", "1"])

        // Somebody cuts the log's end off, with everything that follows from it: there is a checkpoint of one commit again.
        try await log.pool.run {
            try $0.script(
                """
                set session_replication_role = replica;
                delete from migrate.checkpoint where n = 2;
                delete from migrate.seal where n = 2;
                delete from migrate.node;
                delete from migrate.commit where version = 2;
                update migrate.stream s set version = 1, head = c.hash, at = c.at from migrate.commit c where c.version = 1;
                update migrate.sealer s set n = 1, frontier = (select array_agg(leaf) from migrate.seal), xid = c.xid, id = c.id
                    from migrate.commit c where c.version = 1;
                set session_replication_role = default
                """
            )
        }
        try await add("ben", SigningKey(), .operate)
        try await eventually("another order of two commits") { try await log.orderHead().size == 2 }
        let look = try await Witness(file: folder.appendingPathComponent("latest"), log: log).look()
        guard case .broken(let flaw, let old) = look else {
            Issue.record("\(look)")
            return
        }
        #expect(flaw.contains("are not those"))
        #expect(old.size == 2)
        // Nor does the worker that signed the other one vouch for it.
        try await eventually("the worker to say so") { heard.all.contains { $0.contains("is not vouched for") } }
        #expect(try await log.checkpoints().map(\.size) == [1])

        // People declare it rewound: whoever keeps a checkpoint of before is told so, until he says that he knows.
        try await log.pool.run {
            _ = try $0.query("insert into migrate.log (log_id, number) values (gen_random_uuid(), 2)")
        }
        let latest = folder.appendingPathComponent("latest")
        guard case .begunAnew = try await Witness(file: latest, log: log).look() else {
            Issue.record("\(try await Witness(file: latest, log: log).look())")
            return
        }
        guard case .kept(let kept) = try await Witness(file: latest, log: log, acceptsRewind: true).look() else {
            Issue.record("the rewind was not accepted")
            return
        }
        #expect(kept.size == 1)
        // The worker that signed another is started anew.
        task.cancel()
        _ = await task.result
        task = worker()
        try await eventually("the log to be vouched for again") {
            let data = FileManager.default.contents(atPath: latest.path) ?? Data()
            let newest = try Checkpoint(note: String(decoding: data, as: UTF8.self))
            return newest.size == 2 && newest.origin != old.origin
        }
        // What was kept of before stays beside it.
        let before = folder.appendingPathComponent("000000000002.note"),
            after = folder.appendingPathComponent("000000000002-2.note")
        #expect(FileManager.default.contents(atPath: before.path) == Data(old.note.utf8))
        #expect(FileManager.default.contents(atPath: after.path) == FileManager.default.contents(atPath: latest.path))
        task.cancel()
        _ = await task.result
        await address.close()
    }

    /// Runs a worker that keeps checkpoints in a folder, until it is cancelled.
    private func worker(_ log: MigrationLog, _ key: SigningKey, _ folder: URL, _ heard: HeardErrors) throws
        -> Task<Void, any Error>
    {
        let worker = Worker(
            name: "w",
            log: log,
            listener: LogListener(try TestDatabase.conninfo, name: "w", channels: []),
            leaseLife: .milliseconds(900),
            pollEvery: .milliseconds(50),
            checkpoints: CheckpointPolicy(key: key, every: .milliseconds(100), sinks: [.folder(folder)]),
            logger: Logger(label: "w") { _ in heard }
        )
        return Task { try await worker.run() }
    }

    @Test(
        "what another log's folder keeps holds nobody; what was kept of an incarnation that this log has lost does",
        arguments: [false, true]
    )
    func foreign(_ isLost: Bool) async throws {
        let conninfo = try TestDatabase.conninfo
        let log = MigrationLog(pool: PostgresPool(conninfo, name: "test", limit: 8))
        _ = try await SchemaInstaller(pool: log.pool).install()
        let key = SigningKey()
        let add = TrustCommand.addKey(owner: "sealer", key: key.publicKey, roles: [.checkpoint], reason: "x")
        _ = try await log.perform(add, by: "kim", key: nil)
        let plan = SamplePlan.plan()
        _ = try await log.perform(.plan(plan: plan, hash: try CommitHash.hash(of: plan)), on: "m", by: "ana")
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent("sink-\(UUID().uuidString)")
        defer { try? FileManager.default.removeItem(at: folder) }
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        func write(_ checkpoint: Checkpoint, _ name: String) throws {
            try Data(checkpoint.note.utf8).write(to: folder.appendingPathComponent(name))
        }
        let all = try await log.incarnations()
        let own = try #require(all.id(of: all.newest))
        var kept = Checkpoint(log: own, head: MigrationLog.OrderHead(size: 1, root: [UInt8](repeating: 1, count: 32)))
        try kept.sign(with: key)
        if isLost { try write(kept, "000000000001.note") }
        kept = Checkpoint(log: UUID(), head: MigrationLog.OrderHead(size: 7, root: [UInt8](repeating: 7, count: 32)))
        try kept.sign(with: key)
        try write(kept, "latest")
        let heard = HeardErrors()
        let task = try worker(log, key, folder, heard)
        if isLost {
            try await eventually("the quarantine") { try await log.load("m").state.migration?.quarantine != nil }
        } else {
            try await eventually("four looks") { heard.all.count { $0.contains("is not vouched for") } > 3 }
            #expect(try await log.load("m").state.migration?.quarantine == nil)
        }
        #expect(try await log.checkpoints().isEmpty)
        #expect(try Checkpoint.kept(at: folder.appendingPathComponent("latest")) == kept)
        task.cancel()
        _ = await task.result
        await log.pool.close()
    }

    @Test("what is kept and cannot be read is not nothing: the log is not vouched for, and it stays")
    func unreadable() async throws {
        let conninfo = try TestDatabase.conninfo
        let log = MigrationLog(pool: PostgresPool(conninfo, name: "test", limit: 8))
        _ = try await SchemaInstaller(pool: log.pool).install()
        let key = SigningKey()
        let add = TrustCommand.addKey(owner: "sealer", key: key.publicKey, roles: [.checkpoint], reason: "x")
        _ = try await log.perform(add, by: "kim", key: nil)
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent("sink-\(UUID().uuidString)")
        defer { try? FileManager.default.removeItem(at: folder) }
        // A folder is no file that can be read, not even by root.
        let latest = folder.appendingPathComponent("latest")
        try FileManager.default.createDirectory(at: latest, withIntermediateDirectories: true)
        let heard = HeardErrors()
        let task = try worker(log, key, folder, heard)
        try await eventually("three looks") { heard.all.count { $0.contains("no checkpoint was signed") } > 2 }
        #expect(try await log.checkpoints().isEmpty)
        #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path) == ["latest"])
        task.cancel()
        _ = await task.result
        await log.pool.close()
    }

    @Test("what is written into the log as a checkpoint and is none goes to no place")
    func planted() async throws {
        let conninfo = try TestDatabase.conninfo
        let log = MigrationLog(pool: PostgresPool(conninfo, name: "test", limit: 8))
        _ = try await SchemaInstaller(pool: log.pool).install()
        let key = SigningKey(), other = SigningKey()
        let add = TrustCommand.addKey(owner: "sealer", key: key.publicKey, roles: [.checkpoint], reason: "x")
        _ = try await log.perform(add, by: "kim", key: nil)
        let all = try await log.incarnations()
        let own = try #require(all.id(of: all.newest))
        for (size, signer, note) in [(2, other, nil), (50, key, nil), (60, key, "nothing")]
            as [(Int64, SigningKey, String?)]
        {
            var planted = Checkpoint(
                log: own,
                head: MigrationLog.OrderHead(size: size, root: [UInt8](repeating: 5, count: 32))
            )
            try planted.sign(with: signer)
            let text = note ?? planted.note
            try await log.pool.run {
                _ = try $0.query(
                    "insert into migrate.checkpoint (n, root, note) values ($1::bigint, $2::bytea, $3::text)",
                    [.int(size), .bytes([UInt8](repeating: 5, count: 32)), .text(text)]
                )
            }
        }
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent("sink-\(UUID().uuidString)")
        defer { try? FileManager.default.removeItem(at: folder) }
        let heard = HeardErrors()
        let task = try worker(log, key, folder, heard)
        try await eventually("the log's own") {
            try Checkpoint.kept(at: folder.appendingPathComponent("latest"))?.size == 1
        }
        // The first is of the next size, and in the way of the log's own; the others are of more commits than there are.
        func addKey(of owner: String) async throws {
            let command = TrustCommand.addKey(
                owner: owner,
                key: SigningKey().publicKey,
                roles: [.operate],
                reason: "x"
            )
            _ = try await log.perform(command, by: "kim", key: nil)
        }
        try await addKey(of: "ana")
        try await eventually("the planted one to be named") {
            heard.all.contains { $0.contains("no checkpoint was signed") }
        }
        try await addKey(of: "ben")
        try await eventually("the log's next own") {
            try Checkpoint.kept(at: folder.appendingPathComponent("latest"))?.size == 3
        }
        #expect(heard.all.contains { $0.contains("is not passed on") })
        let names = try FileManager.default.contentsOfDirectory(atPath: folder.path).sorted()
        #expect(names == ["000000000001.note", "000000000003.note", "latest"])
        task.cancel()
        _ = await task.result
        await log.pool.close()
    }
}
