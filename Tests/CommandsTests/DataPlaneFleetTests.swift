import Foundation
import MigrationCore
import Postgres
import Routing
import TestSupport
import Testing

/// Several routers of one environment, by the programs that people run.
@Suite("A fleet of data planes", .serialized, .database)
struct DataPlaneFleetTests {
    private func run(_ arguments: String...) throws -> Program.Result {
        try Program.run(arguments, database: TestDatabase.conninfo)
    }

    private func phase() throws -> String {
        let text = try run("status", "fleet", "--format", "json").text
        return text.firstMatch(of: /"phase" : "([a-zA-Z]+)"/).map { String($0.1) } ?? ""
    }

    /// - Parameter routers: what the plan says of those that are away.
    private static func text(_ legacy: Int, _ candidate: Int, routers: String) -> String {
        """
        migration: fleet
        services:
          a: { legacy: "http://127.0.0.1:\(legacy)", candidate: "http://127.0.0.1:\(candidate)", timeout: 2s }
        sticky_by: [header:x-user-id]
        window: 500ms
        stages:
          - { name: p, environment: p, steps: [50%, 100%], bake: 1s, approval: { before: 100%, by: 1 } }
        criteria: [error_rate < 5%]
        rollback: [error_rate > 10% for 1s]
        watch: 1s
        expires: 1d
        \(routers)

        """
    }

    /// The routers of an environment: two of each kind.
    private static let routers = ["e1", "e2", "g1", "g2", "h1", "h2"]

    /// What carries a router's requests, and what tells it where to send them; a gateway is both.
    private struct Router {
        var url: String
        var processes: [ChildProcess]
    }

    /// - Parameter isFull: whether no file can be written, as on a full disk.
    private func migrate(_ arguments: [String], _ output: String, isFull: Bool = false) throws -> ChildProcess {
        var environment = ProcessInfo.processInfo.environment
        environment["MIGRATE_DATABASE_URL"] = try TestDatabase.conninfo
        var command = [Program.path("migrate")] + arguments
        if isFull {
            let script = "trap '' XFSZ; ulimit -f 0; exec \"$@\" > /dev/null 2>&1"
            command = ["/bin/sh", "-c", script, "sh"] + command
        }
        return try ChildProcess(command[0], Array(command[1...]), environment: environment, output: output)
    }

    /// What of a router runs already when it is started.
    private struct Rest {
        var carrier: ChildProcess?
        var teller: ChildProcess?
        /// Whether the disk of the program that tells it is full.
        var isFull = false
    }

    /// Starts a router, in the folder that it had before if it was there.
    ///
    /// - Parameters:
    ///   - ports: where it takes its clients, and where it asks for its routes, if it is one that asks.
    private func start(
        _ name: String,
        _ ports: (clients: Int, questions: Int),
        _ plan: String,
        _ rest: Rest
    ) throws -> Router {
        let port = ports.clients
        let folder = URL(fileURLWithPath: plan).deletingLastPathComponent().path
        func follow(_ kind: String, _ arguments: [String]) throws -> ChildProcess {
            let place = ["--migration", "fleet", "--environment", "p", "--name", name]
            return try migrate([kind] + place + arguments, folder + "/output", isFull: rest.isFull)
        }
        let listen = ["--listen", "127.0.0.1:\(port)"], own = "\(folder)/\(name)"
        func carrier(_ program: String, _ arguments: [String]) throws -> ChildProcess {
            try ChildProcess(program, arguments, output: "\(folder)/output-\(name)")
        }
        func configure(_ kind: String, _ rest: [String]) throws {
            guard !FileManager.default.fileExists(atPath: own) else { return }
            let written = try Program.run(
                ["route", "config", kind, plan, "--environment", "p", "--folder", own] + listen + rest,
                database: TestDatabase.conninfo
            )
            guard written.code == 0 else { throw TestFailure(written.text) }
        }
        let limits = ["--concurrency", "2", "--log-level", "warning", "--disable-hot-restart"]
        let processes: [ChildProcess]
        switch name.first {
        case "g": processes = [try follow("gateway", listen + ["--state", own + ".json"])]
        case "h":
            // The log comes by UDP, which has ports of its own.
            let log = ["--log-port", "\(port)"]
            try configure("haproxy", log)
            processes = [
                try carrier("/usr/sbin/haproxy", ["-db", "-f", own + "/haproxy.cfg"]),
                try rest.teller ?? follow("haproxy", ["--folder", own] + log),
            ]
        case "d":
            let discovery = ["--discovery", "127.0.0.1:\(ports.questions)"]
            try configure("envoy", discovery)
            processes = [
                try rest.carrier ?? carrier(TestPeers.envoy(), ["-c", own + "/envoy.json"] + limits),
                try follow("envoy", ["--folder", own] + discovery),
            ]
        default:
            try configure("envoy", [])
            let envoy = "ENVOY=\(try TestPeers.envoy())"
            processes = [
                try carrier("/usr/bin/env", [envoy, own + "/start"] + limits),
                try rest.teller ?? follow("envoy", ["--folder", own]),
            ]
        }
        return Router(url: "http://127.0.0.1:\(port)", processes: processes)
    }

