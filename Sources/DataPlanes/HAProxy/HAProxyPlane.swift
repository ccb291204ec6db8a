package import AsyncHTTPClient
package import Foundation
import Gateway
package import MigrationCore
package import Routing
package import Signals

/// A HAProxy: told on its runtime socket, measured from its log.
package struct HAProxyPlane: DataPlane {
    private let folder: HAProxyFolder
    private let logPort: Int

    /// - Parameter logPort: where HAProxy tells its requests, by UDP on this host.
    package init(folder: HAProxyFolder, logPort: Int) {
        self.folder = folder
        self.logPort = logPort
    }

    package var name: String { "HAProxy" }
    package var state: URL { folder.state }

    package func requireSuitable(_ plan: Plan) throws(RoutingError) { try Self.requireSuitable(plan) }

    static func requireSuitable(_ plan: Plan) throws(RoutingError) {
        try BackEnd.requireSuitable(plan, "HAProxy", secure: .names)
    }

    package func adapter(router: String, plan: Plan) -> any PlaneAdapter {
        HAProxyAdapter(router: router, plan: plan, folder: folder)
    }

    package func windows(_ plan: Plan, meter: Meter, client: HTTPClient) async throws -> any PlaneWindows {
        let socket = RuntimeSocket(folder.socket)
        return try await LogWindows(
            port: logPort,
            plan,
            meter: meter,
            client: client,
            isForeign: { [mark = PlanMark(plan)] in mark.isMissing(in: $0) { LoggedRequest(haproxy: $0) != nil } },
            read: { [mark = PlanMark(plan)] in mark.rest(of: $0).flatMap { LoggedRequest(haproxy: $0) } }
        ) {
            guard let answer = try? await socket.ask("show info") else { return nil }
            // Who it is, and how many lines it could not send.
            let lines = answer.split(separator: "\n").filter { $0.hasPrefix("Pid: ") || $0.hasPrefix("DroppedLogs: ") }
            return lines.count == 2 ? lines.joined(separator: " ") : nil
        }
    }
}
