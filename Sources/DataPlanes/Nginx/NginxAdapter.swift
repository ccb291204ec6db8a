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

    package let router: String
    private let plan: Plan
    private let folder: NginxFolder
    private let reload = Reload()

    /// The last reload: whose, and the workers that it is to end. A reload that somebody else began, or this before it was restarted, is not known, and so made again.
    private final class Reload: Sendable {
        private let state = Mutex<(master: Int32?, old: Set<Int32>)>((nil, []))

        var master: Int32? { state.withLock { $0.master } }
        var old: Set<Int32> { state.withLock { $0.old } }
        func begun(_ master: Int32, _ workers: Set<Int32>) { state.withLock { $0 = (master, workers) } }
    }

    package init(router: String, plan: Plan, folder: NginxFolder) {
        self.router = router
        self.plan = plan
        self.folder = folder
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
            // Where it is away it finds this when it starts.
            if let told = try NginxRoutes.read(folder, plan), told != wanted {
                try told.require(table, plan)
                try write(wanted)
            }
            throw error
        }
        try now.require(table, plan)
        let master = try master()
        let end = ContinuousClock.now + Self.patience
        if now != wanted || reload.master != master {
            if now != wanted { try write(wanted) }
            // Not before that: whom somebody else's reload brings from here on reads what is written.
            let workers = try Self.children(of: master)
            guard kill(master, SIGHUP) == 0 else {
                throw RoutingError(
                    .unreachable,
                    "nginx (process \(master)) cannot be told to reload: \(String(cString: strerror(errno)))"
                )
            }
            // Also those that an earlier reload has not ended yet.
            reload.begun(master, workers)
            try await wait(until: end, "nginx does not take the routes of \(folder.routes.path)") {
                () async throws(RoutingError) in
                // One that has ended meanwhile takes nothing, and its successor is not kept waiting.
                _ = try Self.children(of: master)
                return (try? await read()) == wanted
            }
        }
        let old = reload.old
        try await wait(until: end, "workers of an older configuration of nginx still have requests under way") {
            () async throws(RoutingError) in try Self.children(of: master).isDisjoint(with: old)
        }
        return Acknowledgement(router: router, revision: wanted.revision, at: SystemClock.now)
    }

    /// What is in force in the workers that take connections.
    package func read() async throws(RoutingError) -> RouteText {
        let text = try await AdminEndpoint(place: .socket(path: folder.admin.path), program: ("nginx", "nginx")).get(
            "/route"
        )
        guard let route = RouteText(text, services: plan.services.count) else {
            throw RoutingError(
                .storage,
                "nginx has no route of \(plan.services.count) services: \(text.prefix(200))",
                mend: "write its configuration anew: migrate route config nginx"
            )
        }
        return route
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

    private func master() throws(RoutingError) -> Int32 {
        guard let data = FileManager.default.contents(atPath: folder.pid.path),
            let pid = Int32(String(decoding: data, as: UTF8.self).filter(\.isNumber)), pid > 1,
            let title = FileManager.default.contents(atPath: "/proc/\(pid)/cmdline"),
            String(decoding: title, as: UTF8.self).hasPrefix("nginx: master")
        else {
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
            try Data(NginxRoutes.text(route).utf8).write(to: folder.routes, options: .atomic)
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
