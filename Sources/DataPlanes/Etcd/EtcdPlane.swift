package import AsyncHTTPClient
package import Foundation
import Gateway
package import MigrationCore
package import Routing
package import Signals

/// Services that resolve their peers themselves: told by a key in etcd, measured by what they tell of their requests.
package struct EtcdPlane: DataPlane {
    private let folder: EtcdFolder
    private let endpoint: String
    private let account: EtcdAccount?
    private let keys: EtcdKeys
    private let logPort: Int

    /// - Parameters:
    ///   - endpoint: of etcd's clients, `http://host:port`.
    ///   - account: whose reads and writes these are; nil for an etcd that does not ask.
    ///   - logPort: where resolvers tell their requests, by UDP on this host.
    package init(
        folder: EtcdFolder,
        endpoint: String,
        account: EtcdAccount? = nil,
        keys: EtcdKeys,
        logPort: Int
    ) {
        self.folder = folder
        self.endpoint = endpoint
        self.account = account
        self.keys = keys
        self.logPort = logPort
    }

    package var name: String { "etcd" }
    package var state: URL { folder.state }

    package func requireSuitable(_ plan: Plan) throws(RoutingError) { try Self.requireSuitable(plan) }

    static func requireSuitable(_ plan: Plan) throws(RoutingError) {
        try BackEnd.requireSuitable(plan, "a resolver", secure: .none)
    }

    package func adapter(router: String, plan: Plan) -> any PlaneAdapter {
        EtcdAdapter(router: router, plan: plan, endpoint: endpoint, account: account, keys: keys)
    }

    package func windows(_ plan: Plan, meter: Meter, client: HTTPClient) async throws -> any PlaneWindows {
        let store = EtcdStore(endpoint: endpoint, account: account), resolvers = keys.resolvers
        return try await LogWindows(
            port: logPort,
            plan,
            meter: meter,
            client: client,
            isForeign: { [mark = PlanMark(plan)] in mark.isMissing(in: $0) { LoggedRequest(resolver: $0) != nil } },
            read: { [mark = PlanMark(plan)] in mark.rest(of: $0).flatMap { LoggedRequest(resolver: $0) } }
        ) {
            // A resolver that has come, gone or begun anew may have sent requests that nobody told.
            guard let entries = try? await store.entries(resolvers), !entries.isEmpty else { return nil }
            return entries.map { "\($0.key) \($0.lease)" }.joined(separator: "\n")
        }
    }
}
