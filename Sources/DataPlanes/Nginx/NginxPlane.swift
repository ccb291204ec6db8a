package import AsyncHTTPClient
package import Foundation
import Gateway
package import MigrationCore
package import Routing
package import Signals

/// An nginx: told by a part of its configuration and a reload, measured from its log.
package struct NginxPlane: DataPlane {
    private let folder: NginxFolder
    private let logPort: Int

    /// - Parameter logPort: where nginx tells its requests, by UDP on this host, and by TCP which route it has.
    package init(folder: NginxFolder, logPort: Int) {
        self.folder = folder
        self.logPort = logPort
    }

    package var name: String { "nginx" }
    package var state: URL { folder.state }

    package func requireSuitable(_ plan: Plan) throws(RoutingError) { try Self.requireSuitable(plan) }

    static func requireSuitable(_ plan: Plan) throws(RoutingError) {
        try BackEnd.requireSuitable(plan, "nginx", secure: .names)
    }

    package func adapter(router: String, plan: Plan) -> any PlaneAdapter {
        NginxAdapter(router: router, plan: plan, folder: folder, port: logPort)
    }

    package func windows(_ plan: Plan, meter: Meter, client: HTTPClient) async throws -> any PlaneWindows {
        let pid = folder.pid
        return try await LogWindows(
            port: logPort,
            plan,
            meter: meter,
            client: client,
            read: { LoggedRequest(nginx: $0) }
        ) {
            FileManager.default.contents(atPath: pid.path).map { String(decoding: $0, as: UTF8.self) }
        }
    }
}
