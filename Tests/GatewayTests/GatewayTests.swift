import AsyncHTTPClient
import Foundation
import Gateway
import MigrationCore
import NIOCore
import NIOHTTP1
import Routing
import TestSupport
import Testing

@Suite("The gateway")
struct GatewayTests {
    private let state = FileManager.default.temporaryDirectory.appendingPathComponent(
        "gateway-\(UUID().uuidString).json"
    )

    private func get(_ url: String, user: String = "u", body: [UInt8]? = nil) async throws -> (Int, String, HTTPHeaders)
    {
        var request = HTTPClientRequest(url: url)
        request.headers.add(name: "x-user-id", value: user)
        if let body {
            request.method = .POST
            request.body = .bytes(ByteBuffer(bytes: body))
        }
        let response = try await HTTPClient.shared.execute(request, timeout: .seconds(5))
        let bytes = try await response.body.collect(upTo: 1 << 20)
        return (Int(response.status.code), String(buffer: bytes), response.headers)
    }

    @Test("sends users where the weight says, says who answered, and keeps hop-by-hop headers to itself")
    func routes() async throws {
        let legacy = try await TestUpstream(.answers("old")), candidate = try await TestUpstream(.answers("new"))
        let gateway = TestGateway()
        let plan = TestGateway.plan(legacy: legacy.port, candidate: candidate.port)
        try await gateway.serve(plan, state: state, first: TestGateway.table(1, .zero)) { url in
            try await gateway.untilMeasuring()
            let (status, body, headers) = try await get(url + "/a")
            #expect(status == 200)
            #expect(body == "old forwarded")
            #expect(headers.first(name: "x-migrate-implementation") == "legacy")
            #expect(headers.first(name: "via") == "1.1 migrate")
            #expect(headers.first(name: "x-hop") == nil)
            gateway.route(TestGateway.table(2, .all))
            try await eventually("the acknowledgement") { gateway.acknowledged.contains(2) }
            #expect(try await get(url + "/a").1 == "new forwarded")
            gateway.route(TestGateway.table(1, .zero))
            gateway.route(TestGateway.table(3, SamplePlan.weight(5_000)))
            try await eventually("the acknowledgement") { gateway.acknowledged.contains(3) }
            for user in 0..<40 {
                let expected = Bucket.implementation(
                    Bucket.of("user-\(user)", migration: "m"),
                    weight: SamplePlan.weight(5_000)
                )
                let (_, _, headers) = try await get(url + "/a", user: "user-\(user)")
                #expect(headers.first(name: "x-migrate-implementation") == expected.rawValue)
            }
            #expect(try await get(url + "/elsewhere").0 == 404)
            try await eventually("a window with the hits") {
                gateway.signals.contains { $0.services[0].candidate.cacheHits > 0 }
            }
        }
        #expect(!gateway.acknowledged.dropFirst().contains(1))
        await legacy.close()
        await candidate.close()
    }

    @Test(
        "where a route cannot be kept a lower weight is in force all the same and a higher one is not; neither is acknowledged"
    )
    func unkept() async throws {
        let legacy = try await TestUpstream(.answers("old")), candidate = try await TestUpstream(.answers("new"))
        let gateway = TestGateway()
        let plan = TestGateway.plan(legacy: legacy.port, candidate: candidate.port)
        // Where the next state is to be written.
        let next = state.appendingPathExtension("next")
        func refused(_ count: Int) async throws {
            try await eventually("refusal \(count)") { gateway.told.count { $0 == "route refused" } == count }
        }
        try await gateway.serve(plan, state: state, first: TestGateway.table(1, .zero)) { url in
            try FileManager.default.createDirectory(at: next, withIntermediateDirectories: false)
            gateway.route(TestGateway.table(2, .all))
            try await refused(1)
            #expect(try await get(url + "/a").1 == "old forwarded")
            try FileManager.default.removeItem(at: next)
            gateway.route(TestGateway.table(2, .all))
            try await eventually("the acknowledgement") { gateway.acknowledged.contains(2) }
            #expect(try await get(url + "/a").1 == "new forwarded")

            try FileManager.default.createDirectory(at: next, withIntermediateDirectories: false)
            gateway.route(TestGateway.table(3, .zero))
            try await refused(2)
            #expect(try await get(url + "/a").1 == "old forwarded")
            #expect(!gateway.acknowledged.contains(3))
            #expect(try RouteStore(file: state).read()?.table.revision == 2)
            // Nor is the weight raised again to what is kept still.
            gateway.route(TestGateway.table(4, .all))
            try await refused(3)
            #expect(try await get(url + "/a").1 == "old forwarded")
            try FileManager.default.removeItem(at: next)
            gateway.route(TestGateway.table(4, .all))
            try await eventually("the acknowledgement") { gateway.acknowledged.contains(4) }
            #expect(try await get(url + "/a").1 == "new forwarded")
            #expect(try RouteStore(file: state).read()?.table.revision == 4)
        }
        await legacy.close()
        await candidate.close()
    }

