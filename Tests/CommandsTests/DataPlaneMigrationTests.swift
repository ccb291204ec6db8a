import AsyncHTTPClient
import Foundation
import JSON
import MigrationCore
import MigrationLog
import NIOCore
import NIOHTTP1
import Postgres
import TestSupport
import Testing

/// A whole migration with the traffic on a data plane, by the programs that people run.
@Suite("A migration on a data plane", .serialized, .database)
struct DataPlaneMigrationTests {
    enum Plane: String, CaseIterable, Sendable {
        case gateway, haproxy, envoy, nginx, etcd, kubernetes

        /// Whether it switches without a request that fails; each reload of nginx ends connections that its clients are just using.
        var isGentle: Bool { self != .nginx }
        /// Whether a user stays where they are; a Gateway of Kubernetes deals requests at random.
        var keepsUsers: Bool { self != .kubernetes }
        /// Whether it measures latencies; a Gateway of Kubernetes is scraped five times a second, and its windows are longer for that.
        var measuresLatency: Bool { self != .kubernetes }
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
        case .envoy, .kubernetes:
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

    /// - Parameters:
    ///   - legacy: its address.
    ///   - candidate: its address.
    private static func text(_ plane: Plane, _ legacy: String, _ candidate: String) -> String {
        """
        migration: shop
        services:
          a: { legacy: "\(legacy)", candidate: "\(candidate)", timeout: 2s }
          b: { legacy: "\(legacy)", candidate: "\(candidate)", timeout: 2s }
        sticky_by: [header:x-user-id]
        window: \(plane.measuresLatency ? "500ms" : "1s")
        stages: [{ name: p, environment: p, steps: [10%, 50%, 100%], bake: \(plane.measuresLatency ? "1500ms" : "3s") }]
        criteria: [error_rate < 5%, timeout_rate < 5%\(plane.measuresLatency ? ", latency.p95 < 1s" : "")]
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
        _ body: (_ url: String, _ metrics: String?) async throws -> Void
    ) async throws {
        func text(_ legacy: String, _ candidate: String) -> String { Self.text(plane, legacy, candidate) }
        let (old, new) = ("http://127.0.0.1:\(legacy.port)", "http://127.0.0.1:\(candidate.port)")
        // An Envoy stands for the Gateway, and has the addresses of the cluster's services.
        let wiring = try Program.file(text(old, new), "shop.yaml")
        let plan =
            plane == .kubernetes
            ? try Program.file(text("http://old.shop.svc:8080", "http://new.shop.svc:8080"), "shop.yaml") : wiring
        let folder = URL(fileURLWithPath: plan).deletingLastPathComponent().appendingPathComponent(plane.rawValue).path
        let (port, logPort, metrics) = (try freePort(), try freePort(), try freePort())
        #expect(try run("db", "install").code == 0)
        #expect(try run("create", plan).code == 0)
        let server = plane == .etcd ? try await TestEtcdServer() : nil
        var log = [.haproxy, .nginx, .etcd].contains(plane) ? ["--log-port", "\(logPort)"] : []
        if let server { log += ["--endpoint", server.endpoint] }
        let place = ["--listen", "127.0.0.1:\(port)"]
        if plane != .gateway {
            let configured = try Program.run(
                ["route", "config", plane == .kubernetes ? "envoy" : plane.rawValue, wiring, "--environment", "p"]
                    + (plane == .etcd ? [] : place) + ["--folder", folder] + log,
                database: TestDatabase.conninfo
            )
            #expect(configured.code == 0, "\(configured.text)")
        }
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        let rest = plane == .gateway ? place + ["--state", folder + "/state.json"] : ["--folder", folder] + log
        let output = folder + "/output"
        /// Runs what tells the data plane, and a worker, while the body runs.
        func perform(_ rest: [String]) async throws {
            var environment = ProcessInfo.processInfo.environment
            environment["MIGRATE_DATABASE_URL"] = try TestDatabase.conninfo
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
                let told = plane == .gateway ? [] : ["--metrics", "127.0.0.1:\(metrics)"]
                for arguments in [
                    [plane.rawValue, "--migration", "shop", "--environment", "p"] + rest + told,
                    ["worker", "--name", "w"],
                ] {
                    processes.append(
                        try ChildProcess(Program.path("migrate"), arguments, environment: environment, output: output)
                    )
                }
                #expect(try run("start", "shop").code == 0)
                result = .success(
                    try await body(
                        "http://127.0.0.1:\(port)",
                        plane == .gateway ? nil : "http://127.0.0.1:\(metrics)"
                    )
                )
            } catch {
                let said = String(decoding: FileManager.default.contents(atPath: output) ?? Data(), as: UTF8.self)
                result = .failure(TestFailure("\(error)\n\(said.suffix(3_000))"))
            }
            for process in processes.reversed() { process.signal(SIGTERM) }
            try await offThread { [processes] in for process in processes { process.wait() } }
            try result.get()
        }
        let result: Result<Void, any Error>
        do {
            if plane == .kubernetes {
                try await withCluster(plan, folder, gateway: "http://127.0.0.1:\(port)", perform)
            } else {
                try await perform(rest)
            }
            result = .success(())
        } catch {
            result = .failure(error)
        }
        try await server?.stop()
        await legacy.close()
        await candidate.close()
        try result.get()
    }

    /// An API server with the plan's HTTPRoute, a controller that has the folder's Envoy follow it, and a Prometheus that scrapes that Envoy.
    ///
    /// - Parameter body: is given what `migrate kubernetes` has to know of all that.
    private func withCluster(
        _ plan: String,
        _ folder: String,
        gateway: String,
        _ body: ([String]) async throws -> Void
    ) async throws {
        let own = ["--namespace", "shop", "--folder", folder + "/cluster"]
        let configured = try Program.run(
            ["route", "config", "kubernetes", plan, "--environment", "p", "--gateway", "web"] + own,
            database: TestDatabase.conninfo
        )
        #expect(configured.code == 0, "\(configured.text)")
        func url(_ name: String) -> URL { URL(fileURLWithPath: "\(folder)/\(name)") }
        // A Prometheus cannot ask at a socket in a folder.
        let admin = try freePort()
        let bootstrap = try JSONValue(parsing: Array(Data(contentsOf: url("envoy.json"))))
        let address: JSONValue = ["socket_address": ["address": "127.0.0.1", "port_value": .int(admin)]]
        let open = try #require(bootstrap.setting(JSONPointer(["admin", "address"]), to: address))
        try Data(open.bytes).write(to: url("envoy.json"))
        try Data("a token of the cluster\n".utf8).write(to: url("token"))
        let manifest = try JSONValue(parsing: Array(Data(contentsOf: url("cluster/httproute.json"))))
        let api = TestClusterAPI(manifest, routes: url("routes.json"))
        let server = try await TestUpstream(.says { api.answer($0) })
        let result: Result<Void, any Error>
        do {
            try await TestPrometheus.run(scraping: "127.0.0.1:\(admin)", path: "/stats/prometheus") { prometheus in
                try await api.controlled {
                    try await body(
                        own + [
                            "--gateway-url", gateway, "--server", "http://127.0.0.1:\(server.port)", "--token",
                            url("token").path, "--prometheus", prometheus, "--counter",
                            #"envoy_cluster_{implementation}_upstream_rq{envoy_cluster_name="{rule}"}"#, "--code",
                            "envoy_response_code",
                        ]
                    )
                }
            }
            result = .success(())
        } catch {
            result = .failure(error)
        }
        await server.close()
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
            url,
            metrics in
            try await load.keepUp(url, watching: plane.keepsUsers) {
                try await eventually("the migration to complete") { try phase() == "completed" }
            }
            guard let metrics else { return }
            let answer = try await HTTPClient.shared.execute(
                HTTPClientRequest(url: "\(metrics)/metrics"),
                timeout: .seconds(2)
            )
            let text = String(buffer: try await answer.body.collect(upTo: 1 << 20))
            #expect(text.contains(/migrate_weight_ratio\{[^}]*service="a"\} 1\.0/), "\(text)")
            #expect(text.contains(/migrate_plane_up\{[^}]*\} 1/), "\(text)")
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
        try await onStage(plane, try await TestUpstream(.answers("legacy")), candidate) { url, _ in
            try await load.keepUp(url) {
                try await eventually("the rollback to be acknowledged") {
                    try run("status", "shop", "--format", "json").text.contains(#""acknowledgedAt""#)
                        && ["rollingBack", "rolledBack"].contains(try phase())
                }
                let (sent, answered) = (candidate.requests, load.answered)
                #expect(sent > 0)
                try await eventually("the rollback to be confirmed") { try phase() == "rolledBack" }
                #expect(load.answered > answered)
                #expect(candidate.requests == sent)
            }
        }
        #expect(load.failed == 0 || !plane.isGentle)
        #expect(try run("replay", "shop").code == 0)
    }
}
