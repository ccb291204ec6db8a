import AsyncHTTPClient
import DataPlanes
import Foundation
import Gateway
import JSON
import Logging
import MigrationCore
import NIOCore
import NIOHTTP1
import Routing
import Signals
import TestSupport
import Testing

@Suite("Envoy", .serialized)
struct EnvoyTests {
    private func weight(_ basisPoints: Int) -> Weight { SamplePlan.weight(basisPoints) }

    /// An Envoy before two upstreams that name themselves.
    private func staged(
        _ candidate: TestUpstream.Behaviour = .answers("candidate"),
        asks: Bool = false,
        _ body: (TestEnvoy, TestRoutes, _ candidate: TestUpstream) async throws -> Void
    ) async throws {
        let legacy = try await TestUpstream(.answers("legacy"))
        let other = try await TestUpstream(candidate)
        let envoy = try await TestEnvoy(TestRoutes.plan(legacy: legacy.port, candidate: other.port), asks: asks)
        defer { envoy.remove() }
        try await body(envoy, TestRoutes(), other)
        await legacy.close()
        await other.close()
    }

    @Test("serves legacy until it is told, and then by the gateway’s own buckets, to the bit")
    func buckets() async throws {
        try await staged { envoy, routes, _ in
            try await envoy.run {
                #expect(try await SteadyLoad.side(envoy.url, user: "u1") == "legacy")
                try await envoy.follow(routes) {
                    for (revision, basisPoints) in [0, 37, 1_000, 5_000, 9_990, 10_000].enumerated() {
                        routes.route(TestRoutes.table(Int64(revision + 1), weight(basisPoints)))
                        try await eventually("revision \(revision + 1)") {
                            routes.acknowledged.contains(Int64(revision + 1))
                        }
                        for number in 0..<200 {
                            let user = "user-\(number)"
                            let expected = Bucket.implementation(
                                Bucket.of(user, migration: "m"),
                                weight: weight(basisPoints)
                            )
                            let side = try await SteadyLoad.side(envoy.url, user: user)
                            #expect(side == expected.rawValue, "\(user) at \(basisPoints)")
                        }
                    }
                }
            }
        }
    }

    @Test(
        "deals 4 000 users as the gateway does: each stands where he stands by a weight just below and one just above his own"
    )
    func bits() async throws {
        let legacy = try await TestUpstream(.answers("legacy")),
            candidate = try await TestUpstream(.answers("candidate"))
        var plan = TestRoutes.plan(legacy: legacy.port, candidate: candidate.port)
        // A hundred weights at once: 0.5 %, 1.5 % …
        let service = plan.services[0], weights = (0..<100).map { 50 + $0 * 100 }
        plan.services = weights.map { weight in
            var other = service
            (other.name, other.path) = ("w\(weight)", "/w\(weight)")
            return other
        }
        var table = TestRoutes.table(1, .zero)
        table.weights = Dictionary(uniqueKeysWithValues: weights.map { ("w\($0)", weight($0)) })
        let envoy = try await TestEnvoy(plan)
        defer { envoy.remove() }
        try await envoy.run {
            _ = try await envoy.adapter.apply(table)
            let url = envoy.url
            let wrong = try await withThrowingTaskGroup(of: [String].self) { group in
                for client in 0..<8 {
                    group.addTask {
                        var wrong: [String] = []
                        for number in stride(from: client, to: 4_000, by: 8) {
                            let user = "user-\(number)", least = Dealing.gateway.least("m:\(user)").rawValue
                            let asked = [
                                (weights.last { $0 < least }, "legacy"), (weights.first { $0 >= least }, "candidate"),
                            ]
                            for case (let weight?, let expected) in asked {
                                let side = try await SteadyLoad.side(url, user: user, path: "/w\(weight)")
                                if side != expected { wrong.append("\(user), from \(least) on, at \(weight): \(side)") }
                            }
                        }
                        return wrong
                    }
                }
                return try await group.reduce(into: []) { $0 += $1 }
            }
            #expect(wrong.isEmpty, "\(wrong.prefix(5))")
        }
        await legacy.close()
        await candidate.close()
    }