    @Test(
        "switched twenty times under load, no request fails, and none is sent to the candidate after 0 is acknowledged"
    )
    func switching() async throws {
        let legacy = try await TestUpstream(.answers("legacy")),
            candidate = try await TestUpstream(.answers("candidate"))
        let gateway = TestGateway()
        try await gateway.serve(
            TestGateway.plan(legacy: legacy.port, candidate: candidate.port, timeout: .seconds(20)),
            state: state,
            first: nil
        ) { url in
            let load = SteadyLoad()
            let traffic = try #require(gateway.traffic)
            // Counted where it is sent: what was sent just before may be read by the candidate a moment later.
            let late = try await load.switching(url, gateway.routes) { Int(traffic.candidateRequests) }
            #expect(late == Array(repeating: 0, count: 20))
            // And nothing comes to the candidate that the gateway does not count.
            try await eventually("the candidate to have read all") {
                candidate.requests == Int(traffic.candidateRequests)
            }
            #expect(load.failed == 0)
            #expect(load.answered > 800)
        }
        await legacy.close()
        await candidate.close()
    }

    @Test("remembers its routes, and forgets nothing that is newer")
    func remembers() async throws {
        let legacy = try await TestUpstream(.answers("old")), candidate = try await TestUpstream(.answers("new"))
        let plan = TestGateway.plan(legacy: legacy.port, candidate: candidate.port)
        try await TestGateway().serve(plan, state: state, first: TestGateway.table(7, .all)) { _ in }
        let kept = try #require(try RouteStore(file: state).read())
        #expect(kept == RouteStore.Kept(plan: plan, table: TestGateway.table(7, .all)))
        // The database is away: what was kept is served.
        let second = TestGateway()
        try await second.serve(plan, state: state, kept: kept.table, first: nil) { url in
            #expect(try await get(url + "/a").1 == "new forwarded")
            second.route(TestGateway.table(6, .zero))
            second.route(TestGateway.table(8, .zero))
            try await eventually("the acknowledgement") { second.acknowledged.contains(8) }
            #expect(try await get(url + "/a").1 == "old forwarded")
        }
        #expect(second.acknowledged == [8])
        try Data("{".utf8).write(to: state)
        #expect(throws: RoutingError.self) { try RouteStore(file: state).read() }
        await legacy.close()
        await candidate.close()
    }

    @Test("answers for an upstream that does not, and counts it", arguments: [0, 1, 2, 3])
    func badUpstreams(_ index: Int) async throws {
        let behaviours: [(TestUpstream.Behaviour?, Int)] = [(nil, 502), (.hangs, 504), (.garbage, 502), (.closes, 502)]
        let (behaviour, expected) = behaviours[index]
        let legacy = try await TestUpstream(.answers("old"))
        let bad: TestUpstream? = if let behaviour { try await TestUpstream(behaviour) } else { nil }
        let gateway = TestGateway()
        try await gateway.serve(
            // Where nobody listens is no port that somebody else may be given meanwhile.
            TestGateway.plan(legacy: legacy.port, candidate: try bad?.port ?? freePort()),
            state: state,
            first: TestGateway.table(1, .all)
        ) { url in
            try await gateway.untilMeasuring()
            for _ in 0..<3 {
                let (status, body, headers) = try await get(url + "/a")
                #expect(status == expected)
                #expect(body.contains("error"))
                #expect(headers.first(name: "x-migrate-implementation") == "candidate")
            }
            try await eventually("the failures to be counted") {
                let counts = gateway.signals.map(\.services[0].candidate).reduce(Counts(), +)
                return expected == 504 ? counts.timeouts == 3 : counts.errors == 3
            }
        }
        await legacy.close()
        await bad?.close()
    }

    @Test("a service that does not say that a body may come, for which its client waits, has failed in time")
    func leave() async throws {
        let mute = try await TestUpstream(.hangs)
        let gateway = TestGateway()
        try await gateway.serve(
            TestGateway.plan(legacy: mute.port, candidate: mute.port),
            state: state,
            first: TestGateway.table(1, .zero)
        ) { url in
            try await gateway.untilMeasuring()
            let socket = try RawSocket(try #require(URL(string: url)?.port))
            socket.send("POST /a HTTP/1.1\r\nhost: g\r\nexpect: 100-continue\r\ncontent-length: 5\r\n\r\n")
            let answer = String(decoding: try await offThread { socket.receive() }, as: UTF8.self)
            #expect(answer.hasPrefix("HTTP/1.1 504"), "\(answer)")
            try await eventually("that to be counted") {
                gateway.signals.map(\.services[0].legacy).reduce(Counts(), +).timeouts == 1
            }
        }
        await mute.close()
    }

    @Test("breaks the client's connection when the upstream breaks in the middle of its answer")
    func midBody() async throws {
        let bad = try await TestUpstream(.closesMidBody)
        let gateway = TestGateway()
        try await gateway.serve(
            TestGateway.plan(legacy: bad.port, candidate: bad.port),
            state: state,
            first: TestGateway.table(1, .zero)
        ) { url in
            try await gateway.untilMeasuring()
            await #expect(throws: (any Error).self) { try await get(url + "/a") }
            try await eventually("the failure to be counted") {
                gateway.signals.map(\.services[0].legacy.errors).reduce(0, +) == 1
            }
        }
        await bad.close()
    }

    @Test("refuses a body that is too large, and goes on")
    func tooLarge() async throws {
        let legacy = try await TestUpstream(.answers("old"))
        try await TestGateway().serve(
            TestGateway.plan(legacy: legacy.port, candidate: legacy.port),
            state: state,
            first: TestGateway.table(1, .zero)
        ) { url in
            let (status, _, _) = try await get(url + "/a", body: Array(repeating: 65, count: 20_000))
            #expect(status == 413)
            #expect(try await get(url + "/a", body: Array("hello".utf8)).0 == 200)
        }
        await legacy.close()
    }
}
