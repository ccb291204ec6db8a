package import Foundation
package import Gateway
import Logging
package import MigrationCore
package import Routing
import ServiceLifecycle
import Synchronization
import Testing

/// A gateway on a free port, with a source of routes and a sink for measurements that the test holds.
package final class TestGateway: Sendable {
    package let routes = TestRoutes()
    private let port = Mutex<Int?>(nil)
    private let record = Mutex<TrafficRecord?>(nil)

    private let said = Said()

    package init() {}

    /// What it has told in its log.
    package var told: [String] { said.lines.withLock { $0 } }

    private final class Said: Sendable {
        let lines = Mutex<[String]>([])
    }

    private struct Recorder: LogHandler {
        let said: Said
        var metadata: Logger.Metadata = [:]
        var logLevel = Logger.Level.info

        init(said: Said) { self.said = said }

        subscript(metadataKey key: String) -> Logger.Metadata.Value? {
            get { metadata[key] }
            set { metadata[key] = newValue }
        }

        func log(event: LogEvent) { said.lines.withLock { $0.append("\(event.message)") } }
    }

    package var acknowledged: [Int64] { routes.acknowledged }
    package var signals: [RouterSignal] { routes.signals }

    /// What the gateway counts of what it sends.
    package var traffic: TrafficRecord? { record.withLock { $0 } }

    package func untilMeasuring() async throws { try await routes.untilMeasuring() }

    package func route(_ table: RouteTable) { routes.route(table) }

    package static func plan(legacy: Int, candidate: Int, timeout: TimeSpan = .milliseconds(700)) -> Plan {
        TestRoutes.plan(legacy: legacy, candidate: candidate, timeout: timeout)
    }

    package static func table(_ revision: Int64, _ weight: Weight) -> RouteTable { TestRoutes.table(revision, weight) }

    /// Runs the gateway while the body runs.
    package func serve(
        _ plan: Plan,
        state: URL,
        kept: RouteTable? = nil,
        first: RouteTable?,
        largestBody: Int = 10_000,
        drain: TimeSpan = .milliseconds(100),
        change: @Sendable (inout GatewaySettings) -> Void = { _ in },
        whileDraining: (String) async throws -> Void = { _ in },
        _ body: (String) async throws -> Void
    ) async throws {
        let logger = Logger(label: "gateway") { [said] _ in Recorder(said: said) }
        var settings = GatewaySettings(
            name: "g",
            environment: "production",
            host: "127.0.0.1",
            port: 0,
            adminPort: 0,
            stateFile: state
        )
        settings.largestBody = largestBody
        settings.connectTimeout = .milliseconds(500)
        settings.drainTimeout = drain
        change(&settings)
        let gateway = try await Gateway(
            settings: settings,
            plan: plan,
            kept: kept,
            first: first,
            source: routes,
            sink: routes,
            logger: logger,
            didBind: { port in self.port.withLock { $0 = port } }
        )
        record.withLock { $0 = gateway.traffic }
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