    /// Ends a program hard.
    private func kill(_ process: ChildProcess) async throws {
        process.signal(SIGKILL)
        _ = try await offThread { process.wait() }
    }

    /// What the log says of the migration's routers, in its order: the kind of each event, and whose it is.
    private func events() async throws -> [(type: String, router: String)] {
        let connection = try await PostgresConnection(TestDatabase.conninfo, name: "test")
        let events = try await connection.run { connection in
            try connection.query(
                """
                select type, coalesce(data ->> 'router', '') as router from migrate.event where stream = 'fleet'
                and type in ('stepEntered', 'stepAcknowledged', 'routerRetired', 'routerAcknowledged')
                order by version, number
                """
            ).rows.map { (type: try $0.text("type"), router: try $0.text("router")) }
        }
        await connection.close()
        return events
    }

    @Test(
        "two gateways, two HAProxies and two Envoys: a step waits for all of them, those that are away are named and evicted, and who comes back serves by what is in force then"
    )
    func fleet() async throws {
        try await staged(Self.routers, "routers: { away: 12s, then: evict }") { fleet, _, begin in
            try await play(&fleet, begin)
        }
    }

    private typealias Begin = (_ name: String, _ rest: Rest) throws -> Router

    /// Routers, a worker and a migration that is planned, while the body runs.
    private func staged(
        _ names: [String],
        _ routers: String = "",
        _ body: (inout [String: Router], _ candidate: TestUpstream, _ begin: Begin) async throws -> Void
    ) async throws {
        let legacy = try await TestUpstream(.answers("legacy")),
            candidate = try await TestUpstream(.answers("candidate"))
        let plan = try Program.file(Self.text(legacy.port, candidate.port, routers: routers), "fleet.yaml")
        let folder = URL(fileURLWithPath: plan).deletingLastPathComponent().path
        #expect(try run("db", "install").code == 0)
        #expect(try run("create", plan).code == 0)
        var ports: [String: (Int, Int)] = [:]
        for name in names { ports[name] = (try freePort(), try freePort()) }
        let begin = { name, rest in try start(name, ports[name] ?? (0, 0), plan, rest) }
        var fleet: [String: Router] = [:]
        let result: Result<Void, any Error>
        var worker: ChildProcess?
        do {
            for name in names { fleet[name] = try begin(name, Rest()) }
            worker = try migrate(["worker", "--name", "w"], folder + "/output")
            result = .success(try await body(&fleet, candidate, begin))
        } catch {
            let said = String(
                decoding: FileManager.default.contents(atPath: folder + "/output") ?? Data(),
                as: UTF8.self
            )
            let history = (try? run("history", "fleet").text) ?? ""
            result = .failure(TestFailure("\(error)\n\(history.suffix(3_000))\n\(said.suffix(3_000))"))
        }
        let processes = fleet.values.flatMap { $0.processes.reversed() } + (worker.map { [$0] } ?? [])
        for process in processes { process.signal(SIGTERM) }
        try await offThread { for process in processes { process.wait() } }
        await legacy.close()
        await candidate.close()
        try result.get()
    }

