import Foundation
package import MigrationCore
package import Routing
import Signals

/// Tells a HAProxy who goes where: one entry of its map, changed by one command and read back.
package struct HAProxyAdapter: PlaneAdapter {
    /// The map's only key.
    package static let key = "route"
    /// A request that was routed a moment before the change may still be on its way to the other side: 2.1 ms were seen at most (4-routing.md), and some 10 ms on a machine that is starved.
    private static let settle = Duration.milliseconds(50)
    /// A process that has just begun may have been asked before the one in whose place it is was told to stop, from when on that one serves legacy.
    private static let settleOfYoung = Duration.milliseconds(500)

    package let router: String
    private let plan: Plan
    private let map: String
    private let socket: RuntimeSocket

    package init(router: String, plan: Plan, folder: HAProxyFolder) {
        self.router = router
        self.plan = plan
        map = folder.map.path
        socket = RuntimeSocket(folder.socket)
    }

    /// Puts a table into force, and waits until no request that was routed before is sent any more.
    ///
    /// HAProxy's runtime has no compare-and-set: an older revision is refused by what is read just before. Of two that tell one HAProxy at
    /// the same moment the later wins, until the other re-asserts. After a reload there may be older processes for a while: they serve legacy.
    ///
    /// - Throws: ``RoutingError`` when HAProxy has a higher revision, another commit at this one, or one of a log that is not this one's
    ///   ancestor; or when it does not answer.
    package func apply(_ table: RouteTable) async throws(RoutingError) -> Acknowledgement {
        let wanted = RouteText(table, plan)
        let now = try await read()
        try now.require(table, plan)
        if now != wanted {
            // Who is not asked for it any more does not tell it: a newer one comes.
            if Task.isCancelled { throw RoutingError(.unreachable, "a newer route came before this one was told") }
            let answer = try await socket.ask("set map \(map) \(Self.key) \(wanted.text)")
            let then = try await read()
            guard then == wanted else {
                throw RoutingError(
                    .unreachable,
                    "HAProxy has “\(then.text)” after it was told “\(wanted.text)”\(answer.isEmpty ? "" : ": \(answer)")"
                )
            }
        }
        let settle = try await isYoung() ? Self.settleOfYoung : Self.settle
        do {
            try await Task.sleep(for: settle)
        } catch {
            throw RoutingError(.unreachable, "the wait for requests that were routed before was broken off")
        }
        return Acknowledgement(router: router, revision: wanted.revision, at: SystemClock.now)
    }

    private func isYoung() async throws(RoutingError) -> Bool {
        let answer = try await socket.ask("show info")
        guard let line = answer.split(separator: "\n").first(where: { $0.hasPrefix("Uptime_sec: ") }),
            let seconds = Int(line.dropFirst("Uptime_sec: ".count))
        else { throw RoutingError(.unreachable, "HAProxy does not say how long it has been up: \(answer.prefix(200))") }
        return seconds < 2
    }

    /// What is in force.
    package func read() async throws(RoutingError) -> RouteText {
        let answer = try await socket.ask("show map \(map)")
        // An address, the key, the value.
        let fields = answer.split(whereSeparator: \.isWhitespace)
        guard fields.count == 3, fields[1] == Self.key,
            let route = RouteText(fields[2], services: plan.services.count)
        else {
            throw RoutingError(
                .storage,
                "HAProxy’s map \(map) has no route of \(plan.services.count) services: \(answer.prefix(200))",
                mend: "write its configuration anew: migrate route config haproxy"
            )
        }
        return route
    }
}
