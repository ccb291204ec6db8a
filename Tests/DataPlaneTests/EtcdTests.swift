import DataPlanes
import Foundation
import MigrationCore
import Postgres
import Routing
import Signals
import TestSupport
import Testing

@Suite("etcd, and a service that resolves its peers by it", .serialized)
struct EtcdTests {
    /// A resolver's place before two upstreams that name themselves, and an etcd.
    private func staged(
        _ candidate: TestUpstream.Behaviour = .answers("candidate"),
        _ body: (TestEtcd, TestRoutes, _ candidate: TestUpstream, _ server: TestEtcdServer) async throws -> Void
    ) async throws {
        let legacy = try await TestUpstream(.answers("legacy"))
        let other = try await TestUpstream(candidate)
        let server = try await TestEtcdServer()
        let result: Result<Void, any Error>
        do {
            let etcd = try await TestEtcd(
                TestRoutes.plan(legacy: legacy.port, candidate: other.port),
                endpoint: server.endpoint
            )
            defer { etcd.remove() }
            result = .success(try await body(etcd, TestRoutes(), other, server))
        } catch {
            result = .failure(error)
        }
        try await server.stop()
        await legacy.close()
        await other.close()
        try result.get()
    }

    @Test("serves legacy until it is told, and then by the gateway's own buckets")
    func buckets() async throws {
        try await staged { etcd, routes, _, _ in
            try await etcd.run {
                #expect(try await SteadyLoad.side(etcd.url, user: "u1") == "legacy")
                #expect(try await SteadyLoad.side(etcd.url, user: nil) == "legacy")
                try await etcd.follow(routes) {
                    for (revision, basisPoints) in [0, 37, 3_300, 9_990, 10_000].enumerated() {
                        let weight = SamplePlan.weight(basisPoints)
                        routes.route(TestRoutes.table(Int64(revision + 1), weight))
                        try await eventually("revision \(revision + 1)") {
                            routes.acknowledged.contains(Int64(revision + 1))
                        }
                        for number in 0..<100 {
                            let expected = Bucket.implementation(
                                Bucket.of("user-\(number)", migration: "m"),
                                weight: weight
                            )
                            let side = try await SteadyLoad.side(etcd.url, user: "user-\(number)")
                            #expect(side == expected.rawValue)
                        }
                    }
                }
            }
        }
    }

    @Test(
        "switched twenty times under load, no request fails, and none is sent to the candidate after 0 is acknowledged"
    )
    func switching() async throws {
        try await staged { etcd, routes, candidate, _ in
            try await etcd.run { try await etcd.follow(routes) { try await etcd.checkSwitching(routes, candidate) } }
        }
    }

    @Test(
        "what its requests did is measured: how many, on which side, how they ended, how long they took, whose, by which cache"
    )
    func measured() async throws {
        try await staged(.says(TestEtcd.measuredAnswer)) { etcd, routes, _, _ in
            try await etcd.run { try await etcd.follow(routes) { try await etcd.checkMeasured(routes) } }
        }
    }

    @Test(
        "killed during a rollback it comes to legacy by itself, and the candidate hears of nobody once that is acknowledged"
    )
    func killed() async throws {
        try await staged { etcd, routes, candidate, _ in
            try await etcd.checkKilledDuringRollback(routes, candidate) { body in try await etcd.run(body) }
        }
    }

    @Test(
        "its server killed during a rollback, resolvers come to legacy by themselves; once the server is back that is acknowledged, and the candidate hears of nobody"
    )
    func serverKilled() async throws {
        try await staged { etcd, routes, candidate, server in
            let load = SteadyLoad()
            routes.count { candidate.requests }
            try await etcd.run {
                try await etcd.follow(routes) {
                    try await load.keepUp(etcd.url) {
                        routes.route(TestRoutes.table(1, .all))
                        try await eventually("revision 1") { routes.acknowledged.contains(1) }
                        try await eventually("requests to the candidate") { candidate.requests > 5 }
                        routes.route(TestRoutes.table(2, .zero))
                        try await server.kill()
                        let begun = ContinuousClock.now
                        try await eventually(within: 20, "the resolver to decide for legacy") {
                            try await SteadyLoad.side(etcd.url, user: "u") == "legacy"
                        }
                        print("without etcd a resolver was back at legacy after", ContinuousClock.now - begun)
                        try await server.start()
                        try await eventually("revision 2") {
                            routes.insist(on: TestRoutes.table(2, .zero))
                            return routes.acknowledged.contains(2)
                        }
                        print("with etcd that was acknowledged after", ContinuousClock.now - begun)
                        let answered = load.answered
                        try await eventually("more requests") { load.answered > answered + 40 }
                        #expect(candidate.requests == routes.counted(at: 2))
                    }
                }
            }
            #expect(load.failed == 0)
        }
    }

    @Test(
        "refuses an older revision, another commit at the same one, and another log's, unless that came of it; without etcd nothing is claimed"
    )
    func fenced() async throws {
        try await staged { etcd, _, _, server in
            try await etcd.run { try await etcd.checkFence() }
            try await server.stop()
            let error = await #expect(throws: RoutingError.self) { try await etcd.adapter.current() }
            #expect(error?.code == .unreachable && error?.message.contains(server.endpoint) ?? false)
        }
    }