    @Test(
        "switched twenty times under load, no request fails, and none is sent to the candidate after 0 is acknowledged"
    )
    func switching() async throws {
        try await staged { envoy, routes, candidate in
            try await envoy.run {
                try await envoy.follow(routes) {
                    try await envoy.checkSwitching(routes, candidate)
                }
            }
        }
    }

    @Test(
        "restarted it serves what it was told last; told while it was away, it begins with that; what it did meanwhile is missing"
    )
    func restarted() async throws {
        try await staged { envoy, routes, _ in
            try await envoy.follow(routes) {
                try await envoy.run {
                    routes.route(TestRoutes.table(7, .all))
                    try await eventually("revision 7") { routes.acknowledged == [7] }
                    try await routes.untilMeasuring()
                }
                let last = try #require(routes.signals.last?.k)
                // A rollback that it does not hear: nobody acknowledges it, and it finds it when it starts.
                routes.route(TestRoutes.table(8, .zero))
                let adapter = envoy.adapter
                try await eventually("the file to be written") {
                    String(
                        decoding: FileManager.default.contents(atPath: envoy.folder.routes.path) ?? Data(),
                        as: UTF8.self
                    )
                    .contains("\"8:log:h8:10000\"")
                }
                #expect(routes.acknowledged == [7])
                try await envoy.run {
                    #expect(try await adapter.read().revision == 8)
                    #expect(try await SteadyLoad.side(envoy.url, user: "u") == "legacy")
                    routes.route(TestRoutes.table(8, .zero))
                    try await eventually("revision 8") { routes.acknowledged.contains(8) }
                    try await eventually("whole windows again") { (routes.signals.last?.k ?? 0) > last + 3 }
                }
                let windows = routes.signals.map(\.k)
                #expect(windows.count < Int(windows[windows.count - 1] - windows[0]) + 1, "\(windows)")
            }
        }
    }

    @Test("what its requests did is measured: how many, on which side, how they ended, how long they took")
    func measured() async throws {
        let answers: @Sendable (String) -> String = { request in
            if request.contains("x-user-id: slow") { return "" }
            if request.contains("x-user-id: bad") {
                return "HTTP/1.1 500 No\r\ncontent-length: 9\r\n\r\ncandidate"
            }
            return "HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\ncandidate"
        }
        try await staged(.says(answers)) { envoy, routes, _ in
            try await envoy.run {
                try await envoy.follow(routes) {
                    try await routes.untilMeasuring()
                    for user in ["a", "b", "b"] {
                        #expect(try await SteadyLoad.side(envoy.url, user: user) == "legacy")
                    }
                    routes.route(TestRoutes.table(1, .all))
                    try await eventually("revision 1") { routes.acknowledged == [1] }
                    for user in ["a", "bad", "slow", nil] { _ = try await SteadyLoad.side(envoy.url, user: user) }
                    func total(_ implementation: Implementation) -> Counts {
                        routes.signals.reduce(Counts()) { $0 + $1.services[0][implementation] }
                    }
                    try await eventually("all to be measured") {
                        total(.legacy).requests == 3 && total(.candidate).requests == 4
                            && total(.candidate).latency.count == 4
                    }
                    let (legacy, candidate) = (total(.legacy), total(.candidate))
                    #expect((legacy.errors, legacy.timeouts, legacy.latency.count) == (0, 0, 3))
                    #expect((candidate.errors, candidate.timeouts) == (1, 1))
                    #expect(candidate.latency.buckets.last?.micros == 700_000)
                    #expect((candidate.users, candidate.cacheHits, candidate.cacheMisses) == (0, 0, 0))
                    #expect(legacy.probesUp > 0)
                }
            }
        }
    }

    @Test(
        "killed during a rollback it comes to legacy by itself, and the candidate hears of nobody once that is acknowledged"
    )
    func killed() async throws {
        try await staged { envoy, routes, candidate in
            try await envoy.checkKilledDuringRollback(routes, candidate) { body in try await envoy.run(body) }
        }
    }

