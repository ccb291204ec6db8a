import Foundation
import MigrationCore
import MigrationLog
import Postgres
import TestSupport
import Testing

/// A whole migration with the traffic on a data plane, by the programs that people run.
@Suite("A migration on a data plane", .serialized, .database)
struct DataPlaneMigrationTests {
    enum Plane: String, CaseIterable, Sendable {
        case gateway, haproxy, envoy, nginx, etcd

        /// Whether it switches without a request that fails; each reload of nginx ends connections that its clients are just using.
        var isGentle: Bool { self != .nginx }
    }

    /// The data plane itself, with the configuration that was written for it.
    private func start(_ plane: Plane, _ folder: String, _ output: String) throws -> ChildProcess? {
        switch plane {
        // A resolver answers when it has etcd, and is started with that.
        case .gateway, .etcd: nil
        case .nginx:
            try ChildProcess(
                "/usr/sbin/nginx",
                ["-e", folder + "/error.log", "-c", folder + "/nginx.conf", "-g", "daemon off;"],
                output: output
            )
        case .haproxy:
            try ChildProcess("/usr/sbin/haproxy", ["-db", "-f", folder + "/haproxy.cfg"], output: output)
        case .envoy:
            try ChildProcess(
                TestPeers.envoy(),
                [
                    "-c", folder + "/envoy.json", "--concurrency", "2", "--log-level", "warning",
                    "--disable-hot-restart",
                ],
                output: output
            )
        }
    }

    private static func text(_ legacy: Int, _ candidate: Int) -> String {
        """
        migration: shop
        services:
          a: { legacy: "http://127.0.0.1:\(legacy)", candidate: "http://127.0.0.1:\(candidate)", timeout: 2s }
          b: { legacy: "http://127.0.0.1:\(legacy)", candidate: "http://127.0.0.1:\(candidate)", timeout: 2s }
        sticky_by: [header:x-user-id]
        window: 500ms
        stages: [{ name: p, environment: p, steps: [10%, 50%, 100%], bake: 1500ms }]
        criteria: [error_rate < 5%, timeout_rate < 5%, latency.p95 < 1s]
        rollback: [error_rate > 10% for 1s]
        watch: 2s
        expires: 1d

        """
    }

    private func run(_ arguments: String...) throws -> Program.Result {
        try Program.run(arguments, database: TestDatabase.conninfo)
    }

    private func phase() throws -> String {
        let text = try run("status", "shop", "--format", "json").text
        let found = text.firstMatch(of: /"phase" : "([a-zA-Z]+)"/)
        return found.map { String($0.1) } ?? ""
    }

    /// A data plane, what tells it, and a worker, with a migration that was started.
    private func onStage(
        _ plane: Plane,
        _ legacy: TestUpstream,
        _ candidate: TestUpstream,
        _ body: (_ url: String) async throws -> Void
    ) async throws {
        let plan = try Program.file(Self.text(legacy.port, candidate.port), "shop.yaml")
        let folder = URL(fileURLWithPath: plan).deletingLastPathComponent().appendingPathComponent(plane.rawValue).path
        let (port, logPort) = (try freePort(), try freePort())
        #expect(try run("db", "install").code == 0)
        #expect(try run("create", plan).code == 0)
        let server = plane == .etcd ? try await TestEtcdServer() : nil
        var log = [.haproxy, .nginx, .etcd].contains(plane) ? ["--log-port", "\(logPort)"] : []
        if let server { log += ["--endpoint", server.endpoint] }
        let place = ["--listen", "127.0.0.1:\(port)"]
        if plane != .gateway {
            let configured = try Program.run(
                ["route", "config", plane.rawValue, plan, "--environment", "p"] + (plane == .etcd ? [] : place)
                    + ["--folder", folder] + log,
                database: TestDatabase.conninfo
            )
            #expect(configured.code == 0, "\(configured.text)")
        }
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        let rest = plane == .gateway ? place + ["--state", folder + "/state.json"] : ["--folder", folder] + log
        var environment = ProcessInfo.processInfo.environment
        environment["MIGRATE_DATABASE_URL"] = try TestDatabase.conninfo
        let output = folder + "/output"
        var processes: [ChildProcess] = []
        let result: Result<Void, any Error>
        do {
            if let process = try start(plane, folder, output) { processes.append(process) }
            if plane == .etcd {
                processes.append(
                    try await TestEtcdServer.resolver(
                        folder + "/resolver.json",
                        port: port,
                        name: "one",
                        output: output + "-resolver"
                    )
                )
            }
            for arguments in [
                [plane.rawValue, "--migration", "shop", "--environment", "p"] + rest,
                ["worker", "--name", "w"],
            ] {
                processes.append(
                    try ChildProcess(Program.path("migrate"), arguments, environment: environment, output: output)
                )
            }
            #expect(try run("start", "shop").code == 0)
            result = .success(try await body("http://127.0.0.1:\(port)"))
        } catch {
            let said = String(decoding: FileManager.default.contents(atPath: output) ?? Data(), as: UTF8.self)
            result = .failure(TestFailure("\(error)\n\(said.suffix(3_000))"))
        }
        for process in processes.reversed() { process.signal(SIGTERM) }
        try await offThread { [processes] in for process in processes { process.wait() } }
        try await server?.stop()
        await legacy.close()
        await candidate.close()
        try result.get()
    }

