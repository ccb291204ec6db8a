package import AsyncHTTPClient
package import Foundation
import Gateway
package import MigrationCore
package import Routing
package import Signals

/// An Envoy: told by the file of its routes, or when it asks for them, measured from its own counters at each window's end.
///
/// It counts no users and no cache answers, so a condition on those is missing, and never passes. Latencies are those of answers that a back
/// end gave, and of requests that timed out.
package struct EnvoyPlane: DataPlane {
    private let folder: EnvoyFolder
    private let discovery: EnvoyDiscovery?

    /// - Parameter discovery: who gives Envoy its routes; nil where Envoy sees the file itself.
    package init(folder: EnvoyFolder, discovery: EnvoyDiscovery? = nil) {
        self.folder = folder
        self.discovery = discovery
    }

    package var name: String { "Envoy" }
    package var state: URL { folder.state }

    package func requireSuitable(_ plan: Plan) throws(RoutingError) { try Self.requireSuitable(plan) }

    static func requireSuitable(_ plan: Plan) throws(RoutingError) {
        try BackEnd.requireSuitable(plan, "Envoy", secure: .all)
    }

    package func prepare(_ table: RouteTable, _ plan: Plan) async throws(RoutingError) {
        try EnvoyAdapter(router: "", plan: plan, folder: folder, discovery: discovery).lower(to: table)
    }

    package func adapter(router: String, plan: Plan) -> any PlaneAdapter {
        EnvoyAdapter(router: router, plan: plan, folder: folder, discovery: discovery)
    }

    package func windows(_ plan: Plan, meter: Meter, client: HTTPClient) async throws -> any PlaneWindows {
        EnvoyWindows(plan: plan, meter: meter, admin: EnvoyAdmin(folder))
    }
}

/// Counts the difference between two looks, one at the end of each window.
actor EnvoyWindows: PlaneWindows {
    private let plan: Plan
    private let meter: Meter
    private let admin: EnvoyAdmin
    /// What was counted at the end of the window before; nil where that was not looked at, or too late.
    private var last: EnvoyStatistics?

    init(plan: Plan, meter: Meter, admin: EnvoyAdmin) {
        self.plan = plan
        self.meter = meter
        self.admin = admin
    }

    func begin() async {
        meter.restart()
        last = nil
    }

    func take(from first: Int64, before k: Int64) async -> [MeasuredWindow]? {
        let probes = meter.take(from: first, before: k)
        let before = last
        last = nil
        // What is counted after the window's end is told as the window's: only so much of it as nobody would notice.
        let latest = TimeSpan(rawValue: min(250_000, max(100_000, plan.window.rawValue / 10)))
        guard SystemClock.now - plan.clock.start(of: k) <= latest, let now = try? await EnvoyStatistics.read(admin),
            (try? await admin.mark()) == PlanMark(plan).text
        else { return nil }
        guard SystemClock.now - plan.clock.start(of: k) <= latest else { return nil }
        last = now
        guard let before, k - first == 1, before.begun == now.begun, before.elders + now.elders == 0 else { return nil }
        var window = probes.first ?? MeasuredWindow(k: first, services: plan.services.map { _ in ServiceWindow() })
        for (index, service) in plan.services.enumerated() {
            func counts(_ implementation: Implementation, _ probes: Counts) -> Counts? {
                let backEnd = BackEnd(service: index, implementation: implementation)
                return now.counts(backEnd, since: before, timeout: service.timeout).map { $0 + probes }
            }
            guard let legacy = counts(.legacy, window.services[index].legacy),
                let candidate = counts(.candidate, window.services[index].candidate)
            else { return nil }
            window.services[index] = ServiceWindow(legacy: legacy, candidate: candidate)
        }
        return [window]
    }

    func close() async {}
}