    @Test(
        "a gateway that is killed before it has heard of a rollback is at legacy when it accepts again, and that is acknowledged"
    )
    func killed() async throws {
        try await staged(["g1"]) { fleet, candidate, begin in
            let url = try #require(fleet["g1"]?.url), gateway = try #require(fleet["g1"]?.processes.first)
            try await eventually(within: 30, "the gateway to be registered") {
                try await events().contains { $0.type == "routerAcknowledged" }
            }
            #expect(try run("start", "fleet").code == 0)
            try await eventually("the step to be acknowledged") {
                try await events().contains { $0.type == "stepAcknowledged" }
            }
            let load = SteadyLoad(clients: 2)
            try await load.keepUp(url) {
                try await eventually("requests to the candidate") { candidate.requests > 20 }
            }
            // It hears of nothing any more.
            gateway.signal(SIGSTOP)
            #expect(try run("rollback", "fleet", "--actor", "ana", "--reason", "test").code == 0)
            try await kill(gateway)
            try await candidate.catchUp()
            let before = candidate.requests
            #expect(try phase() == "rollingBack")
            let begun = ContinuousClock.now
            fleet["g1"] = try begin("g1", Rest())
            try await eventually("it to accept again") { (try? await SteadyLoad.side(url, user: "u")) != nil }
            try await load.keepUp(url) {
                try await eventually("the rollback to be acknowledged") { try phase() != "rollingBack" }
                print("a gateway that was killed had a rollback acknowledged after", ContinuousClock.now - begun)
                let answered = load.answered
                try await eventually("more requests") { load.answered > answered + 40 }
            }
            #expect(candidate.requests == before)
            #expect(load.failed == 0)
        }
    }

    @Test(
        "a router that is away holds the step where the plan does not evict it, however long that takes, and is named; who retires it lets the step go on"
    )
    func held() async throws {
        try await staged(["g1", "g2"]) { fleet, _, _ in
            try await eventually(within: 30, "both to be registered") {
                let events = try await events()
                return Set(events.filter { $0.type == "routerAcknowledged" }.map(\.router)) == ["g1", "g2"]
            }
            for process in fleet["g2"]?.processes ?? [] { try await kill(process) }
            #expect(try run("start", "fleet").code == 0)
            // Longer than the least that an eviction may wait for.
            try await eventually(within: 30, "it to be named") {
                let drift = try run("route", "drift", "fleet", "--silent-for", "7s")
                return drift.code == 1 && drift.text.contains("g2")
            }
            #expect(try run("status", "fleet").text.contains("g2"))
            #expect(try await !events().contains { ["stepAcknowledged", "routerRetired"].contains($0.type) })
            let retired = try run("retire-router", "fleet", "g2", "--actor", "ana", "--reason", "gone")
            #expect(retired.code == 0, "\(retired.text)")
            try await eventually("the step to go on") {
                try await events().contains { $0.type == "stepAcknowledged" }
            }
        }
    }

