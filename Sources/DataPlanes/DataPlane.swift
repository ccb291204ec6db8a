package import AsyncHTTPClient
package import Foundation
package import Gateway
package import MigrationCore
package import Routing
package import Signals

/// A data plane that somebody else wrote: how it is told who goes where, and how what it does is measured.
package protocol DataPlane: Sendable {
    /// What people call it.
    var name: String { get }
    /// Where what it was told last is kept.
    var state: URL { get }
    /// - Throws: a `RoutingError` for a plan that asks for what it cannot do.
    func requireSuitable(_ plan: Plan) throws(RoutingError)
    /// Has it begin with what the log says, where it is not there yet and would begin with more than that.
    ///
    /// - Throws: a `RoutingError` where it was told what may not come before that.
    func prepare(_ table: RouteTable, _ plan: Plan) async throws(RoutingError)
    func adapter(router: String, plan: Plan) -> any PlaneAdapter
    /// - Parameters:
    ///   - meter: what is counted besides, such as probes.
    ///   - client: for asking it.
    func windows(_ plan: Plan, meter: Meter, client: HTTPClient) async throws -> any PlaneWindows
}

extension DataPlane {
    package func prepare(_ table: RouteTable, _ plan: Plan) async throws(RoutingError) {}
}

/// What a data plane does, in windows.
package protocol PlaneWindows: WindowSource {
    func close() async
}
