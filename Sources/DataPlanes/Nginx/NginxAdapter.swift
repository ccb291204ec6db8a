import Foundation
package import MigrationCore
package import Routing
import Signals
import Synchronization

/// Tells an nginx who goes where: another file in the place of its routes, a reload, and a look at what its workers say and at whether those of
/// an older configuration are gone.
package struct NginxAdapter: PlaneAdapter {
    private static let patience = Duration.seconds(3)
    private static let glance = Duration.milliseconds(5)
    /// Within this all workers of a configuration have begun once one has.
    private static let fork = Duration.milliseconds(30)

    package let router: String
    private let plan: Plan
    private let folder: NginxFolder
    private let port: Int
    private let reload = Reload()

    /// The last reload. One that somebody else began, or this before it was restarted, is not known, and so made again.
    private final class Reload: Sendable {
        struct Made {
            /// Whose.
            var master: Int32
            var route: RouteText
            /// The workers that it is to end; nil where nobody could be asked whether it was taken.
            var old: Set<Int32>?
        }
        private let state = Mutex<Made?>(nil)

        var last: Made? { state.withLock { $0 } }
        func made(_ made: Made) { state.withLock { $0 = made } }
    }

    /// What becomes of a reload.
    private enum Renewal {
        /// With the workers that it ends.
        case taken(ended: Set<Int32>)
        case refused(NginxRefusal)
    }

    /// - Parameter port: where nginx says on this host which route it has.
    package init(router: String, plan: Plan, folder: NginxFolder, port: Int) {
        self.router = router
        self.plan = plan
        self.folder = folder
        self.port = port
    }

    /// Puts a table into force, and waits until no worker is left that routes by an older one.
    ///
    /// A worker of an older configuration takes no new connection, and ends when its requests have: as long as one has any, this fails and is tried
    /// again, so that nothing is acknowledged that was not seen.
    ///
    /// - Throws: ``RoutingError`` when nginx has a higher revision, another commit at this one, or one of a log that is not this one's
    ///   ancestor; when it does not answer; when old workers are still at work.
    package func apply(_ table: RouteTable) async throws(RoutingError) -> Acknowledgement {
        let wanted = RouteText(table, plan)
        let now: RouteText
        do {
            now = try await read()
        } catch {
            try lower(to: table)
            throw error
        }
        try now.require(table, plan)
        let master = try master()
        let end = ContinuousClock.now + Self.patience
        let last = reload.last
        if now != wanted || last?.old == nil || last?.master != master || last?.route != wanted {
            if now != wanted { try write(wanted) }
            let before: Set<Int32>
            switch try await renew(master, wanted, until: end) {
            case .taken(let ended): before = ended
            case .refused(let refusal):
                try await lower(from: now, to: wanted, refusal, master, until: end)
                throw refusal.error(wanted)
            }
            // As many workers come as go, once all have come. With more of them somebody else's reload, which may have read what stood there before, has come between.
            try? await Task.sleep(for: Self.fork)
            let after = try Self.children(of: master)
            if after.subtracting(before).count != before.count,
                case .refused(let refusal) = try await renew(master, wanted, until: end)
            {
                throw refusal.error(wanted)
            }
        }
        let old = reload.last?.old ?? []
        try await wait(until: end, "workers of an older configuration of nginx still have requests under way") {
            () async throws(RoutingError) in try Self.children(of: master).isDisjoint(with: old)
        }
        try requireNoElder()
        return Acknowledgement(router: router, revision: wanted.revision, at: SystemClock.now)
    }

    package func lower(to table: RouteTable) throws(RoutingError) {
        guard let told = try NginxRoutes.read(folder, plan) else { return }
        let wanted = RouteText(table, plan)
        try told.require(table, plan)
        let master = Self.master(of: folder.pid)
        let isAway = master == nil && Self.master(of: folder.elder) == nil && isConfigured
        let next = wanted.raises(told) && !isAway ? told.lowered(to: wanted) : wanted
        if next != told { try write(next) }
        // Its first process may hear what its workers do not answer; once is enough.
        guard let master, next != told || reload.last?.master != master || reload.last?.route != next else { return }
        try signal(master)
        reload.made(Reload.Made(master: master, route: next, old: nil))
    }

    /// Of a route that nginx refuses puts into force what sends nobody more to a candidate, without those candidates on whose account it does; without all of them where it does not
    /// say. Where it refuses that as well, or nothing of the kind is left, it finds again what it has in force, and not what keeps it from its next start.
    private func lower(
        from now: RouteText,
        to wanted: RouteText,
        _ refusal: NginxRefusal,
        _ master: Int32,
        until end: ContinuousClock.Instant
    ) async throws(RoutingError) {
        var next = now.lowered(to: wanted)
        var refusal = refusal
        var refused = wanted
        while next != now {
            if let service = refusal.service(in: NginxRoutes.text(refused, plan), of: folder.routes) {
                next.weights[service] = .zero
            } else if next == refused {
                next.weights = next.weights.map { _ in .zero }
            }
            guard next != refused, next != now else { break }
            try write(next)
            switch try await renew(master, next, until: end) {
            case .taken: return
            case .refused(let again): (refusal, refused) = (again, next)
            }
        }
        try write(now)
    }

    /// Has nginx read its configuration anew, and waits until it has, or has refused it.
    private func renew(_ master: Int32, _ wanted: RouteText, until end: ContinuousClock.Instant)
        async throws(RoutingError)
        -> Renewal
    {
        // Not before the routes are written: whom somebody else's reload brings from here on reads them. Also those that an earlier reload has not ended yet.
        let workers = try Self.children(of: master)
        let said = NginxRefusal.Log(folder.errors)
        try signal(master)
        var refusal: NginxRefusal?
        try await wait(until: end, "nginx does not take the routes of \(folder.routes.path)") {
            () async throws(RoutingError) in
            refusal = said.refusal(of: master)
            if refusal != nil { return true }
            // One that has ended meanwhile takes nothing, and its successor is not kept waiting.
            guard try !Self.children(of: master).isSubset(of: workers) else { return false }
            return (try? await read()) == wanted
        }
        if let refusal { return .refused(refusal) }
        reload.made(Reload.Made(master: master, route: wanted, old: workers))
        return .taken(ended: workers)
    }

    private func signal(_ master: Int32) throws(RoutingError) {
        guard kill(master, SIGHUP) == 0 else {
            throw RoutingError(
                .unreachable,
                "nginx (process \(master)) cannot be told to reload: \(String(cString: strerror(errno)))"
            )
        }
    }

    /// What is in force in the workers that take connections.
    package func read() async throws(RoutingError) -> RouteText {
        let text = try await admin.get("/route")
        guard let route = RouteText(text, services: plan.services.count) else {
            throw RoutingError(
                .storage,
                "nginx has no route of \(plan.services.count) services: \(text.prefix(200))",
                mend: "write its configuration anew: migrate route config nginx"
            )
        }
        return route
    }

    package func requireOwnConfiguration() async throws(RoutingError) {
        let mark = PlanMark(plan)
        try mark.require(try await admin.find("/plan"), of: Self.program)
        // What a reload brings.
        try mark.require(isConfigured ? mark.text : "", of: Self.program)
    }

    /// Whether what is in the folder was written for this plan.
    private var isConfigured: Bool {
        let text = FileManager.default.contents(atPath: folder.configuration.path) ?? Data()
        return String(decoding: text, as: UTF8.self).contains(NginxConfiguration.plan(PlanMark(plan)))
    }

    package func vouch(for table: RouteTable) {
        if (try? NginxRoutes.read(folder, plan)) == RouteText(table, plan) { PlaneFile.vouch(for: folder.routes) }
    }

    private static let program = ("nginx", "nginx")
    private var admin: AdminEndpoint {
        AdminEndpoint(place: .address("http://127.0.0.1:\(port)"), program: Self.program)
    }

    private func wait(
        until end: ContinuousClock.Instant,
        _ failure: String,
        _ isDone: () async throws(RoutingError) -> Bool
    ) async throws(RoutingError) {
        while try await !isDone() {
            guard ContinuousClock.now < end, !Task.isCancelled else { throw RoutingError(.unreachable, failure) }
            try? await Task.sleep(for: Self.glance)
        }
    }

    /// While its program is upgraded two of them accept, and only the newer is told.
    private func requireNoElder() throws(RoutingError) {
        guard let elder = Self.master(of: folder.elder) else { return }
        throw RoutingError(
            .unreachable,
            "the nginx from before an upgrade of its program (process \(elder)) still accepts clients",
            mend: "end it once the new one does well: kill -QUIT \(elder)"
        )
    }

    /// The process that a file names, where it is an nginx.
    private static func master(of file: URL) -> Int32? {
        guard let data = FileManager.default.contents(atPath: file.path),
            let pid = Int32(String(decoding: data, as: UTF8.self).filter(\.isNumber)), pid > 1,
            let title = FileManager.default.contents(atPath: "/proc/\(pid)/cmdline"),
            String(decoding: title, as: UTF8.self).hasPrefix("nginx: master")
        else { return nil }
        return pid
    }

    private func master() throws(RoutingError) -> Int32 {
        guard let pid = Self.master(of: folder.pid) else {
            throw RoutingError(
                .unreachable,
                "there is no process of nginx in \(folder.pid.path)",
                mend: "start nginx with the configuration that `migrate route config nginx` wrote"
            )
        }
        return pid
    }

    private func write(_ route: RouteText) throws(RoutingError) {
        do {
            try Data(NginxRoutes.text(route, plan).utf8).write(to: folder.routes, options: .atomic)
        } catch {
            throw RoutingError(.storage, "\(folder.routes.path) cannot be written: \(error.localizedDescription)")
        }
    }

    /// - Throws: where nobody can say which they are: then nobody can say that the old ones are gone.
    private static func children(of master: Int32) throws(RoutingError) -> Set<Int32> {
        let text = FileManager.default.contents(atPath: "/proc/\(master)/task/\(master)/children") ?? Data()
        let children = Set(String(decoding: text, as: UTF8.self).split(separator: " ").compactMap { Int32($0) })
        guard !children.isEmpty else {
            throw RoutingError(
                .unreachable,
                "the workers of nginx (process \(master)) cannot be seen",
                mend: "run this where nginx runs, as its user, on a system that has /proc"
            )
        }
        return children
    }
}
