import Foundation
package import MigrationCore
package import Routing
import Signals

/// Tells an nginx who goes where: another file in the place of its routes, a reload, and a look at what its workers say and at whether those of
/// an older configuration are gone.
package struct NginxAdapter: PlaneAdapter {
    private static let patience = Duration.seconds(3)
    private static let glance = Duration.milliseconds(5)
    /// Workers of a new configuration answer before those of the old one are told to end: 100 ms before, in nginx 1.22.
    private static let settle = Duration.milliseconds(250)

    private let router: String
    private let plan: Plan
    private let folder: NginxFolder

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
        let now = try await read()
        try now.require(table, plan)
        let master = try master()
        let end = ContinuousClock.now + Self.patience
        let workers = Self.children(of: master)
        if now != wanted {
            try write(wanted)
            guard kill(master, SIGHUP) == 0 else {
                throw RoutingError(
                    .unreachable,
                    "nginx (process \(master)) cannot be told to reload: \(String(cString: strerror(errno)))"
                )
            }
            try await wait(until: end, "nginx does not take the routes of \(folder.routes.path)") {
                (try? await read()) == wanted
            }
        }
        let isReloaded = now != wanted
        if !isReloaded { try? await Task.sleep(for: Self.settle) }
        try await wait(until: end, "workers of an older configuration of nginx still have requests under way") {
            let left = Self.children(of: master)
            return !left.contains(where: Self.isShuttingDown) && (!isReloaded || workers.isDisjoint(with: left))
        }
        return Acknowledgement(router: router, revision: wanted.revision, at: SystemClock.now)
    }

    package func current() async throws(RoutingError) -> Acknowledgement? {
        let now = try await read()
        return now.isUntold ? nil : Acknowledgement(router: router, revision: now.revision, at: SystemClock.now)
    }

    /// What is in force in the workers that take connections.
    package func read() async throws(RoutingError) -> RouteText {
        let text = try await AdminSocket(path: folder.admin.path, program: ("nginx", "nginx")).get("/route")
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
        _ isDone: () async -> Bool
    ) async throws(RoutingError) {
        while await !isDone() {
            guard ContinuousClock.now < end, !Task.isCancelled else { throw RoutingError(.unreachable, failure) }
            try? await Task.sleep(for: Self.glance)
        }
    }

    private func master() throws(RoutingError) -> Int32 {
        guard let data = FileManager.default.contents(atPath: folder.pid.path),
            let pid = Int32(String(decoding: data, as: UTF8.self).filter(\.isNumber)), pid > 1
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

    private static func children(of master: Int32) -> Set<Int32> {
        let text = FileManager.default.contents(atPath: "/proc/\(master)/task/\(master)/children") ?? Data()
        return Set(String(decoding: text, as: UTF8.self).split(separator: " ").compactMap { Int32($0) })
    }

    /// Whether a worker's title says that it is one of an older configuration.
    private static func isShuttingDown(_ worker: Int32) -> Bool {
        let title = FileManager.default.contents(atPath: "/proc/\(worker)/cmdline") ?? Data()
        return String(decoding: title, as: UTF8.self).contains("shutting down")
    }
}
