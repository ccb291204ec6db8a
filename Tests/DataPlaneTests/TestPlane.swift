import AsyncHTTPClient
import DataPlanes
import Foundation
import Logging
import MigrationCore
import Routing
import TestSupport
import Testing

/// A real data plane with the configuration that is made for a plan.
protocol TestPlane: Sendable {
    var plan: Plan { get }
    var url: String { get }
    var plane: any DataPlane { get }
}

extension TestPlane {
    /// Runs what tells it where to send requests while the body runs.
    ///
    /// - Parameters:
    ///   - admin: where that says of itself how it does.
    ///   - trust: the certificates by which implementations are asked whether they are up; the system's without it.
    func follow<R: Sendable>(
        _ routes: TestRoutes,
        admin: Address? = nil,
        trust: URL? = nil,
        _ body: () async throws -> R
    ) async throws -> R {
        var logger = Logger(label: "plane")
        logger.logLevel = .critical
        let router = try PlaneRouter(
            name: "r",
            environment: "production",
            plan: plan,
            plane: plane,
            source: routes,
            sink: routes,
            admin: admin,
            trust: trust,
            logger: logger
        )
        return try await running(router, body: body)
    }

    /// Who answers a user's request; a reload of nginx's ends idle connections, also one that is just being used, and then it is asked again.
    func side(user: String?, path: String = "/a") async throws -> String {
        do {
            return try await SteadyLoad.side(url, user: user, path: path)
        } catch {
            return try await SteadyLoad.side(url, user: user, path: path)
        }
    }

    /// Who answers a user's request of each of two services.
    func sides() async throws -> [String] { [try await side(user: "u"), try await side(user: "u", path: "/b")] }

