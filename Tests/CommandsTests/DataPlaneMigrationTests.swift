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

        /// How many requests may fail: none, but each reload of nginx ends connections that its nine clients are just using.
        func brokenOff(reloads: Int) -> Int { self == .nginx ? 9 * reloads : 0 }
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
    ///   - sources: the plan's sources, by all of which it judges then, and one by which it rolls back; nil is by what routers count.
    ///   - isCompared: whether it is answers that it judges, all of which are compared.
    private static func text(
        _ plane: Plane,
        _ legacy: String,
        _ candidate: String,
        sources: (text: String, trigger: String)? = nil,
        isCompared: Bool = false
    ) -> String {
        let isQuick = plane.measuresLatency && sources == nil
        let counted = "error_rate < 5%, timeout_rate < 5%\(plane.measuresLatency ? ", latency.p95 < 1s" : "")"
        // Those who wait for it come back often enough for each window to have some.
        let timeout = sources?.trigger == "a_timeouts" ? "400ms" : "2s"
        let judged = sources.map { sources in
            sources.text.matches(of: /(?m)^  (\w+):/).map { "\($0.output.1) < 5%" }.joined(separator: ", ")
        }
        let criteria = isCompared ? "difference < 5% (minimum 5)" : judged ?? counted
        let trigger =
            isCompared ? "difference > 20% for 1s (minimum 5)" : "\(sources?.trigger ?? "error_rate") > 10% for 1s"
        return """
            migration: shop
            services:
              a: { legacy: "\(legacy)", candidate: "\(candidate)", timeout: \(timeout)\(isCompared ? ", shadow: 100%" : "") }
              b: { legacy: "\(legacy)", candidate: "\(candidate)", timeout: \(timeout) }
            sticky_by: [header:x-user-id]
            window: \(isQuick ? "500ms" : "1s")
            stages: [{ name: p, environment: p, steps: [10%, 50%, 100%], bake: \(isQuick ? "1500ms" : "3s") }]
            criteria: [\(criteria)]
            rollback: [\(trigger)]
            \(sources?.text ?? "")
            watch: 2s
            expires: 1d

            """
    }

    private func run(_ arguments: String...) throws -> Program.Result {
        try Program.run(arguments, database: TestDatabase.conninfo)
    }

    /// What `migrate signals queries` prints for a plan.
    private func queries(_ plane: Plane, _ plan: String, prometheus: String) throws -> String {
        let file = try Program.file(plan, "shop.yaml")
        let printed = try run("signals", "queries", plane.rawValue, file, "--prometheus", prometheus)
        #expect(printed.code == 0, "\(printed.text)")
        return printed.text
    }

    private func phase() throws -> String {
        let text = try run("status", "shop", "--format", "json").text
        let found = text.firstMatch(of: /"phase" : "([a-zA-Z]+)"/)
        return found.map { String($0.1) } ?? ""
    }

    /// A data plane, what tells it, and a worker, with a migration that was started.
    ///
    /// - Parameters:
    ///   - scraped: the Prometheus by whose ready queries the migration is judged, the one by which it rolls back, and the port at which the data plane is scraped.
    ///   - isCompared: whether it is judged by answers, all of which are compared.
    private func onStage(
        _ plane: Plane,
        _ legacy: TestUpstream,
        _ candidate: TestUpstream,
        scraped: (by: String, trigger: String, port: Int)? = nil,
        isCompared: Bool = false,
        _ body: (_ url: String, _ metrics: String?) async throws -> Void
    ) async throws {
        let (old, new) = ("http://127.0.0.1:\(legacy.port)", "http://127.0.0.1:\(candidate.port)")
        let sources = try scraped.map {
            (text: try queries(plane, Self.text(plane, old, new), prometheus: $0.by), trigger: $0.trigger)
        }
        func text(_ legacy: String, _ candidate: String) -> String {
            Self.text(plane, legacy, candidate, sources: sources, isCompared: isCompared)
        }
        // An Envoy stands for the Gateway, and has the addresses of the cluster's services.
        let wiring = try Program.file(text(old, new), "shop.yaml")
        let plan =
            plane == .kubernetes
            ? try Program.file(text("http://old.shop.svc:8080", "http://new.shop.svc:8080"), "shop.yaml") : wiring
        let folder = URL(fileURLWithPath: plan).deletingLastPathComponent().appendingPathComponent(plane.rawValue).path
        let (port, logPort, metrics) = (try freePort(), try freePort(), try freePort())
        #expect(try run("db", "install").code == 0)
        let created = try run("create", plan)
        #expect(created.code == 0, "\(created.text)")
        let server = plane == .etcd ? try await TestEtcdServer() : nil
        var log = [.haproxy, .nginx, .etcd].contains(plane) ? ["--log-port", "\(logPort)"] : []
        if let server { log += ["--endpoint", server.endpoint] }
        let place = ["--listen", "127.0.0.1:\(port)"]
        if plane != .gateway {
            let configured = try Program.run(
                ["route", "config", plane == .kubernetes ? "envoy" : plane.rawValue, wiring, "--environment", "p"]
                    + (plane == .etcd ? [] : place) + ["--folder", folder] + log
                    + (scraped.map { ["--scrape", "127.0.0.1:\($0.port)"] } ?? []),
                database: TestDatabase.conninfo
            )
            #expect(configured.code == 0, "\(configured.text)")
        }
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        var own = place + ["--state", folder + "/state.json"]
        // Where it is scraped it goes on asking whoever is late, or most of what is counted would be what it did not send.
        if let scraped { own += ["--admin", "127.0.0.1:\(scraped.port)", "--breaker", "0"] }
        let rest = plane == .gateway ? own : ["--folder", folder] + log
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
                            "envoy_response_code", "--connect-timeout", "100ms",
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
        #expect(load.failed <= plane.brokenOff(reloads: 10))
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
        #expect(load.failed <= plane.brokenOff(reloads: 10))
        #expect(try run("replay", "shop").code == 0)
    }

    @Test(
        "goes to 100 % where the candidate answers as legacy does, and is rolled back where it says something else",
        arguments: ["completed", "rolledBack"]
    )
    func compared(_ end: String) async throws {
        let load = SteadyLoad()
        try await onStage(
            .gateway,
            try await TestUpstream(.answers("legacy")),
            try await TestUpstream(.answers(end == "completed" ? "legacy" : "candidate")),
            isCompared: true
        ) { url, _ in
            try await load.keepUp(url) {
                try await eventually("the migration to end") { ["completed", "rolledBack"].contains(try phase()) }
            }
        }
        #expect(try phase() == end)
        #expect(load.failed == 0)
        #expect(try run("history", "shop").text.contains("difference > 20%") == (end == "rolledBack"))
        #expect(try run("replay", "shop").code == 0)
    }

    @Test(
        "rolls back by the ready queries, which a real Prometheus answers by what it has scraped",
        arguments: [
            (.gateway, "a_errors"), (.haproxy, "a_errors"), (.envoy, "a_errors"), (.gateway, "a_timeouts"),
            (.envoy, "a_timeouts"),
        ] as [(Plane, String)]
    )
    func scraped(_ plane: Plane, _ trigger: String) async throws {
        let fails = trigger == "a_errors"
        let answer: @Sendable (String) -> String = { request in
            let isHealthy = request.contains(" /health ")
            // Without an answer to the others it is late with all of them.
            return isHealthy || fails ? "HTTP/1.1 \(isHealthy ? 200 : 500) X\r\ncontent-length: 9\r\n\r\ncandidate" : ""
        }
        let load = SteadyLoad()
        let port = try freePort()
        let path = plane == .envoy ? "/stats/prometheus" : "/metrics"
        let labels = plane == .gateway ? [:] : ["migration": "shop", "environment": "p"]
        try await TestPrometheus.run(scraping: "127.0.0.1:\(port)", path: path, labels: labels) { prometheus in
            try await onStage(
                plane,
                try await TestUpstream(.answers("legacy")),
                try await TestUpstream(.says(answer)),
                scraped: (prometheus, trigger, port)
            ) { url, _ in
                try await load.keepUp(url) {
                    do {
                        try await eventually("the rollback to be confirmed") { try phase() == "rolledBack" }
                    } catch {
                        throw TestFailure("\(error): \(try await readings(trigger).suffix(5))")
                    }
                }
            }
        }
        let said = try await readings(trigger)
        let (candidate, legacy) = (said.compactMap(\.candidate), said.compactMap(\.legacy))
        // Where each request ended so, and where none did.
        #expect(candidate.contains { $0.of > 0 && $0.value == $0.of }, "\(said)")
        #expect(legacy.contains { $0.of > (fails ? 20 : 5) }, "\(said)")
        #expect(legacy.allSatisfy { $0.value == 0 }, "\(said)")
        #expect(load.failed == 0 || !fails)
        #expect(try run("replay", "shop").code == 0)
    }

    /// What a source said, window by window.
    private func readings(_ source: String) async throws -> [Reading] {
        let log = MigrationLog(pool: PostgresPool(try TestDatabase.conninfo, name: "test", limit: 2))
        let readings = try await log.rows("shop", after: 0).flatMap { row -> [Reading] in
            let commit = try CommitCodec.decode(row.body, version: row.version, actor: row.actor)
            guard case .sealWindow(let window) = commit.command else { return [] }
            return window.environments.compactMap { $0.readings?[source] }
        }
        await log.pool.close()
        return readings
    }

    @Test(
        "goes to everybody and back to nobody twenty times, as people say: the candidate hears of nobody once a 0 is acknowledged",
        arguments: Plane.allCases
    )
    func turns(_ plane: Plane) async throws {
        let candidate = try await TestUpstream(.answers("candidate"))
        let load = SteadyLoad()
        var late: [Int] = []
        try await onStage(plane, try await TestUpstream(.answers("legacy")), candidate) { url, _ in
            let log = MigrationLog(pool: PostgresPool(try TestDatabase.conninfo, name: "test", limit: 2))
            func set(_ weight: Weight) async throws {
                let command = Command.setWeight(weight: weight, service: nil, environment: nil, reason: "turn")
                let set = try #require(try await log.perform(command, on: "shop", by: "ana")).commit
                try #require(set.events.contains { if case .weightsSet = $0 { true } else { false } }, "\(set.events)")
                try await eventually("\(weight) to be acknowledged") {
                    try await log.load("shop").state.migration?.unacknowledged.isEmpty ?? false
                }
            }
            try await eventually("the first step") {
                try await log.load("shop").state.migration?.phase.step?.bake != nil
            }
            // So that it does not go on by itself meanwhile.
            _ = try await log.perform(.halt(reason: "turns"), on: "shop", by: "ana")
            try await load.keepUp(url) {
                for _ in 0..<20 {
                    let before = candidate.requests
                    try await set(.all)
                    try await eventually("requests to the candidate") { candidate.requests > before + 5 }
                    try await set(.zero)
                    try await candidate.catchUp()
                    let (sent, seen) = (candidate.requests, load.answered)
                    try await eventually("more requests") { load.answered > seen + 40 }
                    late.append(candidate.requests - sent)
                }
            }
            #expect(try #require(try await log.load("shop").state.migration).routers.count == 1)
            await log.pool.close()
        }
        #expect(late == Array(repeating: 0, count: 20))
        #expect(load.failed <= plane.brokenOff(reloads: 50))
        #expect(try run("replay", "shop").code == 0)
    }
}
