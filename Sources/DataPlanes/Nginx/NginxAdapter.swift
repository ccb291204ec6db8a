import Foundation
import MigrationCore
package import Routing
import Signals

/// Tells an nginx who goes where: another file in the place of its routes, a reload, and a look at what its workers say and at whether those of
/// an older configuration are gone.
package struct NginxAdapter: PlaneAdapter {
    private static let patience = Duration.seconds(3)
    private static let glance = Duration.milliseconds(5)
    /// Within this all workers of a configuration have begun once one has.
    private static let fork = Duration.milliseconds(30)
    /// So long a reload may be under way: its first process asks for every name, and a server of names that does not answer is waited for.
    private static let longest = Duration.seconds(30)
    /// A route that was refused, and takes nobody back, is tried again after this.
    private static let pause = Duration.seconds(5)

    package let router: String
    private let plan: Plan
    private let folder: NginxFolder
    private let port: Int
    private let reload: NginxReload

    /// - Parameters:
    ///   - port: where nginx says on this host which route it has.
    ///   - reload: of whoever tells the same nginx from this process.
    init(router: String, plan: Plan, folder: NginxFolder, port: Int, reload: NginxReload) {
        self.reload = reload
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
            try await lower(to: table, from: nil)
            throw error
        }
        try now.require(table, plan)
        guard let master = NginxProcess.master(of: folder.pid) else {
            // Whoever begins it anew begins with that.
            try await lower(to: table, from: now)
            throw RoutingError(
                .unreachable,
                "the first process of nginx is gone (\(folder.pid.path)), and workers of it go on by revision \(now.revision)",
                mend:
                    "end them, whom nobody tells anything any more (ss -ltnp 'sport = :\(port)' names them), and start nginx"
            )
        }
        let end = ContinuousClock.now + Self.patience
        let old = try await force(wanted, from: now, master, until: end)
        try await wait(until: end, "workers of an older configuration of nginx still have requests under way") {
            () async throws(RoutingError) in try NginxProcess.children(of: master).isDisjoint(with: old)
        }
        try requireNoElder()
        return Acknowledgement(router: router, revision: wanted.revision, at: SystemClock.now)
    }

    package func lower(to table: RouteTable) async throws(RoutingError) {
        try await lower(to: table, from: try? await read())
    }

    /// - Parameter now: what is in force; nil where nobody says so.
    private func lower(to table: RouteTable, from now: RouteText?) async throws(RoutingError) {
        guard let told = try NginxRoutes.read(folder, plan) else { return }
        try told.require(table, plan)
        let wanted = RouteText(table, plan)
        let master = NginxProcess.master(of: folder.pid)
        let isAway = now == nil && master == nil && NginxProcess.master(of: folder.elder) == nil && isConfigured
        // The file may have something else than is in force, which nobody has seen taken.
        let least = now ?? told
        let next = wanted.raises(least) && !isAway ? least.lowered(to: wanted) : wanted
        if let now, let master, now != next {
            _ = try await force(next, from: now, master, until: .now + Self.patience)
        } else if now != nil || master == nil {
            if next != told { try write(next) }
        } else if let master {
            try tell(master, next, told)
        }
    }

    /// Has the first process of an nginx whose workers do not answer take what sends nobody more to a candidate. Once is enough, but where it has refused it.
    ///
    /// - Parameter told: what the file has.
    private func tell(_ master: Int32, _ next: RouteText, _ told: RouteText) throws(RoutingError) {
        guard let last = reload.last, last.master == master, last.route == told, next == told else {
            if next != told { try write(next) }
            _ = try ask(master, for: next, from: told)
            return
        }
        guard let refusal = last.said.refusal(of: master) else { return }
        let most = last.route == last.wanted ? last.before.lowered(to: last.wanted) : last.route
        if let less = less(than: last.route, refusal, from: most) {
            try write(less)
            _ = try ask(master, for: last.wanted, from: last.before, with: less, refusal)
        } else if last.at + Self.pause < .now {
            _ = try ask(master, for: last.wanted, from: last.before, with: last.route, refusal)
        }
    }

    /// Has nginx take a route. Of one that it refuses it is given what sends nobody more to a candidate, without those candidates on whose account it does; where it refuses that as
    /// well, or there is nothing of the kind, its file keeps the least that was tried, so that nothing more is found at its next start.
    ///
    /// - Parameter now: what is in force.
    /// - Returns: the workers that may still go by something else.
    /// - Throws: where it was refused, or is not taken in time; then it is still waited for the next time.
    private func force(
        _ wanted: RouteText,
        from now: RouteText,
        _ master: Int32,
        until end: ContinuousClock.Instant
    ) async throws(RoutingError) -> Set<Int32> {
        var (attempt, end) = (try begin(wanted, from: now, master), end)
        while !attempt.isOver {
            if let refusal = try await outcome(of: attempt, until: end) {
                end = .now + Self.patience
                if attempt.isQueued {
                    close(&attempt)
                    attempt = try ask(
                        master,
                        for: wanted,
                        from: now,
                        with: attempt.route,
                        attempt.refusal,
                        isSecond: attempt.isSecond
                    )
                    continue
                }
                attempt.refusal = refusal
                close(&attempt)
                // Of what sends more to somebody, and less to nobody, there is nothing to take; what was taken once is in force.
                let isWhole = attempt.route == wanted
                guard !attempt.isSecond, !isWhole || now.raises(wanted),
                    let next = less(
                        than: attempt.route,
                        refusal,
                        from: isWhole ? now.lowered(to: wanted) : attempt.route
                    )
                else {
                    if !attempt.isSecond, !now.raises(wanted) { try write(now) }
                    throw refusal.error(wanted)
                }
                try write(next)
                attempt = try ask(master, for: wanted, from: now, with: next, refusal)
            } else if let refusal = attempt.refusal {
                close(&attempt)
                throw refusal.error(wanted)
            } else if !attempt.isSecond, try await wasCrossed(attempt) {
                close(&attempt)
                attempt = try ask(master, for: wanted, from: now, isSecond: true)
            } else {
                close(&attempt)
            }
        }
        return attempt.workers
    }

    private func close(_ attempt: inout NginxReload.Attempt) {
        attempt.isOver = true
        reload.last = attempt
    }

    /// The reload for a route that is under way, or was taken; or else a new one.
    ///
    /// - Throws: where it was refused a moment ago, and takes nobody back.
    private func begin(_ wanted: RouteText, from now: RouteText, _ master: Int32) throws(RoutingError)
        -> NginxReload.Attempt
    {
        if let last = reload.last, last.master == master, last.wanted == wanted {
            let age = ContinuousClock.now - last.at
            switch (last.isOver, last.refusal) {
            case (false, let refusal):
                guard try NginxRoutes.read(folder, plan) == last.route else { break }
                if age < Self.longest { return last }
                if let refusal { return try ask(master, for: wanted, from: now, with: last.route, refusal) }
            case (true, nil): if now == wanted { return last }
            case (true, let refusal?): if age < Self.pause, !now.raises(wanted) { throw refusal.error(wanted) }
            }
        }
        if try NginxRoutes.read(folder, plan) != wanted { try write(wanted) }
        return try ask(master, for: wanted, from: now)
    }

    /// What is left of a route that nginx has refused; nil where that is nothing else.
    ///
    /// - Parameter most: what of it may be told.
    private func less(than route: RouteText, _ refusal: NginxRefusal, from most: RouteText) -> RouteText? {
        var next = most
        if let service = refusal.service(in: NginxRoutes.text(route, plan), of: folder.routes) {
            next.weights[service] = .zero
        } else if next == route {
            next.weights = next.weights.map { _ in .zero }
        }
        return next == route ? nil : next
    }

    /// Whether another reload has come between, which may have read what stood there before: as many workers come as took clients, once all have come.
    private func wasCrossed(_ attempt: NginxReload.Attempt) async throws(RoutingError) -> Bool {
        if attempt.isQueued { return true }
        try? await Task.sleep(for: Self.fork)
        let after = try NginxProcess.children(of: attempt.master)
        return after.subtracting(attempt.workers).count != attempt.count
    }

    /// Waits until nginx has read its configuration anew, or has refused it.
    ///
    /// - Returns: nil where it has taken it.
    private func outcome(of attempt: NginxReload.Attempt, until end: ContinuousClock.Instant) async throws(RoutingError)
        -> NginxRefusal?
    {
        var refusal: NginxRefusal?
        try await wait(until: end, "nginx does not take the routes of \(folder.routes.path)") {
            () async throws(RoutingError) in
            refusal = attempt.said.refusal(of: attempt.master)
            if refusal != nil { return true }
            // One that has ended meanwhile takes nothing, and its successor is not kept waiting.
            guard try !NginxProcess.children(of: attempt.master).isSubset(of: attempt.workers) else { return false }
            return (try? await read()) == attempt.route
        }
        return refusal
    }

    /// Has nginx's first process read its configuration anew.
    ///
    /// - Parameters:
    ///   - before: what was in force, or what the file had.
    ///   - route: what the file has; nil is what is wanted.
    ///   - refusal: why it is not that.
    private func ask(
        _ master: Int32,
        for wanted: RouteText,
        from before: RouteText,
        with route: RouteText? = nil,
        _ refusal: NginxRefusal? = nil,
        isSecond: Bool = false
    ) throws(RoutingError) -> NginxReload.Attempt {
        // Not before the routes are written: whom somebody else's reload brings from here on reads them. Also those that an earlier reload has not ended yet.
        let workers = try NginxProcess.children(of: master)
        let attempt = NginxReload.Attempt(
            master: master,
            wanted: wanted,
            route: route ?? wanted,
            refusal: refusal,
            before: before,
            workers: workers,
            count: workers.count { !NginxProcess.isEnding($0) },
            said: NginxRefusal.Log(folder.errors),
            isSecond: isSecond,
            isQueued: reload.last.map { $0.master == master && !$0.isOver } ?? false
        )
        guard kill(master, SIGHUP) == 0 else {
            throw RoutingError(
                .unreachable,
                "nginx (process \(master)) cannot be told to reload: \(String(cString: strerror(errno)))"
            )
        }
        reload.last = attempt
        return attempt
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
        guard let elder = NginxProcess.master(of: folder.elder) else { return }
        throw RoutingError(
            .unreachable,
            "the nginx from before an upgrade of its program (process \(elder)) still accepts clients",
            mend: "end it once the new one does well: kill -QUIT \(elder)"
        )
    }

    private func write(_ route: RouteText) throws(RoutingError) {
        do {
            try Data(NginxRoutes.text(route, plan).utf8).write(to: folder.routes, options: .atomic)
        } catch {
            throw RoutingError(.storage, "\(folder.routes.path) cannot be written: \(error.localizedDescription)")
        }
    }
}
