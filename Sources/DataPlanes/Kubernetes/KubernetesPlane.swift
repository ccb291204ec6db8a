package import AsyncHTTPClient
package import Foundation
import Gateway
package import MigrationCore
package import Signals

/// A Gateway of Kubernetes: told by an HTTPRoute. It is not measured: the Gateway API says nothing of requests, so every window is missing, and a plan needs
/// signals from elsewhere (`prometheus`, `sql`, `json`).
package struct KubernetesPlane: DataPlane {
    private let folder: KubernetesFolder
    private let place: KubernetesPlace
    private let access: KubernetesAccess

    package init(folder: KubernetesFolder, place: KubernetesPlace, access: KubernetesAccess) {
        self.folder = folder
        self.place = place
        self.access = access
    }

    package var name: String { "Kubernetes" }
    package var state: URL { folder.state }

    package func adapter(router: String, plan: Plan) -> any PlaneAdapter {
        KubernetesAdapter(router: router, plan: plan, place: place, access: access)
    }

    package func windows(_ plan: Plan, meter: Meter, client: HTTPClient) async throws -> any PlaneWindows {
        NoWindows(meter: meter)
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