    @Test(
        "a route is acknowledged when every resolver has it: none is no one's word, and one that hangs holds it until its lease is over"
    )
    func everybody() async throws {
        try await staged { etcd, _, candidate, _ in
            let alone = await #expect(throws: RoutingError.self) {
                try await etcd.adapter.apply(TestRoutes.table(1, .all))
            }
            #expect(alone?.message.contains("no resolver") ?? false)
            let port = try freePort()
            let (one, two) = (try await etcd.start(name: "one"), try await etcd.start(name: "two", port: port))
            #expect(try await etcd.adapter.apply(TestRoutes.table(2, .all)).revision == 2)
            #expect(try await SteadyLoad.side("http://127.0.0.1:\(port)", user: "u") == "candidate")
            two.signal(SIGSTOP)
            let late = await #expect(throws: RoutingError.self) {
                try await etcd.adapter.apply(TestRoutes.table(3, .zero))
            }
            #expect(late?.message.contains("revision 3: two") ?? false, "\(late?.message ?? "")")
            #expect(try await SteadyLoad.side(etcd.url, user: "u") == "legacy")
            let begun = ContinuousClock.now
            try await eventually("its lease to be over") {
                (try? await etcd.adapter.apply(TestRoutes.table(3, .zero)))?.revision == 3
            }
            print("a resolver that hung held a route for", ContinuousClock.now - begun)
            // Awake again it decides nothing by what it knew.
            let sent = candidate.requests
            two.signal(SIGCONT)
            for _ in 0..<20 {
                let side = try await SteadyLoad.side("http://127.0.0.1:\(port)", user: "u")
                #expect(side == "legacy")
            }
            #expect(candidate.requests == sent)
            for process in [one, two] {
                process.signal(SIGKILL)
                _ = try await offThread { process.wait() }
            }
        }
    }

    @Test("two that write at once: what the one has read is not written over, and the higher revision stays")
    func compared() async throws {
        try await staged { etcd, _, _, _ in
            try await etcd.run { try await etcd.checkCompared(rounds: 20) }
        }
    }

    @Test(
        "of a table that takes one service back and sends another on, the first is told alone where a resolver was not configured for the plan"
    )
    func mixed() async throws {
        let server = try await TestEtcdServer()
        let result: Result<Void, any Error>
        do {
            try await TestEtcd.checkMixed { plan, body in
                let etcd = try await TestEtcd(plan, endpoint: server.endpoint)
                defer { etcd.remove() }
                try await etcd.run { try await body(etcd) }
            }
            result = .success(())
        } catch {
            result = .failure(error)
        }
        try await server.stop()
        try result.get()
    }

    @Test("a resolver acknowledges nothing for a plan that it was not configured for")
    func foreign() async throws {
        try await staged { etcd, _, _, _ in try await etcd.run { try await etcd.checkForeign() } }
    }

    @Test("lines of another form say nothing")
    func lines() {
        let line = LoggedRequest(resolver: "1.candidate|200|answered|0.25|c; hit|ana|x")
        #expect(line?.service == 1 && line?.implementation == .candidate && line?.outcome == .answered)
        #expect(line?.latency == .milliseconds(250) && line?.cache == .hit)
        #expect(LoggedRequest(resolver: "0.legacy|503|answered|0.1||")?.outcome == .failed)
        #expect(LoggedRequest(resolver: "0.legacy|504|timed_out|0.1||")?.outcome == .timedOut)
        for text in [
            "", "0.legacy", "0.legacy|200|answered|-1||", "0.legacy|200|answered|nan||", "0.legacy|200|well|0.1||",
            "x.legacy|200|answered|0.1||", "-1.legacy|200|answered|0.1||", "0.other|200|answered|0.1||",
            "0.legacy|x|answered|0.1||", "0.legacy|200|answered|1e9||",
        ] { #expect(LoggedRequest(resolver: text) == nil, "\(text)") }
    }

    @Test("an etcd that asks who is there is told, again where it has forgotten; who may not is told so")
    func asked() async throws {
        let legacy = try await TestUpstream(.answers("legacy")),
            candidate = try await TestUpstream(.answers("candidate"))
        let server = try await TestEtcdServer()
        let plan = TestRoutes.plan(legacy: legacy.port, candidate: candidate.port)
        try await server.ask(for: ["teller": "say", "resolver": "who"], prefix: "/test")
        for (password, reason) in [(nil, "user name is empty"), ("wrong", "authentication failed")] {
            let etcd = try await TestEtcd(plan, endpoint: server.endpoint, password: password)
            let error = await #expect(throws: RoutingError.self) { try await etcd.adapter.read() }
            #expect(error?.message.contains(reason) ?? false, "\(String(describing: error))")
            #expect(error?.mend?.contains("--password-file") ?? false)
            etcd.remove()
        }
        let etcd = try await TestEtcd(plan, endpoint: server.endpoint, password: "say")
        let routes = TestRoutes()
        try await etcd.run {
            try await etcd.follow(routes) {
                routes.route(TestRoutes.table(1, .all))
                try await eventually("revision 1") { routes.acknowledged == [1] }
                #expect(try await SteadyLoad.side(etcd.url, user: "u") == "candidate")
                // Whatever changes at its users makes every token that it has given one of the past.
                try await server.change(["teller": "say", "resolver": "who"])
                routes.route(TestRoutes.table(2, .zero))
                try await eventually("revision 2") { routes.acknowledged == [1, 2] }
                #expect(try await SteadyLoad.side(etcd.url, user: "u") == "legacy")
            }
        }
        etcd.remove()
        try await server.stop()
        await legacy.close()
        await candidate.close()
    }
}