    @Test(
        "goes to 100 % under load: no request fails, nobody is moved back, and each step is seen with its share",
        arguments: Plane.allCases
    )
    func whole(_ plane: Plane) async throws {
        let load = SteadyLoad()
        try await onStage(
            plane,
            try await TestUpstream(.answers("legacy")),
            try await TestUpstream(.answers("candidate"))
        ) {
            url in
            try await load.keepUp(url, watching: true) {
                try await eventually(within: 60, "the migration to complete") { try phase() == "completed" }
            }
        }
        #expect(load.failed == 0 || !plane.isGentle)
        #expect(load.movedBack == 0)
        #expect(load.answered > 500)
        let shares = try await shares()
        #expect(shares.map(\.weight) == [1_000, 5_000, 10_000])
        for share in shares {
            let expected = Double(share.weight) / 10_000
            let spread = 3.29 * (Double(share.of) * expected * (1 - expected)).squareRoot() + 1
            #expect(share.of > 20)
            #expect(abs(Double(share.value) - Double(share.of) * expected) <= spread, "\(share)")
        }
        #expect(try run("replay", "shop").code == 0)
    }

    /// What was seen of `a` at each weight, in the windows that baked.
    private func shares() async throws -> [(weight: Int, value: Int, of: Int)] {
        let log = MigrationLog(pool: PostgresPool(try TestDatabase.conninfo, name: "test", limit: 2))
        var shares: [Int: (value: Int, of: Int)] = [:]
        var state = MigrationState.initial
        for row in try await log.rows("shop", after: 0) {
            let commit = try CommitCodec.decode(row.body, version: row.version, actor: row.actor)
            if let step = state.migration?.phase.step, let bake = step.bake, let plan = state.migration?.plan {
                for case .windowJudged(let judgement) in commit.events where judgement.k >= bake.firstWindow {
                    guard let seen = judgement.observed.first?.shares.first else { continue }
                    shares[plan.weight(at: step.position).rawValue, default: (0, 0)].value += seen.value
                    shares[plan.weight(at: step.position).rawValue, default: (0, 0)].of += seen.of
                }
            }
            state = try state.folding(commit)
        }
        await log.pool.close()
        return shares.map { ($0.key, $0.value.value, $0.value.of) }.sorted { $0.0 < $1.0 }
    }

    @Test(
        "rolls back by what it tells of a failing candidate, which hears of nobody once that is acknowledged",
        arguments: Plane.allCases
    )
    func rollback(_ plane: Plane) async throws {
        let answer: @Sendable (String) -> String = { request in
            request.contains(" /health ")
                ? "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n"
                : "HTTP/1.1 500 No\r\ncontent-length: 9\r\n\r\ncandidate"
        }
        let candidate = try await TestUpstream(.says(answer))
        let load = SteadyLoad()
        try await onStage(plane, try await TestUpstream(.answers("legacy")), candidate) { url in
            try await load.keepUp(url) {
                try await eventually(within: 60, "the rollback to be acknowledged") {
                    try run("status", "shop", "--format", "json").text.contains(#""acknowledgedAt""#)
                        && ["rollingBack", "rolledBack"].contains(try phase())
                }
                let (sent, answered) = (candidate.requests, load.answered)
                #expect(sent > 0)
                try await eventually(within: 60, "the rollback to be confirmed") { try phase() == "rolledBack" }
                #expect(load.answered > answered)
                #expect(candidate.requests == sent)
            }
        }
        #expect(load.failed == 0 || !plane.isGentle)
        #expect(try run("replay", "shop").code == 0)
    }
}
