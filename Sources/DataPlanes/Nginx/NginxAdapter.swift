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

    /// The last reload: whose, for which route, and the workers that it is to end. One that somebody else began, or this before it was restarted, is not known, and
    /// so made again.
    private final class Reload: Sendable {
        struct Made {
            var master: Int32
            var route: RouteText
            var old: Set<Int32>
        }
        private let state = Mutex<Made?>(nil)

        var last: Made? { state.withLock { $0 } }
        func made(_ made: Made) { state.withLock { $0 = made } }
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
            try prepare(table)
            throw error
        }
        try now.require(table, plan)
        let master = try master()
        let end = ContinuousClock.now + Self.patience
        if now != wanted || reload.last?.master != master || reload.last?.route != wanted {
            if now != wanted { try write(wanted) }
            let before = try await renew(master, wanted, until: end)
            // As many workers come as go, once all have come. With more of them somebody else's reload, which may have read what stood there before, has come between.
            try? await Task.sleep(for: Self.fork)
            let after = try Self.children(of: master)
            if after.subtracting(before).count != before.count { try await renew(master, wanted, until: end) }
        }
        let old = reload.last?.old ?? []
        try await wait(until: end, "workers of an older configuration of nginx still have requests under way") {
            () async throws(RoutingError) in try Self.children(of: master).isDisjoint(with: old)
        }
        try requireNoElder()
        return Acknowledgement(router: router, revision: wanted.revision, at: SystemClock.now)
    }

    /// What it finds when it starts: nobody more is sent to a candidate than before, unless it is certainly not there, and begins with what is in the folder, which was written for
    /// this plan.
    func prepare(_ table: RouteTable) throws(RoutingError) {
        guard let told = try NginxRoutes.read(folder, plan) else { return }
        let wanted = RouteText(table, plan)
        try told.require(table, plan)
        let isAway = Self.master(of: folder.pid) == nil && Self.master(of: folder.elder) == nil && isConfigured
        let next = wanted.raises(told) && !isAway ? told.lowered(to: wanted) : wanted
        if next != told { try write(next) }
    }

    /// Has nginx read its configuration anew.
    ///
    /// - Returns: the workers that this ends.
    @discardableResult
    private func renew(_ master: Int32, _ wanted: RouteText, until end: ContinuousClock.Instant)
        async throws(RoutingError)
        -> Set<Int32>
    {
        // Not before the routes are written: whom somebody else's reload brings from here on reads them. Also those that an earlier reload has not ended yet.
        let workers = try Self.children(of: master)
        guard kill(master, SIGHUP) == 0 else {
            throw RoutingError(
                .unreachable,
                "nginx (process \(master)) cannot be told to reload: \(String(cString: strerror(errno)))"
            )
        }
        try await wait(until: end, "nginx does not take the routes of \(folder.routes.path)") {
            () async throws(RoutingError) in
            // One that has ended meanwhile takes nothing, and its successor is not kept waiting.
            guard try !Self.children(of: master).isSubset(of: workers) else { return false }
            return (try? await read()) == wanted
        }
        reload.made(Reload.Made(master: master, route: wanted, old: workers))
        return workers
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
