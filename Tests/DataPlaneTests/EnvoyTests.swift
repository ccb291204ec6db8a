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

@Suite("Envoy", .serialized)
struct EnvoyTests {
    private func weight(_ basisPoints: Int) -> Weight { SamplePlan.weight(basisPoints) }

    /// An Envoy before two upstreams that name themselves.
    private func staged(
        _ candidate: TestUpstream.Behaviour = .answers("candidate"),
        _ body: (TestEnvoy, TestRoutes, _ candidate: TestUpstream) async throws -> Void
    ) async throws {
        let legacy = try await TestUpstream(.answers("legacy"))
        let other = try await TestUpstream(candidate)
        let envoy = try await TestEnvoy(TestRoutes.plan(legacy: legacy.port, candidate: other.port))
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
                        for number in 0..<700 {
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
                let adapter = EnvoyAdapter(router: "e", plan: envoy.plan, folder: envoy.folder)
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

    @Test("refuses an older revision, another commit at the same one, and another log's, unless that came of it")
    func fenced() async throws {
        try await staged { envoy, _, _ in
            try await envoy.run { try await envoy.checkFence() }
        }
    }

    @Test("takes the configuration of any plan, with whatever its paths have in them")
    func configured() async throws {
        let plan = TestRoutes.oddPlan()
        let envoy = try await TestEnvoy(plan)
        defer { envoy.remove() }
        #expect(try envoy.check() == 0)
        let adapter = EnvoyAdapter(router: "e", plan: plan, folder: envoy.folder)
        let route = try await envoy.run { try await adapter.read() }
        #expect(route.isUntold)
    }
}