    @Test(
        "a request that was sent to the candidate before and still waits for its connection there is waited for before 0 is acknowledged"
    )
    func pending() async throws {
        try await TestEnvoy.checkPending { plan, crowd in
            let envoy = try await TestEnvoy(plan)
            defer { envoy.remove() }
            return try await envoy.run { try await envoy.checkPending(crowd) }
        }
    }

    @Test(
        "restarted hot during a rollback, 0 is acknowledged only when the one before, which nobody can ask, has no clients any more"
    )
    func restartedHot() async throws {
        try await staged { envoy, _, candidate in
            try await envoy.runRestartable { restart in
                _ = try await envoy.adapter.apply(TestRoutes.table(1, .all))
                // A client of the first one, that stays.
                let socket = try RawSocket(envoy.port)
                func ask() async throws -> String {
                    try await offThread {
                        socket.send("GET /a HTTP/1.1\r\nhost: x\r\nx-user-id: u\r\n\r\n")
                        return try socket.answer()
                    }
                }
                #expect(try await ask().contains("candidate"))
                try await restart()
                let error = await #expect(throws: RoutingError.self) {
                    try await envoy.adapter.apply(TestRoutes.table(2, .zero))
                }
                #expect(error?.message.contains("has 1 connections") == true, "\(error?.message ?? "")")
                // It sees the same file, and serves by it; only nobody can know.
                #expect(try await ask().contains("legacy"))
                socket.end()
                let begun = ContinuousClock.now
                #expect(try await envoy.adapter.apply(TestRoutes.table(2, .zero)).revision == 2)
                print(
                    "Envoy, restarted hot, had a rollback acknowledged, once the last client of the one before had gone, after",
                    ContinuousClock.now - begun
                )
                let sent = candidate.requests
                for user in 0..<20 { #expect(try await SteadyLoad.side(envoy.url, user: "u\(user)") == "legacy") }
                #expect(candidate.requests == sent)
            }
        }
    }

    @Test("what was told before, put back behind everybody’s back, is told away again by itself")
    func overwritten() async throws {
        try await staged { envoy, routes, _ in
            try await envoy.run {
                let file = envoy.folder.routes
                var old = Data()
                try await envoy.checkOverwritten(routes) {
                    old = try Data(contentsOf: file)
                } restore: {
                    try old.write(to: file, options: .atomic)
                }
            }
        }
    }

    @Test(
        "started by the program for that, begins with what is wanted where somebody is there who tells it, and else at legacy"
    )
    func begunAnew() async throws {
        try await staged { envoy, routes, _ in
            try await envoy.checkBegunAnew(routes, envoy.folder.routes) { body in try await envoy.runAnew(body) }
        }
    }

    @Test(
        "of a table that takes one service back and sends another on, the first is told alone where nobody knows whose its configuration is"
    )
    func mixed() async throws {
        try await TestEnvoy.checkMixed { plan, body in
            let envoy = try await TestEnvoy(plan)
            defer { envoy.remove() }
            try await envoy.run { try await body(envoy) }
        }
    }

    @Test("acknowledges and measures nothing for a plan that its configuration was not written for")
    func foreign() async throws {
        try await staged { envoy, _, _ in
            try await envoy.run {
                try await envoy.checkForeign()
                var other = envoy.plan
                other.services[0].timeout = .milliseconds(800)
                let clock = envoy.plan.clock
                func windows(_ plan: Plan) async throws -> any PlaneWindows {
                    let windows = try await envoy.plane.windows(
                        plan,
                        meter: Meter(services: 1, clock: clock),
                        client: .shared
                    )
                    await windows.begin()
                    return windows
                }
                let (own, foreign) = (try await windows(envoy.plan), try await windows(other))
                var measured = 0, k = clock.index(of: SystemClock.now)
                try await eventually("three windows") {
                    k += 1
                    while SystemClock.now < clock.start(of: k) { try await Task.sleep(for: .milliseconds(5)) }
                    measured += await own.take(from: k - 1, before: k)?.count ?? 0
                    #expect(await foreign.take(from: k - 1, before: k) == nil)
                    return measured >= 3
                }
            }
        }
        try await staged { envoy, _, _ in
            try envoy.rewrite(envoy.folder.configuration) { text in
                text.replacing("\"migrate-\(PlanMark(envoy.plan).text)\"", with: "\"migrate\"")
            }
            try await envoy.run { try await envoy.checkForeign(isMarked: false) }
        }
    }

