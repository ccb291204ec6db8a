import Foundation
package import MigrationCore
package import Routing
import Signals

/// Tells a HAProxy who goes where: one entry of its map, changed by one command and read back.
package struct HAProxyAdapter: PlaneAdapter {
    /// The map's only key.
    package static let key = "route"
    /// What the description of the process is, before the mark of its plan.
    static let description = "migrate plan "
    /// A request that was routed a moment before the change may still be on its way to the other side: 2.1 ms were seen at most (4-routing.md), and some 10 ms on a machine that is starved.
    private static let settle = Duration.milliseconds(50)
    /// A process that has just begun may have been asked before the one in whose place it is was told to stop, from when on that one serves legacy.
    private static let settleOfYoung = Duration.milliseconds(500)
    /// From when on no request is left that was routed before and still waits for its connection.
    private static let connected = Duration.microseconds(HAProxyConfiguration.connecting.rawValue) + settle

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
            let answer = try await tell(wanted)
            let then = try await read()
            guard then == wanted else {
                throw RoutingError(
                    .unreachable,
                    "HAProxy has “\(then.text)” after it was told “\(wanted.text)”\(answer.isEmpty ? "" : ": \(answer)")"
                )
            }
        }
        try await settle(wanted.deserted)
        return Acknowledgement(router: router, revision: wanted.revision, at: SystemClock.now)
    }

    package func lower(to table: RouteTable) async throws(RoutingError) {
        let now = try await read()
        try now.require(table, plan)
        let next = now.lowered(to: RouteText(table, plan))
        if next != now { _ = try await tell(next) }
    }

    private func tell(_ route: RouteText) async throws(RoutingError) -> String {
        try await socket.ask("set map \(map) \(Self.key) \(route.text)")
    }

    /// Waits until no request that was routed before is still on its way to somebody else, or waits for its connection to one of those to whom nobody is sent any more.
    private func settle(_ deserted: [BackEnd]) async throws(RoutingError) {
        let begun = ContinuousClock.now
        func wait(_ time: Duration) async throws(RoutingError) {
            do {
                try await Task.sleep(for: time)
            } catch {
                throw RoutingError(.unreachable, "the wait for requests that were routed before was broken off")
            }
        }
        let (process, uptime) = try await process()
        let isYoung = uptime < Self.settleOfYoung + .seconds(1)
        try await wait(isYoung ? Self.settleOfYoung : Self.settle)
        guard !deserted.isEmpty else { return }
        // What a process from before a reload has still to connect nobody says.
        var mayConnect = uptime < Self.settleOfYoung + Self.connected + .seconds(1)
        var end = begun + (isYoung ? Self.settleOfYoung : .zero) + Self.connected
        while ContinuousClock.now < end {
            let requests = try await requests(of: deserted)
            if !mayConnect {
                // It is asked after it has said how many: whoever said so was there all the time.
                if try await self.process().id != process {
                    mayConnect = true
                    end = .now + Self.settleOfYoung + Self.connected
                } else if requests == 0 {
                    return
                }
            }
            try await wait(min(.milliseconds(20), end - .now))
        }
    }

    package func requireOwnConfiguration() async throws(RoutingError) {
        let mark = Self.line("description: \(Self.description)", of: try await socket.ask("show info"))
        try PlanMark(plan).require(mark, of: ("HAProxy", "haproxy"))
    }

    /// What follows a name in an answer with a line for each.
    private static func line(_ name: String, of answer: String) -> Substring? {
        answer.split(separator: "\n").first { $0.hasPrefix(name) }.map { $0.dropFirst(name.count) }
    }

    /// Whose socket it is, and for how long that has been up, to the second below.
    private func process() async throws(RoutingError) -> (id: Int, uptime: Duration) {
        let answer = try await socket.ask("show info")
        func number(_ name: String) -> Int? { Self.line(name, of: answer).flatMap { Int($0) } }
        guard let seconds = number("Uptime_sec: "), let process = number("Pid: ") else {
            throw RoutingError(.unreachable, "HAProxy does not say how long it has been up: \(answer.prefix(200))")
        }
        return (process, .seconds(seconds))
    }

    /// How many requests these have in hand: those that wait for their connection are among them.
    private func requests(of backEnds: [BackEnd]) async throws(RoutingError) -> Int {
        // All proxies' back ends.
        let answer = try await socket.ask("show stat -1 2 -1")
        var counts: [Substring: Int] = [:]
        for line in answer.split(separator: "\n") {
            // The name, BACKEND, two of its queue, its sessions.
            let fields = line.split(separator: ",", maxSplits: 5, omittingEmptySubsequences: false)
            if fields.count == 6, fields[1] == "BACKEND" { counts[fields[0]] = Int(fields[4]) }
        }
        var sum = 0
        for backEnd in backEnds {
            guard let count = counts[backEnd.name[...]] else {
                throw RoutingError(.unreachable, "HAProxy does not say how many requests \(backEnd.name) has in hand")
            }
            sum += count
        }
        return sum
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
