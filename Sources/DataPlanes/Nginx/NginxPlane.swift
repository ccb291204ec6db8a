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
    private let reload = NginxReload()

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

    package func prepare(_ table: RouteTable, _ plan: Plan) async throws(RoutingError) {
        try await adapter(router: "", plan: plan).lower(to: table)
    }

    package func adapter(router: String, plan: Plan) -> any PlaneAdapter {
        NginxAdapter(router: router, plan: plan, folder: folder, port: logPort, reload: reload)
    }

    package func windows(_ plan: Plan, meter: Meter, client: HTTPClient) async throws -> any PlaneWindows {
        let folder = folder
        return try await LogWindows(
            port: logPort,
            plan,
            meter: meter,
            client: client,
            isForeign: { [tag = PlanMark(plan).tag] in !$0.contains(tag) && $0.contains(#/ migrate(_[0-9a-f]{16})?: /#)
            },
            read: { [mark = PlanMark(plan)] in LoggedRequest(nginx: $0, mark: mark) }
        ) {
            // Another while its program is upgraded, and again when that is over.
            let masters = [folder.pid, folder.elder].map { FileManager.default.contents(atPath: $0.path) }
            return masters[0] == nil
                ? nil : masters.map { $0.map { String(decoding: $0, as: UTF8.self) } ?? "" }.joined()
        }
    }
}
