import AsyncHTTPClient
import DataPlanes
import Foundation
import MigrationCore
import NIOCore
import NIOHTTP1
import Routing
import Signals
import TestSupport
import Testing

@Suite("HAProxy", .serialized)
struct HAProxyTests {
    private func side(_ url: String, user: String?) async throws -> String {
        try await SteadyLoad.side(url, user: user)
    }

    private func weight(_ basisPoints: Int) -> Weight { SamplePlan.weight(basisPoints) }

    /// A HAProxy before two upstreams that name themselves.
    private func staged(
        _ candidate: TestUpstream.Behaviour = .answers("candidate"),
        timeout: TimeSpan = .milliseconds(700),
        _ body: (TestHAProxy, TestRoutes, _ legacy: TestUpstream, _ candidate: TestUpstream) async throws -> Void
    ) async throws {
        let legacy = try await TestUpstream(.answers("legacy"))
        let other = try await TestUpstream(candidate)
        let haproxy = try await TestHAProxy(
            TestRoutes.plan(legacy: legacy.port, candidate: other.port, timeout: timeout)
        )
        defer { haproxy.remove() }
        try await body(haproxy, TestRoutes(), legacy, other)
        await legacy.close()
        await other.close()
    }

    @Test(
        "serves legacy until it is told, and then by the buckets of the documented formula, which only grow with the weight"
    )
    func buckets() async throws {
        try await staged { haproxy, routes, _, _ in
            try await haproxy.run {
                #expect(try await side(haproxy.url, user: "u1") == "legacy")
                #expect(try await side(haproxy.url, user: nil) == "legacy")
                try await haproxy.follow(routes) {
                    var before: Set<String> = []
                    let weights = [0] + Array(stride(from: 37, through: 10_000, by: 370)) + [10_000]
                    for (revision, basisPoints) in weights.enumerated() {
                        routes.route(TestRoutes.table(Int64(revision + 1), weight(basisPoints)))
                        try await eventually("revision \(revision + 1)") {
                            routes.acknowledged.contains(Int64(revision + 1))
                        }
                        var there: Set<String> = []
                        for number in 0..<200 {
                            let user = "user-\(number)"
                            let side = try await side(haproxy.url, user: user)
                            let expected = Dealing.haproxy.implementation("m:\(user)", weight: weight(basisPoints))
                            #expect(side == expected.rawValue, "\(user)")
                            if side == "candidate" { there.insert(user) }
                        }
                        #expect(there.isSuperset(of: before))
                        before = there
                    }
                    #expect(before.count == 200)
                }
            }
        }
    }

    @Test(
        "switched twenty times under load, no request fails, and none is sent to the candidate after 0 is acknowledged"
    )
    func switching() async throws {
        try await staged { haproxy, routes, _, candidate in
            try await haproxy.run {
                try await haproxy.follow(routes) {
                    try await haproxy.checkSwitching(routes, candidate)
                }
            }
        }
    }

    @Test("what somebody else tells its follower is counted for nobody, and the window is missing")
    func strangers() async throws {
        try await staged { haproxy, routes, _, _ in
            try await haproxy.run {
                try await haproxy.follow(routes) {
                    try await routes.untilMeasuring()
                    // What HAProxy says of itself is no request.
                    let quiet = try #require(routes.signals.last).k
                    try await haproxy.tell("Proxy migrate stopped (cumulated conns: FE: 1, BE: 0).")
                    try await eventually("windows after that") { (routes.signals.last?.k ?? 0) > quiet + 4 }
                    let before = try #require(routes.signals.last).k
                    #expect(Set(routes.signals.map(\.k)).isSuperset(of: quiet...before))
                    // By a configuration of another plan, or an earlier release's.
                    for line in ["0.candidate 200 -- 5 - {}", "0123456789abcdef 0.candidate 200 -- 5 - {}"] {
                        try await haproxy.tell(line)
                    }
                    try await eventually("windows after it") { (routes.signals.last?.k ?? 0) > before + 6 }
                    let last = try #require(routes.signals.last).k, seen = Set(routes.signals.map(\.k))
                    #expect((before + 1...last).contains { !seen.contains($0) })
                    #expect(routes.signals.allSatisfy { $0.services[0].candidate.requests == 0 })
                }
            }
        }
    }

