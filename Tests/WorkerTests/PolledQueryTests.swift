import Foundation
import Logging
import MigrationCore
import MigrationLog
import Postgres
import TestSupport
import Testing
import Worker

/// Every statement that programs send all the time, as a server of their own explains it (`auto_explain`).
@Suite("What workers, routers, sealers and followers ask of the database all the time")
struct PolledQueryTests {
    /// Tables that grow with what is done, or with how many migrations and routers there are.
    private static let large: Set = [
        "commit", "commit_cold", "seal", "node", "checkpoint", "signal", "router", "snapshot", "text", "traffic",
        "criterion", "rollback",
    ]

    /// Statements that sort what is never much.
    private static let small = [
        // Sessions that write: a look in ten seconds.
        "from pg_stat_activity a",
        // At most 63 of them.
        "unnest(s.frontier) with ordinality",
    ]

    /// What a statement does that it should not.
    private struct Flaw: Hashable {
        var statement: String
        var what: String
    }

    private struct Explained: Decodable {
        enum CodingKeys: String, CodingKey { case text = "Query Text", plan = "Plan" }
        var text: String
        var plan: Node
    }

    private final class Node: Decodable {
        enum CodingKeys: String, CodingKey {
            case type = "Node Type", relation = "Relation Name", condition = "Index Cond", recheck = "Recheck Cond"
            case plans = "Plans"
        }
        let type: String
        let relation: String?
        let condition: String?
        let recheck: String?
        let plans: [Node]?
    }

    /// Sorting, and reading a large table by none of its columns, unless no more is read than is asked for.
    private static func flaws(of node: Node, isLimited: Bool = false) -> [String] {
        var flaws: [String] = []
        if node.type.contains("Sort") { flaws.append(node.type) }
        let isWrite = node.type == "ModifyTable"
        if let relation = node.relation, large.contains(relation), !isWrite, node.condition == nil, node.recheck == nil,
            !(isLimited && node.type.hasPrefix("Index")), !node.type.hasPrefix("Bitmap Index")
        {
            flaws.append("\(node.type) on \(relation)")
        }
        let passes =
            node.type == "Limit" || isLimited && ["Merge Append", "Append", "LockRows", "Result"].contains(node.type)
        return flaws + (node.plans ?? []).flatMap { Self.flaws(of: $0, isLimited: passes) }
    }

    /// The plans of a server's log: each a line that ends in “plan:”, and the lines after it that begin with a tab.
    private static func explained(_ log: String) throws -> [Explained] {
        var plans: [Explained] = []
        var lines = log.split(separator: "\n", omittingEmptySubsequences: false)[...]
        while let line = lines.popFirst() {
            guard line.hasSuffix("plan:") else { continue }
            let text = lines.prefix { $0.hasPrefix("\t") }
            plans.append(try JSONDecoder().decode(Explained.self, from: Data(text.joined(separator: "\n").utf8)))
            lines = lines.dropFirst(text.count)
        }
        return plans
    }

    @Test("nothing that is asked all the time sorts, or reads a table that grows by none of its columns")
    func polled() async throws {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent(
            "asked-\(UUID().uuidString.prefix(8))"
        )
        let cluster = PrivateCluster(folder: folder)
        try await offThread { try cluster.start() }
        let result: Result<[Explained], any Error>
        do {
            try await play(cluster)
            let text = try String(contentsOf: folder.appendingPathComponent("server.log"), encoding: .utf8)
            result = .success(try Self.explained(text))
        } catch {
            result = .failure(error)
        }
        try await offThread { try cluster.stop() }
        try? FileManager.default.removeItem(at: folder)
        var flaws: Set<Flaw> = []
        let plans = try result.get()
        for explained in plans {
            let isSmall = Self.small.contains { explained.text.contains($0) }
            for what in Self.flaws(of: explained.plan) where !(isSmall && what.contains("Sort")) {
                flaws.insert(Flaw(statement: String(explained.text.prefix(300)), what: what))
            }
        }
        let statements = Set(plans.map(\.text))
        print("explained \(statements.count) statements, \(plans.count) times")
        #expect(statements.count > 50)
        for flaw in flaws.sorted(by: { $0.statement < $1.statement }) {
            Issue.record("\(flaw.what): \(flaw.statement)")
        }
    }