    @Test("refuses an older revision, another commit at the same one, and another log's, unless that came of it")
    func fenced() async throws {
        try await staged { envoy, _, _ in
            try await envoy.run { try await envoy.checkFence() }
        }
    }

    // MARK: - One that asks

    @Test("one that asks for its routes is switched twenty times under load as well")
    func discovered() async throws {
        try await staged(asks: true) { envoy, routes, candidate in
            try await envoy.discovered {
                try await envoy.run {
                    #expect(try await SteadyLoad.side(envoy.url, user: "u1") == "legacy")
                    try await envoy.follow(routes) { try await envoy.checkSwitching(routes, candidate) }
                }
            }
        }
    }

    @Test(
        "one that asks serves nobody until it is answered; it goes on while nobody answers, and has what was told last when somebody does again"
    )
    func undiscovered() async throws {
        try await staged(asks: true) { envoy, _, _ in
            let adapter = envoy.adapter
            try await envoy.run(serves: false) {
                try await eventually("Envoy to be up") {
                    (try? await HTTPClient.shared.get(url: envoy.folder.elsewhere.map { "\($0.url)/ready" } ?? "").get())
                        != nil
                }
                await #expect(throws: (any Error).self) { try await SteadyLoad.side(envoy.url, user: "u") }
                try await envoy.discovered {
                    try await eventually("Envoy to serve") { (try? await adapter.read()) != nil }
                    #expect(try await SteadyLoad.side(envoy.url, user: "u") == "legacy")
                    #expect(try await adapter.apply(TestRoutes.table(7, .all)).revision == 7)
                    #expect(try await SteadyLoad.side(envoy.url, user: "u") == "candidate")
                }
                #expect(try await SteadyLoad.side(envoy.url, user: "u") == "candidate")
                // Nobody can tell it, so nobody acknowledges; what was to be told is what it hears next.
                await #expect(throws: RoutingError.self) { try await adapter.apply(TestRoutes.table(8, .zero)) }
                #expect(try await SteadyLoad.side(envoy.url, user: "u") == "candidate")
                try await envoy.discovered {
                    try await eventually("revision 8") { try await adapter.read().revision == 8 }
                    #expect(try await SteadyLoad.side(envoy.url, user: "u") == "legacy")
                }
            }
        }
    }

    @Test("one that asks, killed during a rollback, comes to legacy by itself as well")
    func discoveredAndKilled() async throws {
        try await staged(asks: true) { envoy, routes, candidate in
            try await envoy.discovered {
                try await envoy.checkKilledDuringRollback(routes, candidate) { body in try await envoy.run(body) }
            }
        }
    }

    @Test("one that refuses what it is told says why, and is not told again at once")
    func refused() async throws {
        try await staged(asks: true) { envoy, _, _ in
            // It does not know the candidate.
            let text = String(decoding: try Data(contentsOf: envoy.folder.configuration), as: UTF8.self)
            try Data(text.replacing("\"0.candidate\"", with: "\"another\"").utf8).write(to: envoy.folder.configuration)
            try await envoy.discovered {
                try await envoy.run(serves: false) {
                    try await eventually("Envoy to refuse") {
                        do throws(RoutingError) {
                            _ = try await envoy.adapter.apply(TestRoutes.table(1, .zero))
                            return false
                        } catch { return error.message.contains("refuses") }
                    }
                    let (_, before) = try await envoy.updates()
                    try await Task.sleep(for: .seconds(2))
                    let (accepted, after) = try await envoy.updates()
                    #expect(accepted == 0 && after - before <= 4, "\(after - before) times in two seconds")
                }
            }
        }
    }