    @Test("a data plane that knows more than the log says so, whether that offers less or nothing: the log lost it")
    func knowsMore() async throws {
        try await staged { haproxy, routes, _, _ in
            try await haproxy.run {
                try await haproxy.follow(routes) {
                    routes.route(TestRoutes.table(9, .all))
                    try await eventually("revision 9") { routes.acknowledged.contains(9) }
                }
                for offer in [nil, TestRoutes.table(8, .zero)] {
                    let again = TestRoutes()
                    try await haproxy.follow(again) {
                        if let offer { again.route(offer) }
                        try await eventually("its word") { again.acknowledged.contains(9) }
                        #expect(!again.acknowledged.contains(8))
                        #expect(try await side(haproxy.url, user: "u1") == "candidate")
                    }
                }
            }
        }
    }

    @Test("restarted it has forgotten and serves legacy, is told again by itself, and what it did meanwhile is missing")
    func restarted() async throws {
        try await staged { haproxy, routes, _, _ in
            try await haproxy.follow(routes) {
                try await haproxy.run {
                    routes.route(TestRoutes.table(7, .all))
                    try await eventually("revision 7") { routes.acknowledged == [7] }
                    #expect(try await side(haproxy.url, user: "u") == "candidate")
                    try await routes.untilMeasuring()
                }
                let last = try #require(routes.signals.last?.k)
                try await haproxy.run {
                    // Nobody routes anew: the keeper sees it for itself.
                    let begun = ContinuousClock.now
                    try await eventually("the route to be back") {
                        try await side(haproxy.url, user: "u") == "candidate"
                    }
                    print("HAProxy was told again after", ContinuousClock.now - begun)
                    try await eventually("whole windows again") { (routes.signals.last?.k ?? 0) > last + 3 }
                }
                let windows = routes.signals.map(\.k)
                #expect(windows.count < Int(windows[windows.count - 1] - windows[0]) + 1, "\(windows)")
            }
        }
    }

    @Test(
        "what its requests did is measured: how many, on which side, how they ended, how long they took, whose, by which cache"
    )
    func measured() async throws {
        try await staged(.says(TestHAProxy.measuredAnswer)) { haproxy, routes, _, _ in
            try await haproxy.run {
                try await haproxy.follow(routes) {
                    let nowhere = try await HTTPClient.shared.execute(
                        HTTPClientRequest(url: haproxy.url + "/none"),
                        timeout: .seconds(5)
                    )
                    #expect(nowhere.status == .notFound)
                    try await haproxy.checkMeasured(routes)
                }
            }
        }
    }

    @Test(
        "killed during a rollback it comes to legacy by itself, and the candidate hears of nobody once that is acknowledged"
    )
    func killed() async throws {
        try await staged { haproxy, routes, _, candidate in
            try await haproxy.checkKilledDuringRollback(routes, candidate) { body in try await haproxy.run(body) }
        }
    }

