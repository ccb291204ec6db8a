package import AsyncHTTPClient
package import Foundation
import Gateway
package import MigrationCore
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

    package func adapter(router: String, plan: Plan) -> any PlaneAdapter {
        HAProxyAdapter(router: router, plan: plan, folder: folder)
    }

    package func windows(_ plan: Plan, meter: Meter, client: HTTPClient) async throws -> any PlaneWindows {
        let receiver = try await LogReceiver(
            port: logPort,
            services: plan.services.count,
            meter: meter,
            group: client.eventLoopGroup
        )
        return Windows(
            meter: meter,
            receiver: receiver,
            record: HAProxyRecord(socket: RuntimeSocket(folder.socket), receiver: receiver)
        )
    }

    private struct Windows: PlaneWindows {
        let meter: Meter
        let receiver: LogReceiver
        let record: HAProxyRecord

        func begin() async { _ = await record.isWhole() }

        func take(from first: Int64, before k: Int64) async -> [MeasuredWindow]? {
            let windows = meter.take(from: first, before: k)
            return await record.isWhole() ? windows : nil
        }

        func close() async { await receiver.close() }
    }
}