    /// Asks whoever gives Envoys their routes as one does.
    private static func ask(_ address: Address, has version: String, _ name: String = "migrate") async throws
        -> (status: UInt, text: String)
    {
        var request = HTTPClientRequest(url: "\(address.url)/v3/discovery:routes")
        request.method = .POST
        let question: JSONValue = ["version_info": .string(version), "resource_names": [.string(name)]]
        request.body = .bytes(question.bytes)
        let response = try await HTTPClient.shared.execute(request, timeout: .seconds(5))
        return (response.status.code, String(buffer: try await response.body.collect(upTo: 1 << 20)))
    }

    /// Runs who gives an Envoy its routes, while the body asks as that Envoy would.
    private static func discovered(
        _ envoy: TestEnvoy,
        hold: Duration,
        _ body: @Sendable (Address, EnvoyAdapter) async throws -> Void
    ) async throws {
        let address = Address(host: "127.0.0.1", port: try freePort())
        var logger = Logger(label: "discovery")
        logger.logLevel = .critical
        let discovery = try EnvoyDiscovery(folder: envoy.folder, listen: address, hold: hold, logger: logger)
        let adapter = EnvoyAdapter(router: "e", plan: envoy.plan, folder: envoy.folder, discovery: discovery)
        try await running(discovery) {
            try await eventually("somebody to answer") { (try? await ask(address, has: "")) != nil }
            try await body(address, adapter)
        }
    }

    @Test("a question is answered by 304 when there was nothing else for a while, and only for these routes")
    func held() async throws {
        try await staged(asks: true) { envoy, _, _ in
            try await Self.discovered(envoy, hold: .milliseconds(300)) { address, _ in
                let first = try await Self.ask(address, has: "")
                #expect(first.status == 200)
                let version = try #require(try JSONValue(parsing: first.text)["version_info"]?.string)
                #expect(version == "0:-:-:10000")
                let begun = ContinuousClock.now
                #expect(try await Self.ask(address, has: version).status == 304)
                #expect(ContinuousClock.now - begun >= .milliseconds(300))
                #expect(try await Self.ask(address, has: version, "other").status == 404)
                // Who has a later one is not sent back.
                #expect(try await Self.ask(address, has: "9:log:h9:10000").status == 304)
            }
        }
    }

    @Test("a question that is held is answered as soon as there are others")
    func woken() async throws {
        try await staged(asks: true) { envoy, _, _ in
            // Whoever asks has less patience than that.
            try await Self.discovered(envoy, hold: .seconds(60)) { address, adapter in
                async let asked = Self.ask(address, has: "0:-:-:10000")
                // No Envoy takes it; but whoever asks is given it. More than there is nobody is told whom nobody sees.
                await #expect(throws: RoutingError.self) { try await adapter.apply(TestRoutes.table(4, .all)) }
                async let told = try? adapter.apply(TestRoutes.table(5, .zero))
                let answer = try await asked
                #expect(answer.status == 200 && answer.text.contains("\"5:log:h5:10000\""))
                _ = await told
                #expect(try await Self.ask(address, has: "9:elsewhere:h9:10000").status == 200)
            }
        }
    }

    @Test("takes the configuration of any plan, with whatever its paths have in them")
    func configured() async throws {
        let plan = TestRoutes.oddPlan()
        let envoy = try await TestEnvoy(plan)
        defer { envoy.remove() }
        #expect(try envoy.check() == 0)
        let adapter = envoy.adapter
        let route = try await envoy.run { try await adapter.read() }
        #expect(route.isUntold)
    }

    @Test(
        "reaches an implementation over TLS where it shows a trusted certificate for its name or address, and else sends it nothing",
        arguments: SecureUpstream.allCases,
        ["localhost", "127.0.0.1"]
    )
    func secure(_ upstream: SecureUpstream, host: String) async throws {
        try await upstream.staged(host: host) { plan, trust, candidate in
            let envoy = try await TestEnvoy(plan, trust: trust)
            defer { envoy.remove() }
            try await envoy.run { try await upstream.check(envoy, trust: trust, candidate) }
        }
    }
}