    @Test("reloaded during a rollback it is at legacy when that is acknowledged, and so are its processes from before")
    func reloaded() async throws {
        // A process from before a reload is there as long as a request may take.
        try await staged(timeout: .seconds(10)) { haproxy, routes, _, candidate in
            try await haproxy.runReloadable { reload in
                try await haproxy.follow(routes) {
                    routes.route(TestRoutes.table(1, .all))
                    try await eventually("revision 1") { routes.acknowledged.contains(1) }
                    #expect(try await side(haproxy.url, user: "u") == "candidate")
                    // What the process from before has accepted stays with it: a request whose end is still to come, and one that has not begun.
                    let half = try RawSocket(haproxy.port), silent = try RawSocket(haproxy.port)
                    half.send("GET /a HTTP/1.1\r\nhost: x\r\nx-user-id: u\r\n")
                    // Connections are accepted in their order.
                    _ = try RawSocket.exchange(haproxy.port, "GET /a HTTP/1.1\r\nhost: x\r\nx-user-id: u\r\n\r\n")
                    try await reload()
                    let begun = ContinuousClock.now
                    routes.route(TestRoutes.table(2, .zero))
                    try await eventually("revision 2") { routes.acknowledged.contains(2) }
                    print("HAProxy, reloaded during a rollback, had it acknowledged after", ContinuousClock.now - begun)
                    let before = candidate.requests
                    half.send("\r\n")
                    silent.send("GET /a HTTP/1.1\r\nhost: x\r\nx-user-id: u\r\n\r\n")
                    #expect(try half.answer().hasSuffix("legacy bare"))
                    #expect(try silent.answer().hasSuffix("legacy bare"))
                    #expect(candidate.requests == before)
                    // And the new one is told again by itself, as after a start.
                    routes.route(TestRoutes.table(3, .all))
                    try await eventually("revision 3") { routes.acknowledged.contains(3) }
                    try await reload()
                    let again = ContinuousClock.now
                    try await eventually("the route to be back") {
                        try await side(haproxy.url, user: "u") == "candidate"
                    }
                    print("HAProxy, reloaded, was told again after", ContinuousClock.now - again)
                }
            }
        }
    }

    @Test(
        "a request that was sent to the candidate before and still waits for its connection there is waited for before 0 is acknowledged",
        arguments: [false, true]
    )
    func pending(isReloaded: Bool) async throws {
        try await TestHAProxy.checkPending(timeout: .seconds(10)) { plan, crowd in
            let haproxy = try await TestHAProxy(plan)
            defer { haproxy.remove() }
            guard isReloaded else { return try await haproxy.run { try await haproxy.checkPending(crowd) } }
            // The process from before has the request, and the one that is asked has none.
            return try await haproxy.runReloadable { reload in
                try await haproxy.checkPending(crowd) { try await reload() }
            }
        }
    }

    @Test("what was told before, put back behind everybody’s back, is told away again by itself")
    func overwritten() async throws {
        try await staged { haproxy, routes, _, _ in
            try await haproxy.run {
                let socket = RuntimeSocket(haproxy.folder.socket), map = haproxy.folder.map.path
                var old = ""
                try await haproxy.checkOverwritten(routes) {
                    old = try await haproxy.plane.adapter(router: "h", plan: haproxy.plan).read().text
                } restore: {
                    _ = try await socket.ask("set map \(map) \(HAProxyAdapter.key) \(old)")
                }
            }
        }
    }

    @Test(
        "of a table that takes one service back and sends another on, the first is told alone where nobody knows whose its configuration is"
    )
    func mixed() async throws {
        try await TestHAProxy.checkMixed { plan, body in
            let haproxy = try await TestHAProxy(plan)
            defer { haproxy.remove() }
            try await haproxy.run { try await body(haproxy) }
        }
    }

    @Test("refuses an older revision, another commit at the same one, and another log's, unless that came of it")
    func fenced() async throws {
        try await staged { haproxy, _, _, _ in
            try await haproxy.run { try await haproxy.checkFence() }
            let adapter = HAProxyAdapter(router: "h", plan: haproxy.plan, folder: haproxy.folder)
            let error = await #expect(throws: RoutingError.self) { try await adapter.current() }
            #expect(error?.code == .unreachable)
        }
    }

    @Test("a candidate whose name nobody resolves keeps it from nothing but that candidate")
    func unresolved() async throws {
        let legacy = try await TestUpstream(.answers("legacy"))
        let plan = TestRoutes.unresolvedPlan(legacy: legacy.port)
        let haproxy = try await TestHAProxy(plan)
        defer { haproxy.remove() }
        try await haproxy.run { () async throws in
            #expect(try await SteadyLoad.side(haproxy.url, user: "u") == "legacy")
            let adapter = haproxy.plane.adapter(router: "r", plan: plan)
            #expect(try await adapter.apply(TestRoutes.table(1, .all)).revision == 1)
            #expect((try? await SteadyLoad.side(haproxy.url, user: "u")) != "legacy")
            #expect(try await adapter.apply(TestRoutes.table(2, .zero)).revision == 2)
            #expect(try await SteadyLoad.side(haproxy.url, user: "u") == "legacy")
        }
        await legacy.close()
    }