    /// Switches it twenty times under load: no request fails, and none is sent to the candidate from the moment of the acknowledgement of 0 on.
    ///
    /// - Parameter isGentle: whether no request may fail; else it is printed how many did.
    func checkSwitching(_ routes: TestRoutes, _ candidate: TestUpstream, isGentle: Bool = true) async throws {
        let load = SteadyLoad()
        let late = try await load.switching(url, routes) { candidate.requests }
        #expect(late == Array(repeating: 0, count: 20))
        print("\(plane.name) had rollbacks acknowledged after at most", load.slowestRollback)
        if isGentle { #expect(load.failed == 0) } else { print("requests that switching broke off:", load.failed) }
        #expect(load.answered > 800)
    }

    /// Ends it hard at the very moment of a rollback, five times, and starts it again: by itself it comes to legacy, and nothing is sent to the candidate from the moment of
    /// the acknowledgement on. How long that took is printed.
    ///
    /// - Parameter run: runs it while its body runs, and ends it then.
    func checkKilledDuringRollback(
        _ routes: TestRoutes,
        _ candidate: TestUpstream,
        run: (_ body: () async throws -> Void) async throws -> Void
    ) async throws {
        let load = SteadyLoad()
        routes.count { candidate.requests }
        var longest = Duration.zero
        try await follow(routes) {
            for turn in 0..<5 {
                let (up, down) = (Int64(turn * 2 + 1), Int64(turn * 2 + 2))
                try await run {
                    try await eventually("revision \(up)") {
                        routes.insist(on: TestRoutes.table(up, .all))
                        return routes.acknowledged.contains(up)
                    }
                    let before = candidate.requests
                    try await load.keepUp(url) {
                        try await eventually("requests to the candidate") { candidate.requests > before + 5 }
                    }
                    routes.route(TestRoutes.table(down, .zero))
                }
                let begun = ContinuousClock.now
                try await run {
                    try await load.keepUp(url) {
                        try await eventually("revision \(down)") {
                            routes.insist(on: TestRoutes.table(down, .zero))
                            return routes.acknowledged.contains(down)
                        }
                        longest = max(longest, ContinuousClock.now - begun)
                        let answered = load.answered
                        try await eventually("more requests") { load.answered > answered + 40 }
                        #expect(candidate.requests == routes.counted(at: down), "turn \(turn)")
                    }
                }
            }
        }
        print("\(plane.name), killed during a rollback, was back at legacy after at most", longest)
    }

    /// Takes 0 into force while a request that was sent to the candidate before waits for its connection there: that is acknowledged when it has come.
    ///
    /// - Parameters:
    ///   - crowd: where the plan has its candidate.
    ///   - meanwhile: what happens while the request waits.
    /// - Returns: whether the request has come to the candidate; on a machine that is starved its time may be over before, and then nothing is shown.
    func checkPending(_ crowd: CrowdedPort, meanwhile: () async throws -> Void = {}) async throws -> Bool {
        let adapter = plane.adapter(router: "r", plan: plan)
        _ = try await adapter.apply(TestRoutes.table(1, .all))
        async let answer = SteadyLoad.side(url, user: "u")
        try await eventually("the request to wait for its connection") { crowd.waiting > 0 }
        try await meanwhile()
        async let acknowledgement = adapter.apply(TestRoutes.table(2, .zero))
        let candidate = try await crowd.open(.answers("candidate"))
        #expect(try await acknowledgement.revision == 2)
        try await candidate.catchUp()
        let heard = candidate.requests
        let hasCome = try await answer == "candidate"
        if hasCome { #expect(heard == 1) }
        await candidate.close()
        return hasCome
    }

    /// Has data planes do ``checkPending(_:meanwhile:)``, until the request has come to the candidate, three of them at most.
    ///
    /// - Parameter stage: makes a data plane for the plan, and has it do so while it runs.
    static func checkPending(
        timeout: TimeSpan = .seconds(5),
        _ stage: (Plan, CrowdedPort) async throws -> Bool
    ) async throws {
        let legacy = try await TestUpstream(.answers("legacy"))
        var hasCome = false
        for _ in 0..<3 where !hasCome {
            let crowd = try CrowdedPort()
            let plan = TestRoutes.plan(legacy: legacy.port, candidate: crowd.port, timeout: timeout)
            hasCome = try await stage(plan, crowd)
        }
        #expect(hasCome)
        await legacy.close()
    }

    /// Puts what was told before back in its place behind everybody's back: it is told again by itself within one look, and how soon is printed.
    ///
    /// - Parameters:
    ///   - save: keeps what the data plane has now.
    ///   - restore: gives it back to it.
    func checkOverwritten(
        _ routes: TestRoutes,
        save: () async throws -> Void,
        restore: () async throws -> Void
    ) async throws {
        let adapter = plane.adapter(router: "other", plan: plan)
        try await follow(routes) {
            routes.route(TestRoutes.table(1, .all))
            try await eventually("revision 1") { routes.acknowledged.contains(1) }
            try await save()
            routes.route(TestRoutes.table(2, .zero))
            try await eventually("revision 2") { routes.acknowledged.contains(2) }
            try await restore()
            let begun = ContinuousClock.now
            // It may be seen, or be over sooner.
            for _ in 0..<200 {
                if try await adapter.read().revision == 1 { break }
                try await Task.sleep(for: .milliseconds(5))
            }
            try await eventually(within: 3, "revision 2 again") {
                guard try await adapter.read().revision == 2 else { return false }
                return try await SteadyLoad.side(url, user: "u") == "legacy"
            }
            print("\(plane.name) had what was told before for at most", ContinuousClock.now - begun)
        }
    }

    /// Started by the program that is made for it, it begins at legacy, whatever it was told before, and is told again by itself; where whoever tells it is there, it begins with
    /// what is wanted by then.
    ///
    /// - Parameters:
    ///   - file: where its routes are.
    ///   - run: runs it so while its body runs, and ends it then.
    func checkBegunAnew(
        _ routes: TestRoutes,
        _ file: URL,
        run: (_ body: () async throws -> Void) async throws -> Void
    ) async throws {
        let table = TestRoutes.table(1, .all)
        try await run {
            _ = try await plane.adapter(router: "r", plan: plan).apply(table)
            #expect(try await SteadyLoad.side(url, user: "u") == "candidate")
        }
        // Nobody has said for a while that this is wanted.
        try FileManager.default.setAttributes([.modificationDate: Date() - 10], ofItemAtPath: file.path)
        try await run {
            let side = try await SteadyLoad.side(url, user: "u")
            #expect(side == "legacy")
        }
        try await follow(routes) {
            try await run {
                routes.route(table)
                try await eventually("revision 1") { routes.acknowledged.contains(1) }
                #expect(try await SteadyLoad.side(url, user: "u") == "candidate")
            }
            // It is away, and what is told meanwhile it finds when it comes.
            let adapter = plane.adapter(router: "other", plan: plan)
            for (revision, weight, side) in [(Int64(2), Weight.zero, "legacy"), (3, .all, "candidate")] {
                routes.route(TestRoutes.table(revision, weight))
                try await eventually("it to be written") {
                    let text = try String(contentsOf: file, encoding: .utf8)
                    return text.contains("\(revision):log:h\(revision):")
                }
                let written = try FileManager.default.attributesOfItem(atPath: file.path)[.modificationDate] as? Date
                try await eventually("somebody to say that it is wanted") {
                    let said = try FileManager.default.attributesOfItem(atPath: file.path)[.modificationDate] as? Date
                    return said != written
                }
                try await run {
                    #expect(try await adapter.read().revision == revision)
                    let first = try await SteadyLoad.side(url, user: "u")
                    #expect(first == side)
                }
            }
        }
    }

    /// For a plan that its configuration was not written for nothing is acknowledged: it is told only what sends nobody more to a candidate.
    ///
    /// - Parameter isMarked: whether its configuration says for which plan it was written.
    func checkForeign(isMarked: Bool = true) async throws {
        var other = plan
        if isMarked { other.services[0].timeout = .milliseconds(800) }
        let state = FileManager.default.temporaryDirectory.appendingPathComponent("foreign-\(UUID().uuidString)")
        let own = plane.adapter(router: "r", plan: plan)
        let foreign = try PlaneKeeper(
            plane.adapter(router: "r", plan: other),
            plan: other,
            state: state,
            logger: Logger(label: "test")
        )
        let reason = isMarked ? "not written for this plan" : "written by another release"
        func expectRefusal(_ body: () async throws -> Void) async {
            let error = await #expect(throws: RoutingError.self) { try await body() }
            #expect(error?.code == .unsuitable && error?.message.contains(reason) == true, "\(error?.message ?? "")")
        }
        _ = try await own.apply(TestRoutes.table(1, .zero))
        await expectRefusal { try await foreign.apply(TestRoutes.table(2, .all)) }
        #expect(try await own.read().revision == 1)
        #expect(try await SteadyLoad.side(url, user: "u") == "legacy")
        _ = try await own.apply(TestRoutes.table(2, .all))
        if isMarked { try await own.requireOwnConfiguration() }
        // The same route is of who knows what.
        await expectRefusal { _ = try await foreign.reassert() }
        for (revision, weight) in [(Int64(3), SamplePlan.weight(5_000)), (4, .zero)] {
            await expectRefusal { try await foreign.apply(TestRoutes.table(revision, weight)) }
            #expect(try await own.read() == RouteText(TestRoutes.table(revision, weight), plan))
        }
        #expect(try await SteadyLoad.side(url, user: "u") == "legacy")
        #expect(await foreign.table == nil && !FileManager.default.fileExists(atPath: state.path))
    }

    /// Of a table that takes one service back and sends another on, nobody is sent on by a configuration that was not written for the plan; those who are taken back are.
    ///
    /// - Parameter stage: has a data plane for the plan, and runs it while the body runs.
    static func checkMixed(_ stage: (Plan, _ body: (Self) async throws -> Void) async throws -> Void) async throws {
        let legacy = try await TestUpstream(.answers("legacy"))
        let candidate = try await TestUpstream(.answers("candidate"))
        let state = FileManager.default.temporaryDirectory.appendingPathComponent("mixed-\(UUID().uuidString)")
        defer { try? FileManager.default.removeItem(at: state) }
        var plan = TestRoutes.plan(legacy: legacy.port, candidate: candidate.port)
        plan.services.append(TestRoutes.second(legacy: legacy.port, candidate: candidate.port))
        try await stage(plan) { plane in
            let own = plane.plane.adapter(router: "r", plan: plan)
            _ = try await own.apply(TestRoutes.table(1, .all, b: .zero))
            #expect(try await plane.sides() == ["candidate", "legacy"])
            var other = plan
            other.services[1].timeout = .milliseconds(800)
            let foreign = try PlaneKeeper(
                plane.plane.adapter(router: "r", plan: other),
                plan: other,
                state: state,
                logger: Logger(label: "test")
            )
            let next = TestRoutes.table(2, .zero, b: .all)
            let error = await #expect(throws: RoutingError.self) { try await foreign.apply(next) }
            #expect(error?.code == .unsuitable, "\(error?.message ?? "")")
            try await eventually("the first to be taken back") { try await plane.sides() == ["legacy", "legacy"] }
            #expect(try await own.read() == RouteText(TestRoutes.table(1, .zero, b: .zero), plan))
            // What it had is not told again, as if nothing had come since.
            let again = await #expect(throws: RoutingError.self) {
                try await own.apply(TestRoutes.table(1, .all, b: .zero))
            }
            #expect(again?.code == .stale, "\(again?.message ?? "")")
            #expect(try await own.apply(next).revision == 2)
            #expect(try await plane.sides() == ["legacy", "candidate"])
        }
        await legacy.close()
        await candidate.close()
    }

    /// Rewrites its configuration, such as without its mark.
    func rewrite(_ configuration: URL, _ change: (String) -> String) throws {
        let text = String(decoding: try Data(contentsOf: configuration), as: UTF8.self)
        #expect(change(text) != text)
        try Data(change(text).utf8).write(to: configuration)
    }

    /// What a candidate answers to the users of ``checkMeasured(_:)``.
    static var measuredAnswer: @Sendable (String) -> String {
        { request in
            if request.contains("x-user-id: slow") { return "" }
            if request.contains("x-user-id: bad") { return "HTTP/1.1 500 No\r\ncontent-length: 9\r\n\r\ncandidate" }
            return "HTTP/1.1 200 OK\r\ncontent-length: 9\r\ncache-status: t; fwd=miss\r\n\r\ncandidate"
        }
    }

    /// Measures from its log each request: on which side, how it ended, how long it took, whose, by which cache.
    func checkMeasured(_ routes: TestRoutes) async throws {
        try await routes.untilMeasuring()
        for user in ["a", "b", "b"] { #expect(try await SteadyLoad.side(url, user: user) == "legacy") }
        routes.route(TestRoutes.table(1, .all))
        try await eventually("revision 1") { routes.acknowledged == [1] }
        for user in ["a", "bad", "slow", nil] { _ = try await side(user: user) }
        func total(_ implementation: Implementation) -> Counts {
            routes.signals.reduce(Counts()) { $0 + $1.services[0][implementation] }
        }
        try await eventually("all to be measured") {
            total(.legacy).requests == 3 && total(.candidate).requests == 4
        }
        let (legacy, candidate) = (total(.legacy), total(.candidate))
        #expect((legacy.errors, legacy.timeouts, legacy.cacheHits, legacy.latency.count) == (0, 0, 3, 3))
        #expect((candidate.errors, candidate.timeouts, candidate.cacheMisses) == (1, 1, 2))
        #expect(candidate.latency.count == 4)
        #expect((candidate.latency.buckets.last?.micros ?? 0) > 600_000)
        #expect(candidate.usersWithErrors == 1)
        #expect(legacy.probesUp > 0)
    }

    /// Of two that write at once the one writes nothing over what the other has written meanwhile: the higher revision stays.
    func checkCompared(rounds: Int) async throws {
        let (one, other) = (plane.adapter(router: "r", plan: plan), plane.adapter(router: "r", plan: plan))
        for round in 0..<rounds {
            let low = TestRoutes.table(Int64(round * 2 + 1), .zero), high = TestRoutes.table(Int64(round * 2 + 2), .all)
            async let first = try? one.apply(low)
            async let second = try? other.apply(high)
            _ = await (first, second)
            let now = try await one.read()
            #expect(now == RouteText(high, plan))
        }
    }

    /// Refuses an older revision, another commit at the same one, and another log's, unless that came of it.
    func checkFence() async throws {
        let adapter = plane.adapter(router: "r", plan: plan)
        #expect(try await adapter.current() == nil)
        let fifth = TestRoutes.table(5, SamplePlan.weight(5_000))
        #expect(try await adapter.apply(fifth).revision == 5)
        #expect(try await adapter.apply(fifth).revision == 5)
        var forked = fifth
        forked.hash = "other"
        var foreign = TestRoutes.table(9, .all)
        foreign.logID = "elsewhere"
        for (table, code) in [
            (TestRoutes.table(4, .all), RoutingError.Code.stale), (forked, .forked), (foreign, .foreignLog),
        ] {
            let error = await #expect(throws: RoutingError.self) { try await adapter.apply(table) }
            #expect(error?.code == code)
        }
        #expect(try await adapter.read() == RouteText(fifth, plan))
        foreign.ancestors = ["log"]
        foreign.revision = 2
        #expect(try await adapter.apply(foreign).revision == 2)
        #expect(try await adapter.current()?.revision == 2)
    }
}

extension TestRoutes {
    /// A plan with a candidate whose name nobody resolves: a label of it is too long for any server to be asked.
    static func unresolvedPlan(legacy: Int) -> Plan {
        var plan = plan(legacy: legacy, candidate: 1)
        plan.services[0].candidate = "http://\(String(repeating: "x", count: 64)).invalid:80"
        return plan
    }

    /// A plan with every kind of key, and paths that a configuration has to quote.
    static func oddPlan() -> Plan {
        var plan = plan(legacy: 1, candidate: 2)
        plan.stickyBy = [.header(name: "x-user-id"), .cookie(name: "session"), .clientIP]
        for (index, path) in ["/it's", "/a b#c", "/%[src]", "/\"q\" \\", "/ü"].enumerated() {
            plan.services.append(
                MigrationCore.Service(
                    name: "s\(index)",
                    path: path,
                    legacy: "http://[::1]:80",
                    candidate: "http://localhost:8080/",
                    timeout: .minutes(3)
                )
            )
        }
        return plan
    }
}
