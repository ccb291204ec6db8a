import AsyncHTTPClient
import Foundation
package import MigrationCore
import NIOCore
import NIOHTTP1
package import Routing
import Signals
import Synchronization
import WholeAnswer

/// Tells an Envoy who goes where: another file in the place of its routes, which it sees or is given when it asks, and a request that shows that they are in force.
package struct EnvoyAdapter: PlaneAdapter {
    /// One worker of Envoy's has shown the route; the others, and requests that were routed before, follow within this (8.1 ms were seen at most,
    /// 4-routing.md).
    private static let settle = Duration.milliseconds(50)
    private static let patience = Duration.seconds(3)
    /// Longer than it takes until Envoy has told what it counts (`stats_flush_interval`).
    private static let flush = Duration.milliseconds(250)
    /// How long what Envoy said of itself counts for a route that is to be told: it answers among its requests, which takes its time under load.
    private static let sightLife = Duration.seconds(1)

    package let router: String
    private let plan: Plan
    private let folder: EnvoyFolder
    private let discovery: EnvoyDiscovery?
    private let seen = Seen()

    /// Where Envoy listens and which route it has in force, as it said last.
    private struct Sight {
        var url: String
        var route: RouteText
        var at: ContinuousClock.Instant
    }

    private final class Seen: Sendable {
        private let state = Mutex<Sight?>(nil)

        func set(_ sight: Sight?) { state.withLock { $0 = sight } }

        /// What was seen a moment ago; nil where that was too long ago.
        var fresh: Sight? { state.withLock { $0.flatMap { $0.at + sightLife > .now ? $0 : nil } } }
    }

    /// - Parameter discovery: who gives Envoy its routes; nil where Envoy sees the file itself.
    package init(router: String, plan: Plan, folder: EnvoyFolder, discovery: EnvoyDiscovery? = nil) {
        self.router = router
        self.plan = plan
        self.folder = folder
        self.discovery = discovery
    }

    /// Puts a table into force, and waits until no request that was routed before is sent any more.
    ///
    /// An Envoy that is not there finds the new routes when it starts.
    ///
    /// - Throws: ``RoutingError`` when Envoy has a higher revision, another commit at this one, or one of a log that is not this one's
    ///   ancestor; or when it does not answer.
    package func apply(_ table: RouteTable) async throws(RoutingError) -> Acknowledgement {
        let wanted = RouteText(table, plan)
        let told = try told()
        try told.require(table, plan)
        // Nobody else has told it anything since it was seen with what stands in its file.
        let isSeen = told != wanted && seen.fresh?.route == told
        let now = isSeen ? told : try? await glance()
        if let now {
            try now.require(table, plan)
            if told != wanted { try write(wanted, instead: told) }
            try discovery?.publish()
        } else {
            try lower(to: table)
            guard try self.told() == wanted else {
                throw RoutingError(.unreachable, "Envoy does not answer, and is told no more than it was")
            }
        }
        if now != wanted {
            let end = ContinuousClock.now + Self.patience
            var last: RoutingError?
            var then: RouteText?
            repeat {
                do {
                    then = try await glance()
                } catch {
                    last = error
                }
                if then == wanted { break }
                try then?.require(table, plan)
                try? await Task.sleep(for: .milliseconds(2))
            } while ContinuousClock.now < end && !Task.isCancelled
            guard then == wanted else {
                if discovery?.isRefused ?? false {
                    throw RoutingError(
                        .unreachable,
                        "Envoy refuses the routes of \(folder.routes.path)",
                        mend:
                            "Envoy's log says why: its configuration is to be the one that `migrate route config envoy` wrote"
                    )
                }
                throw last ?? RoutingError(.unreachable, "Envoy does not take the routes of \(folder.routes.path)")
            }
        }
        try await Self.wait(Self.settle)
        try await untilNobodySends(to: wanted.deserted)
        return Acknowledgement(router: router, revision: wanted.revision, at: SystemClock.now)
    }

    package func lower(to table: RouteTable) throws(RoutingError) {
        let told = try told(), wanted = RouteText(table, plan)
        try told.require(table, plan)
        let next = wanted.raises(told) && !isAway ? told.lowered(to: wanted) : wanted
        if next != told { try write(next, instead: told) }
        try discovery?.publish()
    }

    private var isAway: Bool {
        guard discovery == nil, folder.elsewhere == nil,
            let text = FileManager.default.contents(atPath: folder.configuration.path)
        else { return false }
        return String(decoding: text, as: UTF8.self).contains("\"\(EnvoyAdmin.node)\(PlanMark(plan).text)\"")
            && UnixSocket.isDeserted(folder.admin.path)
    }

    package func vouch(for table: RouteTable) {
        guard discovery == nil, (try? told()) == RouteText(table, plan) else { return }
        PlaneFile.vouch(for: folder.routes)
    }

    /// A request that was routed before may still wait for its connection, up to the time limit of that (``EnvoyConfiguration``); and an Envoy from
    /// before a hot restart, which nobody can ask any more, may still have clients.
    private func untilNobodySends(to backEnds: [BackEnd]) async throws(RoutingError) {
        let end = ContinuousClock.now + Self.patience
        let admin = EnvoyAdmin(folder)
        var last = try await admin.leftovers(backEnds)
        var hasWaited = false
        if last.isRestartedHot {
            // What the one before has is not told before this one's first tenth of a second is over.
            try await Self.wait(Self.flush)
            last = try await admin.leftovers(backEnds)
        }
        while last.waiting > 0 || last.elders > 0 {
            guard ContinuousClock.now < end else {
                if last.elders > 0 {
                    throw RoutingError(
                        .unreachable,
                        "the Envoy from before a hot restart, which cannot be asked, has \(last.elders) connections",
                        mend: "let it end sooner: --parent-shutdown-time-s"
                    )
                }
                throw RoutingError(
                    .unreachable,
                    "\(last.waiting) requests that were routed before still wait for a connection to \(backEnds.map(\.name).joined(separator: ", "))"
                )
            }
            hasWaited = true
            try await Self.wait(.milliseconds(10))
            last = try await admin.leftovers(backEnds)
        }
        // Who has just got his connection is still to be sent.
        if hasWaited { try await Self.wait(Self.settle) }
    }

    private static func wait(_ time: Duration) async throws(RoutingError) {
        do {
            try await Task.sleep(for: time)
        } catch {
            throw RoutingError(.unreachable, "the wait for requests that were routed before was broken off")
        }
    }

    /// What is in force, by a request to Envoy itself.
    package func read() async throws(RoutingError) -> RouteText {
        do {
            return try await find()
        } catch {
            seen.set(nil)
            throw error
        }
    }

    package func requireOwnConfiguration() async throws(RoutingError) {
        try PlanMark(plan).require(try await EnvoyAdmin(folder).mark(), of: ("Envoy", "envoy"))
    }

    /// The same, where Envoy was found a moment ago if it is still there.
    private func glance() async throws(RoutingError) -> RouteText {
        if let url = seen.fresh?.url {
            if let route = try? await route(at: url) {
                seen.set(Sight(url: url, route: route, at: .now))
                return route
            }
            // Nor is it asked there again.
            seen.set(nil)
        }
        return try await find()
    }

    /// The same, wherever Envoy says that it listens.
    private func find() async throws(RoutingError) -> RouteText {
        let url = try await listener()
        let route = try await route(at: url)
        seen.set(Sight(url: url, route: route, at: .now))
        return route
    }

    private func route(at listener: String) async throws(RoutingError) -> RouteText {
        var request = HTTPClientRequest(url: listener)
        request.headers.add(name: "host", value: EnvoyRoutes.probe)
        // A kept connection may lead to a process that a hot restart is ending, and would keep it.
        request.headers.add(name: "connection", value: "close")
        guard let text = try await Self.ask(request), let route = RouteText(text, services: plan.services.count) else {
            throw RoutingError(
                .unreachable,
                "Envoy does not say which route is in force",
                mend: "start Envoy with the configuration that `migrate route config envoy` wrote"
            )
        }
        return route
    }

    /// What Envoy finds when it starts.
    private func told() throws(RoutingError) -> RouteText {
        guard let route = RouteText(try EnvoyRoutes.read(folder).version, services: plan.services.count) else {
            throw RoutingError(
                .storage,
                "\(folder.routes.path) has no route of \(plan.services.count) services",
                mend: "write Envoy's configuration anew: migrate route config envoy"
            )
        }
        return route
    }

    private func write(_ route: RouteText, instead told: RouteText) throws(RoutingError) {
        do {
            // Written beside it and renamed: Envoy sees the old file or the new one.
            try EnvoyRoutes(plan: plan, route: route).text().write(to: folder.routes, options: .atomic)
        } catch {
            // An Envoy that asks needs no disk to take something back; it is not acknowledged before it is kept.
            if !route.raises(told), let text = try? EnvoyRoutes(plan: plan, route: route).text() {
                discovery?.publish(route.text, text)
            }
            throw RoutingError(.storage, "\(folder.routes.path) cannot be written: \(error.localizedDescription)")
        }
    }

    /// Where Envoy accepts clients, as it says itself.
    private func listener() async throws(RoutingError) -> String {
        struct Listeners: Decodable {
            struct Status: Decodable {
                struct Address: Decodable {
                    struct Socket: Decodable {
                        enum CodingKeys: String, CodingKey { case address, port = "port_value" }
                        var address: String
                        var port: Int
                    }
                    enum CodingKeys: String, CodingKey { case socket = "socket_address" }
                    var socket: Socket?
                }
                enum CodingKeys: String, CodingKey { case name, address = "local_address" }
                var name: String
                var address: Address
            }
            enum CodingKeys: String, CodingKey { case statuses = "listener_statuses" }
            var statuses: [Status]?
        }
        let text = try await EnvoyAdmin(folder).get("/listeners?format=json")
        guard let listeners = try? JSONDecoder().decode(Listeners.self, from: Data(text.utf8)),
            let socket = listeners.statuses?.first(where: { $0.name == EnvoyConfiguration.listener })?.address.socket
        else {
            throw RoutingError(
                .unreachable,
                "Envoy has no listener “\(EnvoyConfiguration.listener)”",
                mend: "start Envoy with the configuration that `migrate route config envoy` wrote"
            )
        }
        let isLocal = socket.address.hasPrefix("127.") || socket.address == "::1"
        if isLocal, let elsewhere = folder.elsewhere, !elsewhere.host.hasPrefix("127."),
            !["::1", "localhost"].contains(elsewhere.host)
        {
            throw RoutingError(
                .unreachable,
                "Envoy at \(elsewhere.host) listens at \(socket.address) of its own host, where it cannot be asked",
                mend: "let it listen where this host reaches it: migrate route config envoy --listen"
            )
        }
        let isAnywhere = ["0.0.0.0", "::"].contains(socket.address)
        let here = socket.address == "::" ? "::1" : "127.0.0.1"
        let host = isAnywhere ? folder.elsewhere?.host ?? here : socket.address
        return "\(Address(host: host, port: socket.port).url)/"
    }

    /// - Returns: the answer's text; nil for none of 200.
    private static func ask(_ request: HTTPClientRequest) async throws(RoutingError) -> String? {
        do {
            let (response, body) = try await HTTPClient.shared.whole(request, within: .seconds(1), longest: 1 << 20)
            return response.status == .ok ? String(buffer: body) : nil
        } catch {
            throw RoutingError(.unreachable, "Envoy does not answer: \(error)")
        }
    }
}
