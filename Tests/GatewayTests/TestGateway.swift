import Foundation
import Gateway
import Logging
import MigrationCore
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
        drain: TimeSpan = .milliseconds(100),
        whileDraining: (String) async throws -> Void = { _ in },
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
            drainTimeout: drain,
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
        let group = ServiceGroup(services: [gateway], logger: logger)
        let task = Task { try await group.run() }
        let outcome: Result<Void, any Error>
        do {
            try await eventually("the gateway to listen") { self.port.withLock { $0 } != nil }
            let port = try #require(self.port.withLock { $0 })
            try await body("http://127.0.0.1:\(port)")
            await group.triggerGracefulShutdown()
            try await whileDraining("http://127.0.0.1:\(port)")
            outcome = .success(())
        } catch {
            outcome = .failure(error)
        }
        await group.triggerGracefulShutdown()
        _ = await task.result
        try outcome.get()
    }
}
