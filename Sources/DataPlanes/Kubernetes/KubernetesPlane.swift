package import AsyncHTTPClient
package import Foundation
import Gateway
package import MigrationCore
package import Routing
package import Signals

/// A Gateway of Kubernetes: told by an HTTPRoute, and measured by what its programs tell a Prometheus, as the Gateway API says nothing of requests.
///
/// Without a counter every window is missing, and then nothing advances by itself. Latencies, users and cache answers are not known.
package struct KubernetesPlane: DataPlane {
    private let folder: KubernetesFolder
    private let place: KubernetesPlace
    private let access: KubernetesAccess
    private let connectTimeout: TimeSpan
    private let counter: GatewayCounter?
    private let told = Told()

    /// - Parameter connectTimeout: how long the Gateway lets a connection to a service come about.
    package init(
        folder: KubernetesFolder,
        place: KubernetesPlace,
        access: KubernetesAccess,
        connectTimeout: TimeSpan,
        counter: GatewayCounter? = nil
    ) {
        self.connectTimeout = connectTimeout
        self.folder = folder
        self.place = place
        self.access = access
        self.counter = counter
    }

    package var name: String { "Kubernetes" }
    package var state: URL { folder.state }

    package func requireSuitable(_ plan: Plan) throws(RoutingError) { try Self.requireSuitable(plan) }

    static func requireSuitable(_ plan: Plan) throws(RoutingError) {
        try BackEnd.requireSuitable(plan, "a Gateway of Kubernetes", secure: .none)
    }

    package func adapter(router: String, plan: Plan) -> any PlaneAdapter {
        KubernetesAdapter(
            router: router,
            plan: plan,
            place: place,
            access: access,
            connectTimeout: .microseconds(connectTimeout.rawValue),
            told: told
        )
    }

    package func windows(_ plan: Plan, meter: Meter, client: HTTPClient) async throws -> any PlaneWindows {
        guard let counter else { return NoWindows(meter: meter) }
        let windows = try GatewayWindows(
            plan: plan,
            place: place,
            meter: meter,
            counter: counter,
            client: client,
            told: told
        )
        try await windows.check()
        return windows
    }

    private struct NoWindows: PlaneWindows {
        let meter: Meter

        func begin() async {}

        func take(from first: Int64, before k: Int64) async -> [MeasuredWindow]? {
            // Probes alone are no window.
            _ = meter.take(from: first, before: k)
            return nil
        }

        func close() async {}
    }
}
