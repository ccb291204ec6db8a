package import AsyncHTTPClient
package import Foundation
import Gateway
package import MigrationCore
package import Signals

/// An nginx: told by a part of its configuration and a reload, measured from its log.
package struct NginxPlane: DataPlane {
    private let folder: NginxFolder
    private let logPort: Int

    /// - Parameter logPort: where nginx tells its requests, by UDP on this host.
    package init(folder: NginxFolder, logPort: Int) {
        self.folder = folder
        self.logPort = logPort
    }

    package var name: String { "nginx" }
    package var state: URL { folder.state }

    package func adapter(router: String, plan: Plan) -> any PlaneAdapter {
        NginxAdapter(router: router, plan: plan, folder: folder)
    }

    package func windows(_ plan: Plan, meter: Meter, client: HTTPClient) async throws -> any PlaneWindows {
        let receiver = try await LogReceiver(
            port: logPort,
            services: plan.services.count,
            meter: meter,
            group: client.eventLoopGroup,
            read: { LoggedRequest(nginx: $0) }
        )
        let folder = folder
        let record = LogRecord(receiver: receiver) {
            FileManager.default.contents(atPath: folder.pid.path).map { String(decoding: $0, as: UTF8.self) }
        }
        return LogWindows(meter: meter, receiver: receiver, record: record)
    }
}