    /// A migration by a worker and a router that signs, seals, follows, and is rolled back.
    private func play(_ cluster: PrivateCluster) async throws {
        let setup = MigrationLog(pool: PostgresPool(cluster.conninfo, name: "test", limit: 2))
        _ = try await SchemaInstaller(pool: setup.pool).install()
        // Whatever a table's size, an index that there is is used.
        for setting in [
            "session_preload_libraries = 'auto_explain'", "auto_explain.log_min_duration = 0",
            "auto_explain.log_nested_statements = on", "auto_explain.log_format = 'json'", "enable_seqscan = off",
            "enable_sort = off",
        ] {
            // Known as soon as its library is.
            let sql = "load 'auto_explain'; alter system set \(setting)"
            _ = try await offThread {
                try cluster.tool("psql", sql.components(separatedBy: "; ").flatMap { ["-q", "-c", $0] })
            }
        }
        _ = try await offThread { try cluster.tool("psql", ["-q", "-c", "select pg_reload_conf()"]) }
        await setup.pool.close()
        let log = MigrationLog(pool: PostgresPool(cluster.conninfo, name: "test", limit: 8))
        let key = SigningKey()
        let checkpoints = TrustCommand.addKey(owner: "c", key: key.publicKey, roles: [.checkpoint], reason: "x")
        _ = try await log.perform(checkpoints, by: "kim", key: nil)
        let plan = SamplePlan.plan("m", window: .milliseconds(200), bake: .milliseconds(600))
        _ = try await log.perform(.plan(plan: plan, hash: try CommitHash.hash(of: plan)), on: "m", by: "ana")
        try await log.report("m", router: "r1", environment: "staging", log: nil, revision: nil, notify: true)
        let identity = try await log.incarnations().all[0].id.uuidString
        var logger = Logger(label: "w")
        logger.logLevel = .critical
        let worker = Worker(
            name: "w",
            log: log,
            listener: LogListener(
                cluster.conninfo,
                name: "w",
                channels: [MigrationLog.routeChannel, MigrationLog.reportChannel]
            ),
            leaseLife: .milliseconds(900),
            pollEvery: .milliseconds(100),
            checkpoints: CheckpointPolicy(
                key: key,
                every: .milliseconds(300),
                sinks: [.folder(cluster.folder.appendingPathComponent("notes"))]
            ),
            logger: logger
        )
        let task = Task { try await worker.run() }
        _ = try await log.perform(.start(reason: nil), on: "m", by: "ana")
        try await eventually("the router to be registered") {
            try await !(log.load("m").state.migration?.routers.isEmpty ?? true)
        }
        let follower = Subscription("follower", of: log)
        func report() async throws {
            guard let route = try await log.route("m", environment: "staging", known: nil) else { return }
            try await log.report(
                "m",
                router: "r1",
                environment: "staging",
                log: identity,
                revision: route.revision,
                hash: route.hash,
                notify: true
            )
            let last = plan.clock.index(of: try await log.load("m").now) - 1
            let signal = RouterSignal(
                k: last,
                router: "r1",
                environment: "staging",
                services: [ServiceWindow(), ServiceWindow()]
            )
            _ = try await log.hand(in: [signal], of: "m", clock: plan.clock)
            try await follower.reach(log.sealed(after: follower.position()).last?.n ?? 0)
        }
        try await eventually("windows to be judged") {
            try await report()
            return try await log.load("m").state.migration?.judgement != nil
        }
        try await eventually("a checkpoint") { try await log.latestCheckpoint() != nil }
        _ = try await log.perform(.rollBack(reason: "calls"), on: "m", by: "ana")
        try await eventually("the rollback to be confirmed") {
            try await report()
            return try await log.load("m").state.migration?.phase.name == "rolledBack"
        }
        _ = try await Witness(file: cluster.folder.appendingPathComponent("kept.note"), log: log).look()
        task.cancel()
        _ = await task.result
        await log.pool.close()
    }
}