    @Test(
        "an Envoy that asks is given a rollback although the disk of who tells it is full; that is confirmed once it can be kept"
    )
    func full() async throws {
        try await staged(["d1"]) { fleet, candidate, begin in
            let url = try #require(fleet["d1"]?.url), envoy = try #require(fleet["d1"]?.processes.first)
            try await eventually(within: 30, "it to be registered") {
                try await events().contains { $0.type == "routerAcknowledged" }
            }
            #expect(try run("start", "fleet").code == 0)
            let moved = try #require(
                (0..<100).map { "user-\($0)" }.first { Bucket.of($0, migration: "fleet") >= 5_000 }
            )
            try await eventually("the step to be acknowledged") {
                try await events().contains { $0.type == "stepAcknowledged" }
            }
            #expect(try await SteadyLoad.side(url, user: moved) == "candidate")
            func replace(_ isFull: Bool) async throws {
                if let teller = fleet["d1"]?.processes.last { try await kill(teller) }
                fleet["d1"] = try begin("d1", Rest(carrier: envoy, isFull: isFull))
            }
            try await replace(true)
            #expect(try run("rollback", "fleet", "--actor", "ana", "--reason", "test").code == 0)
            try await eventually("the rollback to be in force") {
                try await SteadyLoad.side(url, user: moved) == "legacy"
            }
            #expect(try phase() == "rollingBack")
            try await candidate.catchUp()
            let before = candidate.requests
            try await replace(false)
            try await eventually("the rollback to be confirmed") { try phase() == "rolledBack" }
            #expect(try await SteadyLoad.side(url, user: moved) == "legacy")
            #expect(candidate.requests == before)
        }
    }

    @Test(
        "an Envoy that asks serves legacy although who tells it has never reached the database, and hears of it once that is there"
    )
    func neverReached() async throws {
        let legacy = try await TestUpstream(.answers("legacy"))
        let plan = try Program.file(Self.text(legacy.port, 1, routers: ""), "fleet.yaml")
        let folder = URL(fileURLWithPath: plan).deletingLastPathComponent().path
        let (port, questions) = (try freePort(), try freePort())
        let discovery = ["--folder", folder + "/d1", "--discovery", "127.0.0.1:\(questions)"]
        let written = try Program.run(
            ["route", "config", "envoy", plan, "--environment", "p", "--listen", "127.0.0.1:\(port)"] + discovery
        )
        #expect(written.code == 0, "\(written.text)")
        #expect(try run("db", "install").code == 0)
        #expect(try run("create", plan).code == 0)
        let there = try TestDatabase.conninfo
        let sockets = try #require(there.firstMatch(of: /host='([^']*)'/).map { String($0.1) })
        let place = ["envoy", "--migration", "fleet", "--environment", "p", "--name", "d1"] + discovery
        // What will not pass is not waited for.
        let refused = try Program.run(place, database: "host='\(sockets)' user=migrate dbname=nowhere")
        #expect(refused.code != 0 && refused.text.contains("does not exist"), "\(refused.text)")
        var environment = ProcessInfo.processInfo.environment
        environment["MIGRATE_DATABASE_URL"] = there.replacing("'\(sockets)'", with: "'\(folder)/nowhere'")
        let envoy = try ChildProcess(
            TestPeers.envoy(),
            ["-c", folder + "/d1/envoy.json", "--concurrency", "2", "--log-level", "warning", "--disable-hot-restart"],
            output: folder + "/output-envoy"
        )
        let teller = try ChildProcess(
            Program.path("migrate"),
            place,
            environment: environment,
            output: folder + "/output-teller"
        )
        let result: Result<Void, any Error>
        do {
            func said(_ text: String) -> Bool {
                (try? String(contentsOfFile: folder + "/output-teller", encoding: .utf8))?.contains(text) ?? false
            }
            func expectLegacy(_ what: String, _ condition: () -> Bool) async throws {
                try await eventually(within: 30, what) {
                    if let code = teller.poll() { throw TestFailure("it ended with \(code)") }
                    guard condition() else { return false }
                    return (try? await SteadyLoad.side("http://127.0.0.1:\(port)", user: "u")) == "legacy"
                }
            }
            try await expectLegacy("Envoy to serve legacy") { said("the database is away") }
            #expect(!said("tells Envoy who goes where"))
            try FileManager.default.createSymbolicLink(atPath: folder + "/nowhere", withDestinationPath: sockets)
            try await expectLegacy("it to hear of the log") { said("tells Envoy who goes where") }
            try await eventually(within: 30, "its router to be known") {
                try run("route", "show", "fleet").text.contains("d1")
            }
            result = .success(())
        } catch {
            result = .failure(error)
        }
        for process in [envoy, teller] { process.signal(SIGTERM) }
        #expect(try await offThread { teller.wait() } == 0)
        _ = try await offThread { envoy.wait() }
        await legacy.close()
        try result.get()
    }

    private func play(_ fleet: inout [String: Router], _ begin: Begin) async throws {
        try await eventually(within: 30, "six routers") {
            let text = try run("route", "show", "fleet").text
            return Self.routers.allSatisfy { text.contains($0) } && !text.contains("not waited for")
        }
        // A gateway that is gone, and an Envoy that is gone without the program beside it.
        for process in fleet["g2"]?.processes ?? [] { try await kill(process) }
        if let envoy = fleet["e2"]?.processes.first { try await kill(envoy) }
        let loads = Dictionary(uniqueKeysWithValues: Self.routers.map { ($0, SteadyLoad(clients: 2)) })
        func underLoad(_ names: ArraySlice<String>, _ body: () async throws -> Void) async throws {
            guard let name = names.first, let load = loads[name], let url = fleet[name]?.url else {
                return try await body()
            }
            try await load.keepUp(url) { try await underLoad(names.dropFirst(), body) }
        }
        // One whom the first step moves.
        let moved = try #require((0..<100).map { "user-\($0)" }.first { Bucket.of($0, migration: "fleet") >= 5_000 })
        var back: [String: Router] = [:]
        try await underLoad(["g1", "h1", "h2", "e1"]) {
            #expect(try run("start", "fleet").code == 0)
            try await eventually(within: 30, "those that are away to be named") {
                let drift = try run("route", "drift", "fleet", "--silent-for", "2s")
                return drift.code == 1 && drift.text.contains("g2") && drift.text.contains("e2")
            }
            #expect(try await !events().contains { $0.type == "stepAcknowledged" })
            try await eventually("the step to go on without them") {
                try await events().contains { $0.type == "stepAcknowledged" }
            }
            let first = try await events()
            let step = try #require(first.firstIndex { $0.type == "stepAcknowledged" })
            #expect(Set(first[..<step].filter { $0.type == "routerRetired" }.map(\.router)) == ["e2", "g2"])
            #expect(try run("history", "fleet").text.contains("the plan evicts it"))
            // They come back with what they had before; the first that they serve goes by what is in force now.
            for name in ["g2", "e2"] {
                let router = try begin(name, Rest(teller: name == "e2" ? fleet[name]?.processes.last : nil))
                back[name] = router
                var side: String?
                try await eventually(within: 30, "\(name) to serve") {
                    side = try? await SteadyLoad.side(router.url, user: moved)
                    return side != nil
                }
                #expect(side == "candidate", "\(name)")
            }
            try await eventually(within: 30, "them to have what is asked") {
                let text = try run("route", "show", "fleet").text
                return text.contains(/e2 +revision [0-9]/) && text.contains(/g2 +revision [0-9]/)
                    && !text.contains("NOT what is asked") && !text.contains("not waited for")
            }
            for (name, router) in back { fleet[name] = router }
            try await underLoad(["g2", "e2"]) {
                let approved = try run("approve", "fleet", "--stage", "p", "--step", "100%", "--actor", "ana")
                #expect(approved.code == 0, "\(approved.text)")
                try await eventually("the migration to complete") { try phase() == "completed" }
            }
        }
        for (name, load) in loads {
            #expect(load.failed == 0, "\(name)")
            #expect(load.answered > 0, "\(name)")
        }
        // The last step went on when all six had it, no earlier.
        let last = try await events()
        let entered = try #require(last.lastIndex { $0.type == "stepEntered" })
        let step = try #require(last.lastIndex { $0.type == "stepAcknowledged" })
        #expect(Set(last[entered..<step].filter { $0.type == "routerAcknowledged" }.map(\.router)) == Set(Self.routers))
        #expect(try run("replay", "fleet").code == 0)
    }
}
