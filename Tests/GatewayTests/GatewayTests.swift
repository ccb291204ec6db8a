import AsyncHTTPClient
import Foundation
import Gateway
import Logging
import MigrationCore
import NIOCore
import NIOHTTP1
import NIOPosix
import Routing
import ServiceLifecycle
import Synchronization
import TestSupport
import Testing

/// A gateway on a free port, with a source of routes and a sink for measurements that the test holds.
final class TestGateway: Sendable, RouteSource, SignalSink {
    private let stream: AsyncStream<RouteTable>
    private let continuation: AsyncStream<RouteTable>.Continuation
    private let handed = Mutex<[RouterSignal]>([])
    private let acknowledgements = Mutex<[Int64]>([])
    private let port = Mutex<Int?>(nil)

    init() { (stream, continuation) = AsyncStream.makeStream() }

    func tables() -> AsyncStream<RouteTable> { stream }
    func acknowledge(_ table: RouteTable) async { acknowledgements.withLock { $0.append(table.revision) } }
    func hand(in signals: [RouterSignal]) async throws { handed.withLock { $0 += signals } }

    var acknowledged: [Int64] { acknowledgements.withLock { $0 } }
    var signals: [RouterSignal] { handed.withLock { $0 } }

    /// The window in which a gateway begins is no measurement: waits for the first whole one.
    func untilMeasuring() async throws { try await eventually("a whole window") { !self.signals.isEmpty } }

    func route(_ table: RouteTable) { continuation.yield(table) }

    static func plan(legacy: Int, candidate: Int, timeout: TimeSpan = .milliseconds(700)) -> Plan {
        var plan = SamplePlan.plan(window: .milliseconds(200))
        plan.services = [
            MigrationCore.Service(
                name: "a",
                path: "/a",
                legacy: "http://127.0.0.1:\(legacy)",
                candidate: "http://127.0.0.1:\(candidate)",
                timeout: timeout
            )
        ]
        return plan
    }

    static func table(_ revision: Int64, _ weight: Weight) -> RouteTable {
        RouteTable(
            logID: "log",
            migration: "m",
            environment: "production",
            revision: revision,
            hash: "h\(revision)",
            weights: ["a": weight]
        )
    }

    /// Runs the gateway while the body runs.
    func serve(
        _ plan: Plan,
        state: URL,
        kept: RouteTable? = nil,
        first: RouteTable?,
        largestBody: Int = 10_000,
        _ body: (String) async throws -> Void
    ) async throws {
        var logger = Logger(label: "gateway")
        logger.logLevel = .critical
        let settings = GatewaySettings(
            name: "g",
            environment: "production",
            host: "127.0.0.1",
            port: 0,
            adminPort: 0,
            stateFile: state,
            largestBody: largestBody,
            connectTimeout: .milliseconds(500),
            drainTimeout: .milliseconds(100),
            threads: 2
        )
        let gateway = try await Gateway(
            settings: settings,
            plan: plan,
            kept: kept,
            first: first,
            source: self,
            sink: self,
            logger: logger,
            didBind: { port in self.port.withLock { $0 = port } }
        )
        let task = Task { try await gateway.run() }
        try await eventually("the gateway to listen") { self.port.withLock { $0 } != nil }
        let port = try #require(self.port.withLock { $0 })
        do {
            try await body("http://127.0.0.1:\(port)")
        } catch {
            task.cancel()
            _ = await task.result
            throw error
        }
        task.cancel()
        _ = await task.result
    }
}

/// An upstream that behaves as a test says, on a socket of its own.
final class TestUpstream: Sendable {
    enum Behaviour: Sendable {
        case answers(String)
        case hangs
        case garbage
        case closes
        case closesMidBody
    }

    private let channel: any Channel
    let port: Int

    init(_ behaviour: Behaviour) async throws {
        channel = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(Talker(behaviour))
                }
            }
            .bind(host: "127.0.0.1", port: 0).get()
        port = try #require(channel.localAddress?.port)
    }

    func close() async { try? await channel.close() }

    private final class Talker: ChannelInboundHandler {
        typealias InboundIn = ByteBuffer
        typealias OutboundOut = ByteBuffer
        private let behaviour: Behaviour
        private var seen = ""

        init(_ behaviour: Behaviour) { self.behaviour = behaviour }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            seen += String(buffer: unwrapInboundIn(data))
            guard seen.contains("\r\n\r\n") else { return }
            let request = seen
            seen = ""
            switch behaviour {
            case .answers(let text):
                let body = "\(text) \(request.contains("forwarded: for=127.0.0.1") ? "forwarded" : "bare")"
                say(
                    "HTTP/1.1 200 OK\r\ncontent-length: \(body.utf8.count)\r\ncache-status: t; hit\r\nconnection: keep-alive, x-hop\r\nx-hop: 1\r\n\r\n\(body)",
                    context
                )
            case .hangs: break
            case .garbage: say("I AM NO HTTP\r\n\r\n", context)
            case .closes: context.close(promise: nil)
            case .closesMidBody:
                say("HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhalf", context)
                context.close(promise: nil)
            }
        }

        private func say(_ text: String, _ context: ChannelHandlerContext) {
            context.writeAndFlush(wrapOutboundOut(ByteBuffer(string: text)), promise: nil)
        }
    }
}

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
        let bad = try await TestUpstream(behaviour ?? .closes)
        if behaviour == nil { await bad.close() }
        let gateway = TestGateway()
        try await gateway.serve(
            TestGateway.plan(legacy: legacy.port, candidate: bad.port),
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
        await bad.close()
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
