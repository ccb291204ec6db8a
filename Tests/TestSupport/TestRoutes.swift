import Gateway
package import MigrationCore
package import Routing
import Synchronization

/// A source of routes and a sink for measurements that the test holds, in place of the log.
package final class TestRoutes: Sendable, RouteSource, SignalSink {
    private let stream: AsyncStream<RouteTable>
    private let continuation: AsyncStream<RouteTable>.Continuation
    private let handed = Mutex<[RouterSignal]>([])
    private let acknowledgements = Mutex<[Int64]>([])

    private let insisted = Mutex<(revision: Int64, at: ContinuousClock.Instant)?>(nil)
    private let looks = Mutex<[Int64: Int]>([:])
    private let look = Mutex<(@Sendable () -> Int)?>(nil)

    package init() { (stream, continuation) = AsyncStream.makeStream() }

    /// Counts something at the very moment of each acknowledgement.
    package func count(_ look: @escaping @Sendable () -> Int) { self.look.withLock { $0 = look } }
    /// What was counted when a revision was acknowledged.
    package func counted(at revision: Int64) -> Int? { looks.withLock { $0[revision] } }

    package func tables() -> AsyncStream<RouteTable> { stream }
    package func acknowledge(_ table: RouteTable) async {
        if let look = look.withLock({ $0 }) { looks.withLock { $0[table.revision] = $0[table.revision] ?? look() } }
        acknowledgements.withLock { $0.append(table.revision) }
    }
    package func hand(in signals: [RouterSignal]) async throws { handed.withLock { $0 += signals } }

    package var acknowledged: [Int64] { acknowledgements.withLock { $0 } }
    package var signals: [RouterSignal] { handed.withLock { $0 } }

    /// The window in which a router begins is no measurement: waits for the first whole one.
    package func untilMeasuring() async throws { try await eventually("a whole window") { !self.signals.isEmpty } }

    package func route(_ table: RouteTable) { continuation.yield(table) }

    /// Routes what is new, and once more what is not, at most twice a second, as the log does, which says again what is asked until it is in force.
    package func insist(on table: RouteTable) {
        let now = ContinuousClock.now
        let isTime = insisted.withLock { last in
            if let last, last.revision == table.revision, now - last.at < .milliseconds(500) { return false }
            last = (table.revision, now)
            return true
        }
        if isTime { route(table) }
    }

    /// One service, `/a`, in windows of 200 ms.
    package static func plan(legacy: Int, candidate: Int, timeout: TimeSpan = .milliseconds(700)) -> Plan {
        var plan = SamplePlan.plan(window: .milliseconds(200))
        plan.services = [
            Service(
                name: "a",
                path: "/a",
                legacy: "http://127.0.0.1:\(legacy)",
                candidate: "http://127.0.0.1:\(candidate)",
                timeout: timeout
            )
        ]
        return plan
    }

    /// Another service for a plan, at `/b`.
    package static func second(legacy: Int, candidate: Int) -> MigrationCore.Service {
        Service(
            name: "b",
            path: "/b",
            legacy: "http://127.0.0.1:\(legacy)",
            candidate: "http://127.0.0.1:\(candidate)",
            timeout: .milliseconds(700)
        )
    }

    /// - Parameter b: of ``second(legacy:candidate:)``.
    package static func table(_ revision: Int64, _ weight: Weight, b: Weight) -> RouteTable {
        var table = table(revision, weight)
        table.weights["b"] = b
        return table
    }

    package static func table(_ revision: Int64, _ weight: Weight) -> RouteTable {
        RouteTable(
            logID: "log",
            migration: "m",
            environment: "production",
            revision: revision,
            hash: "h\(revision)",
            weights: ["a": weight]
        )
    }
}