    @Test("acknowledges nothing for a plan that its configuration was not written for")
    func foreign() async throws {
        try await staged { haproxy, _, _, _ in try await haproxy.run { try await haproxy.checkForeign() } }
        try await staged { haproxy, _, _, _ in
            try haproxy.rewrite(haproxy.folder.configuration) { text in
                text.split(separator: "\n").filter { !$0.hasPrefix("    description ") }.joined(separator: "\n") + "\n"
            }
            try await haproxy.run { try await haproxy.checkForeign(isMarked: false) }
        }
    }

    @Test("takes the configuration of any plan, with whatever its paths have in them")
    func configured() async throws {
        let plan = TestRoutes.oddPlan()
        let haproxy = try await TestHAProxy(plan)
        defer { haproxy.remove() }
        #expect(try haproxy.check() == 0)
        var odd = [plan, plan, plan]
        odd[0].stickyBy = [.header(name: "x'y")]
        odd[1].services[0].candidate = "https://127.0.0.1:1"
        odd[2].services[0].fallsBack = true
        for plan in odd {
            let error = #expect(throws: RoutingError.self) {
                try HAProxyConfiguration(plan: plan, host: "127.0.0.1", port: 1, folder: haproxy.folder, logPort: 1)
            }
            #expect(error?.code == .unsuitable)
        }
    }

    @Test(
        "reaches an implementation over TLS where it shows a trusted certificate for its name, and else sends it nothing",
        arguments: SecureUpstream.allCases
    )
    func secure(_ upstream: SecureUpstream) async throws {
        try await upstream.staged { plan, trust, candidate in
            let haproxy = try await TestHAProxy(plan, trust: trust)
            defer { haproxy.remove() }
            try await haproxy.run { try await upstream.check(haproxy, trust: trust, candidate) }
        }
    }

    @Test("a route's text says all of it, and no other text is one")
    func routes() {
        let plan = SamplePlan.plan()
        var table = TestRoutes.table(12, weight(2_500))
        table.weights = ["b": weight(2_500)]
        let route = RouteText(table, plan)
        #expect(route.text == "12:log:h12:10000:7500")
        #expect(RouteText(route.text, services: 2) == route)
        #expect(RouteText.legacy(plan).text == "0:-:-:10000:10000")
        for text in ["", "12", "12:log:h12:10000", "x:log:h:1:1", "1:l:h:10001:1", "1:l:h:-1:1", "-1:l:h:1:1"] {
            #expect(RouteText(text, services: 2) == nil, "\(text)")
        }
    }

    @Test("a line of its log is a request of a side, or nothing")
    func lines() {
        let line = LoggedRequest(haproxy: "1.candidate 200 -- 21 -540113951373597238 {t; hit}")
        #expect(line?.service == 1 && line?.implementation == .candidate && line?.outcome == .answered)
        #expect(line?.latency == .milliseconds(21))
        #expect(line?.user == UInt64(bitPattern: -540_113_951_373_597_238))
        #expect(line?.cache == .hit)
        #expect(LoggedRequest(haproxy: "0.legacy 200 -- 9223372036854775807 - {}") == nil)
        // A line is of whom its mark says: of the same plan, and of no other.
        var plan = SamplePlan.plan()
        let mark = PlanMark(plan)
        #expect(mark.text.count == 16)
        #expect(mark.rest(of: "\(mark.text) 0.legacy 200") == "0.legacy 200")
        plan.services.swapAt(0, 1)
        for other in [PlanMark(SamplePlan.plan("other")), PlanMark(plan)] {
            #expect(other.text != mark.text)
            #expect(mark.rest(of: "\(other.text) 0.legacy 200") == nil)
        }
        #expect(mark.rest(of: "0.legacy 200") == nil && mark.rest(of: Substring(mark.text)) == nil)
        #expect(LoggedRequest(haproxy: "0.legacy 504 sH 700 - {}")?.outcome == .timedOut)
        #expect(LoggedRequest(haproxy: "0.legacy 503 SC 0 - {}")?.outcome == .failed)
        #expect(LoggedRequest(haproxy: "0.legacy 503 sC 2000 - {}")?.outcome == .failed)
        #expect(LoggedRequest(haproxy: "0.legacy 200 SD 5 - {}")?.outcome == .failed)
        #expect(LoggedRequest(haproxy: "0.legacy 502 SH 5 - {}")?.outcome == .failed)
        #expect(LoggedRequest(haproxy: "0.legacy -1 SD 5 - {}")?.outcome == .failed)
        #expect(LoggedRequest(haproxy: "0.legacy 504 -- 9 - {}")?.outcome == .timedOut)
        #expect(LoggedRequest(haproxy: "0.legacy 200 -- 9 - {}")?.user == nil)
        for text in [
            "", "none 404 LR 0 1 {}", "0.legacy 200 CD 9 1 {}", "0.legacy 200 cD 9 1 {}", "0.x 200 -- 9 1", "a b c d e",
        ] {
            #expect(LoggedRequest(haproxy: text) == nil, "\(text)")
        }
        #expect(XXHash32.hash("") == 0x02CC_5D05)
        #expect(XXHash32.hash("Nobody inspects the spammish repetition") == 0xE229_3B2F)
    }

    @Test("its follower says what is in force, what was measured, and when HAProxy cannot be asked any more, why")
    func admin() async throws {
        try await staged { haproxy, routes, _, _ in
            let admin = Address(host: "127.0.0.1", port: try freePort())
            @Sendable func ask(_ path: String) async throws -> (UInt, String) {
                let request = HTTPClientRequest(url: "\(admin.url)\(path)")
                let answer = try await HTTPClient.shared.execute(request, timeout: .seconds(2))
                return (answer.status.code, String(buffer: try await answer.body.collect(upTo: 1 << 20)))
            }
            try await haproxy.follow(routes, admin: admin) {
                // What nobody has seen yet is not well.
                try await eventually("it to answer") { (try? await ask("/health")) != nil }
                #expect(try await ask("/health").0 == 503)
                let before = try await ask("/metrics").1
                #expect(before.contains(#"migrate_plane_up{environment="production",migration="m",router="r"} 0"#))
                #expect(!before.contains("migrate_route_revision{"))
                try await haproxy.run {
                    try await routes.untilMeasuring()
                    routes.route(TestRoutes.table(1, weight(10_000)))
                    try await eventually("revision 1") { routes.acknowledged == [1] }
                    for _ in 0..<5 { #expect(try await side(haproxy.url, user: "u") == "candidate") }
                    try await eventually("all to be told") {
                        let (status, text) = try await ask("/metrics")
                        let own = #"environment="production",implementation="candidate",migration="m",router="r""#
                        return status == 200 && text.hasSuffix("# EOF\n")
                            && text.contains("migrate_requests_total{\(own),service=\"a\"} 5\n")
                            && text.contains(
                                #"migrate_route_revision{environment="production",migration="m",router="r"} 1"#
                            )
                            && text.contains(#"migrate_plane_up{environment="production",migration="m",router="r"} 1"#)
                    }
                    let (status, text) = try await ask("/health")
                    #expect(status == 200 && text == "ok\n")
                }
                try await eventually("it to be missed") {
                    let (status, text) = try await ask("/health")
                    return status == 503 && text.contains("HAProxy")
                }
                let metrics = try await ask("/metrics").1
                #expect(metrics.contains(#"migrate_plane_up{environment="production",migration="m",router="r"} 0"#))
                #expect(metrics.contains(#"reason="unreachable""#))
            }
        }
    }
}
