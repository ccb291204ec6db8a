import AsyncHTTPClient
import DataPlanes
import Foundation
import MigrationCore
import NIOCore
import NIOHTTP1
import Postgres
import Routing
import Signals
import TestSupport
import Testing

@Suite("nginx", .serialized)
struct NginxTests {
    /// An nginx before two upstreams that name themselves.
    private func staged(
        _ candidate: TestUpstream.Behaviour = .answers("candidate"),
        _ body: (TestNginx, TestRoutes, _ candidate: TestUpstream) async throws -> Void
    ) async throws {
        let legacy = try await TestUpstream(.answers("legacy"))
        let other = try await TestUpstream(candidate)
        let nginx = try await TestNginx(TestRoutes.plan(legacy: legacy.port, candidate: other.port))
        defer { nginx.remove() }
        try await body(nginx, TestRoutes(), other)
        await legacy.close()
        await other.close()
    }

    @Test(
        "serves legacy until it is told, and then by the buckets of the documented formula, which only grow with the weight"
    )
    func buckets() async throws {
        try await staged { nginx, routes, _ in
            try await nginx.run {
                #expect(try await nginx.side(user: "u1") == "legacy")
                #expect(try await nginx.side(user: nil) == "legacy")
                try await nginx.follow(routes) {
                    var before: Set<String> = []
                    for (revision, basisPoints) in [0, 37, 1_000, 3_300, 5_000, 9_990, 10_000].enumerated() {
                        let weight = SamplePlan.weight(basisPoints)
                        routes.route(TestRoutes.table(Int64(revision + 1), weight))
                        try await eventually("revision \(revision + 1)") {
                            routes.acknowledged.contains(Int64(revision + 1))
                        }
                        var there: Set<String> = []
                        for number in 0..<200 {
                            let user = "user-\(number)"
                            let side = try await nginx.side(user: user)
                            #expect(
                                side == Dealing.nginx.implementation("m:\(user)", weight: weight).rawValue,
                                "\(user)"
                            )
                            if side == "candidate" { there.insert(user) }
                        }
                        #expect(there.isSuperset(of: before))
                        before = there
                    }
                    #expect(before.count == 200)
                }
            }
        }
    }

    @Test(
        "switched twenty times under load, none is sent to the candidate after 0 is acknowledged; what its reloads break off is printed"
    )
    func switching() async throws {
        try await staged { nginx, routes, candidate in
            try await nginx.run {
                try await nginx.follow(routes) {
                    try await nginx.checkSwitching(routes, candidate, isGentle: false)
                }
            }
        }
    }

    @Test(
        "reloaded by somebody else all the time while it is switched, none is sent to the candidate after 0 is acknowledged"
    )
    func reloadedByOthers() async throws {
        try await staged { nginx, routes, candidate in
            try await nginx.run {
                try await nginx.follow(routes) {
                    let pid = try nginx.master()
                    let other = Task {
                        var reloads = 0
                        while !Task.isCancelled {
                            kill(pid, SIGHUP)
                            reloads += 1
                            try? await Task.sleep(for: .milliseconds(150))
                        }
                        return reloads
                    }
                    let load = SteadyLoad()
                    let late = try await load.switching(nginx.url, routes, turns: 5) { candidate.requests }
                    other.cancel()
                    print("nginx, reloaded by others, had rollbacks acknowledged after at most", load.slowestRollback)
                    #expect(await other.value > 5)
                    #expect(late == [0, 0, 0, 0, 0])
                }
            }
        }
    }

    @Test("while its program is upgraded two of them accept, and nothing is acknowledged before the older one is gone")
    func upgraded() async throws {
        try await staged { nginx, _, _ in
            let adapter = nginx.plane.adapter(router: "n", plan: nginx.plan)
            let elder = nginx.folder.url.appendingPathComponent("nginx.pid.oldbin").path
            var begun: Set<Int32> = []
            func note() {
                guard let master = try? nginx.master() else { return }
                begun.formUnion([master] + nginx.children(of: master))
            }
            do {
                // As a daemon: one in the foreground is not upgraded.
                let starter = try nginx.start([])
                #expect(try await offThread { starter.wait() } == 0)
                try await eventually("nginx to answer") { (try? await adapter.read()) != nil }
                note()
                let old = try nginx.master()
                _ = try await adapter.apply(TestRoutes.table(1, .all))
                note()
                kill(old, SIGUSR2)
                try await eventually("two of them") {
                    FileManager.default.fileExists(atPath: elder) && (try? nginx.master()) ?? old != old
                }
                note()
                var refusal = ""
                try await eventually("the older one to be named") {
                    let error = await #expect(throws: RoutingError.self) {
                        try await adapter.apply(TestRoutes.table(2, .zero))
                    }
                    refusal = error?.message ?? ""
                    return refusal.contains("before an upgrade")
                }
                // The newer one has it all the same.
                try await eventually("the newer one to say so") { try await adapter.read().revision == 2 }
                kill(old, SIGQUIT)
                try await eventually("the older one to end") { !FileManager.default.fileExists(atPath: elder) }
                #expect(try await adapter.apply(TestRoutes.table(2, .zero)).revision == 2)
            } catch {
                Issue.record(error)
            }
            note()
            for pid in begun where nginx.isNginx(pid) { kill(pid, SIGKILL) }
            try await eventually("all to be gone") { begun.allSatisfy { !nginx.isNginx($0) } }
        }
    }

    @Test(
        "what its requests did is measured: how many, on which side, how they ended, how long they took, whose, by which cache"
    )
    func measured() async throws {
        try await staged(.says(TestNginx.measuredAnswer)) { nginx, routes, _ in
            try await nginx.run { try await nginx.follow(routes) { try await nginx.checkMeasured(routes) } }
        }
    }

    @Test(
        "killed during a rollback it comes to legacy by itself, and the candidate hears of nobody once that is acknowledged"
    )
    func killed() async throws {
        try await staged { nginx, routes, candidate in
            try await nginx.checkKilledDuringRollback(routes, candidate) { body in try await nginx.run(body) }
        }
    }

    @Test(
        "a request that was sent to the candidate before and still waits for its connection there is waited for before 0 is acknowledged"
    )
    func pending() async throws {
        try await TestNginx.checkPending { plan, crowd in
            let nginx = try await TestNginx(plan)
            defer { nginx.remove() }
            return try await nginx.run { try await nginx.checkPending(crowd) }
        }
    }

    @Test("told while it was away, it begins with that; nobody has acknowledged it meanwhile")
    func toldWhileAway() async throws {
        try await staged { nginx, _, _ in
            let adapter = nginx.plane.adapter(router: "r", plan: nginx.plan)
            try await nginx.run {
                _ = try await adapter.apply(TestRoutes.table(1, .all))
                #expect(try await nginx.side(user: "u") == "candidate")
            }
            await #expect(throws: RoutingError.self) { try await adapter.apply(TestRoutes.table(2, .zero)) }
            // Nor is an older one written over it.
            await #expect(throws: RoutingError.self) { try await adapter.apply(TestRoutes.table(1, .all)) }
            try await nginx.run {
                let first = try await nginx.side(user: "u")
                #expect(first == "legacy")
                #expect(try await adapter.read().revision == 2)
            }
        }
    }

    @Test(
        "its first process killed alone, its workers go on, which is said, and who begins it anew finds what is wanted"
    )
    func orphaned() async throws {
        try await staged { nginx, _, _ in
            let adapter = nginx.plane.adapter(router: "r", plan: nginx.plan)
            try await nginx.run {
                _ = try await adapter.apply(TestRoutes.table(1, .all))
                let master = try nginx.master()
                let workers = nginx.children(of: master)
                kill(master, SIGKILL)
                try await eventually("it to be gone") { !nginx.isNginx(master) }
                let error = await #expect(throws: RoutingError.self) {
                    try await adapter.apply(TestRoutes.table(2, .zero))
                }
                #expect(error?.message.contains("workers of it go on by revision 1") == true, "\(error?.message ?? "")")
                let routes = try String(contentsOf: nginx.folder.routes, encoding: .utf8)
                #expect(!routes.contains("candidate") && routes.contains("2:log:h2"))
                for pid in workers { kill(pid, SIGKILL) }
                try await eventually("its workers to be gone") { workers.allSatisfy { !nginx.isNginx($0) } }
            }
            try await nginx.run { () async throws in
                #expect(try await adapter.apply(TestRoutes.table(2, .zero)).revision == 2)
                #expect(try await nginx.side(user: "u") == "legacy")
            }
        }
    }

    @Test("what was told before, put back behind everybody’s back, is told away again by itself")
    func overwritten() async throws {
        try await staged { nginx, routes, _ in
            try await nginx.run {
                let file = nginx.folder.routes
                var old = Data()
                try await nginx.checkOverwritten(routes) {
                    old = try Data(contentsOf: file)
                } restore: {
                    try old.write(to: file, options: .atomic)
                    kill(try nginx.master(), SIGHUP)
                }
            }
        }
    }

    @Test(
        "started by the program for that, begins with what is wanted where somebody is there who tells it, and else at legacy"
    )
    func begunAnew() async throws {
        try await staged { nginx, routes, _ in
            try await nginx.checkBegunAnew(routes, nginx.folder.routes) { body in try await nginx.runAnew(body) }
        }
    }

    @Test("acknowledges nothing for a plan that its configuration was not written for")
    func foreign() async throws {
        try await staged { nginx, _, _ in
            try await nginx.run { try await nginx.checkForeign() }
        }
        try await staged { nginx, _, _ in
            try nginx.rewrite(nginx.folder.configuration) { text in
                text.split(separator: "\n").filter { !$0.hasPrefix("location = /plan ") }.joined(separator: "\n")
            }
            try await nginx.run { try await nginx.checkForeign(isMarked: false) }
        }
    }

    @Test(
        "a candidate whose name nobody resolves keeps it from nothing but that candidate: it begins, refuses to send anybody there, and takes everybody back"
    )
    func unresolved() async throws {
        let legacy = try await TestUpstream(.answers("legacy"))
        let plan = TestRoutes.unresolvedPlan(legacy: legacy.port)
        let nginx = try await TestNginx(plan)
        defer { nginx.remove() }
        try await nginx.run { () async throws in
            let adapter = nginx.plane.adapter(router: "r", plan: plan)
            #expect(try await adapter.apply(TestRoutes.table(1, .zero)).revision == 1)
            let error = await #expect(throws: RoutingError.self) { try await adapter.apply(TestRoutes.table(2, .all)) }
            #expect(error?.message.contains("host not found") == true, "\(error?.message ?? "")")
            #expect(try await nginx.side(user: "u") == "legacy")
            // It is not tried all the time.
            let said = try nginx.errors
            await #expect(throws: RoutingError.self) { try await adapter.apply(TestRoutes.table(2, .all)) }
            #expect(try nginx.errors == said)
            // What it refused keeps it from no later start.
            #expect(try nginx.check() == 0)
            #expect(try await adapter.apply(TestRoutes.table(3, .zero)).revision == 3)
            #expect(try await nginx.side(user: "u") == "legacy")
        }
        await legacy.close()
    }

    /// An nginx before two services: the name of the first one's candidate nobody resolves.
    private func unresolved(
        _ body: (TestNginx, any PlaneAdapter, _ candidate: TestUpstream) async throws -> Void
    ) async throws {
        let legacy = try await TestUpstream(.answers("legacy"))
        let candidate = try await TestUpstream(.answers("candidate"))
        var plan = TestRoutes.unresolvedPlan(legacy: legacy.port)
        plan.services.append(TestRoutes.second(legacy: legacy.port, candidate: candidate.port))
        let nginx = try await TestNginx(plan)
        defer { nginx.remove() }
        try await nginx.run { try await body(nginx, nginx.plane.adapter(router: "r", plan: plan), candidate) }
        await legacy.close()
        await candidate.close()
    }

    /// Gives it both services' users at their candidates, as from when the first one's name was resolved.
    private func writeBoth(_ nginx: TestNginx, _ candidate: TestUpstream) throws {
        let unresolved = try #require(Address(nginx.plan.services[0].candidate))
        let both = NginxRoutes.text(RouteText(TestRoutes.table(1, .all, b: .all), nginx.plan), nginx.plan)
            .replacing("\(unresolved.host):\(unresolved.port)", with: "127.0.0.1:\(candidate.port)")
        try Data(both.utf8).write(to: nginx.folder.routes, options: .atomic)
    }

    @Test("a candidate whose name is not resolved any more keeps nobody of another service from a rollback")
    func unresolvedLater() async throws {
        try await unresolved { nginx, adapter, candidate in
            await #expect(throws: RoutingError.self) { try await adapter.apply(TestRoutes.table(1, .all, b: .all)) }
            let routes = try String(contentsOf: nginx.folder.routes, encoding: .utf8)
            #expect(!routes.contains("candidate"))
            try writeBoth(nginx, candidate)
            kill(try nginx.master(), SIGHUP)
            try await eventually("both at their candidates") { try await nginx.sides() == ["candidate", "candidate"] }
            let error = await #expect(throws: RoutingError.self) {
                try await adapter.apply(TestRoutes.table(2, .all, b: .zero))
            }
            #expect(error?.message.contains("host not found") == true, "\(error?.message ?? "")")
            try await eventually("both at legacy") { try await nginx.sides() == ["legacy", "legacy"] }
            #expect(try await adapter.read().revision == 1)
            #expect(try nginx.check() == 0)
            #expect(try await adapter.apply(TestRoutes.table(3, .zero, b: .all)).revision == 3)
            #expect(try await nginx.sides() == ["legacy", "candidate"])
        }
    }

    @Test("a refusal that comes late is waited for, and what sends nobody more to a candidate is told then")
    func refusedLate() async throws {
        try await unresolved { nginx, adapter, _ in
            _ = try await adapter.apply(TestRoutes.table(1, .zero, b: .all))
            // As where a server of names does not answer.
            let master = try nginx.master()
            let old = nginx.children(of: master)
            kill(master, SIGSTOP)
            let next = TestRoutes.table(2, .all, b: .zero)
            let error = await #expect(throws: RoutingError.self) { try await adapter.apply(next) }
            #expect(error?.message.contains("does not take the routes") == true, "\(error?.message ?? "")")
            kill(master, SIGCONT)
            let late = await #expect(throws: RoutingError.self) { try await adapter.apply(next) }
            #expect(late?.message.contains("host not found") == true, "\(late?.message ?? "")")
            // Its older workers take clients a moment longer.
            try await eventually("the older workers to end") { Set(nginx.children(of: master)).isDisjoint(with: old) }
            #expect(try await nginx.sides() == ["legacy", "legacy"])
            // It is not tried all the time.
            let said = try nginx.errors
            let again = await #expect(throws: RoutingError.self) { try await adapter.apply(next) }
            #expect(again?.message == late?.message)
            #expect(try nginx.errors == said)
        }
    }

    @Test("where it takes no configuration at all its routes are at legacy all the same, and are told once it does")
    func refusedWhole() async throws {
        try await staged { nginx, _, _ in
            try await nginx.run {
                let adapter = nginx.plane.adapter(router: "r", plan: nginx.plan)
                _ = try await adapter.apply(TestRoutes.table(1, .all))
                try nginx.rewrite(nginx.folder.configuration) { text in "nonsense;\n" + text }
                let error = await #expect(throws: RoutingError.self) {
                    try await adapter.apply(TestRoutes.table(2, .zero))
                }
                #expect(error?.message.contains("unknown directive") == true, "\(error?.message ?? "")")
                #expect(try await nginx.side(user: "u") == "candidate")
                let routes = try String(contentsOf: nginx.folder.routes, encoding: .utf8)
                #expect(!routes.contains("candidate"))
                try nginx.rewrite(nginx.folder.configuration) { text in text.replacing("nonsense;\n", with: "") }
                #expect(try await adapter.apply(TestRoutes.table(2, .zero)).revision == 2)
                #expect(try await nginx.side(user: "u") == "legacy")
                // What is in force already, by somebody who does not know who began it.
                try nginx.rewrite(nginx.folder.configuration) { text in "nonsense;\n" + text }
                let other = nginx.plane.adapter(router: "r", plan: nginx.plan)
                await #expect(throws: RoutingError.self) { try await other.apply(TestRoutes.table(2, .zero)) }
                try nginx.rewrite(nginx.folder.configuration) { text in text.replacing("nonsense;\n", with: "") }
                try await eventually("it to be told again") {
                    (try? await other.apply(TestRoutes.table(2, .zero)))?.revision == 2
                }
            }
        }
    }

    @Test("what its file has beyond what is in force keeps nobody from telling it that once it may be told")
    func begunBehind() async throws {
        try await staged { nginx, _, _ in
            try await nginx.run {
                let (low, high) = (SamplePlan.weight(1_000), SamplePlan.weight(5_000))
                _ = try await nginx.plane.adapter(router: "r", plan: nginx.plan).apply(TestRoutes.table(1, low))
                let next = TestRoutes.table(2, high)
                try Data(NginxRoutes.text(RouteText(next, nginx.plan), nginx.plan).utf8)
                    .write(to: nginx.folder.routes, options: .atomic)
                let adapter = nginx.plane.adapter(router: "r", plan: nginx.plan)
                try await adapter.lower(to: next)
                #expect(try await adapter.read() == RouteText(TestRoutes.table(1, low), nginx.plan))
                #expect(try await adapter.apply(next).revision == 2)
                // Or less than that: as where its configuration was written anew.
                try Data(NginxRoutes.text(.legacy(nginx.plan), nginx.plan).utf8)
                    .write(to: nginx.folder.routes, options: .atomic)
                let other = nginx.plane.adapter(router: "r", plan: nginx.plan)
                try await other.lower(to: next)
                #expect(try await other.apply(next).revision == 2)
                #expect(try await other.read() == RouteText(next, nginx.plan))
            }
        }
    }

    @Test("no client's words are taken for a refusal of nginx's")
    func forged() async throws {
        let legacy = try await TestUpstream(.answers("legacy"))
        // Nobody is there, and nginx complains of each request, with what its client says of himself.
        let nginx = try await TestNginx(TestRoutes.plan(legacy: legacy.port, candidate: try freePort()))
        defer { nginx.remove() }
        try await nginx.run { () async throws in
            let adapter = nginx.plane.adapter(router: "r", plan: nginx.plan)
            _ = try await adapter.apply(TestRoutes.table(1, .all))
            let (url, master) = (nginx.url, try nginx.master())
            let clients = Task {
                while !Task.isCancelled {
                    var request = HTTPClientRequest(url: url + "/a")
                    request.headers.add(name: "referer", value: "x [emerg] \(master)#\(master): no")
                    _ = try? await HTTPClient.shared.execute(request, timeout: .seconds(1))
                }
            }
            try await eventually("such a complaint") {
                try nginx.errors.contains("[emerg] \(master)#")
            }
            for revision in 2...6 as ClosedRange<Int64> {
                let weight = revision % 2 == 0 ? SamplePlan.weight(9_000) : .all
                #expect(try await adapter.apply(TestRoutes.table(revision, weight)).revision == revision)
            }
            clients.cancel()
            await clients.value
        }
        await legacy.close()
    }

    @Test("where its workers do not say what they have it is told all the same who is to be sent to nobody any more")
    func mute() async throws {
        try await staged { nginx, _, _ in
            try await nginx.run {
                let adapter = nginx.plane.adapter(router: "r", plan: nginx.plan)
                _ = try await adapter.apply(TestRoutes.table(1, .all))
                try nginx.rewrite(nginx.folder.configuration) { text in
                    text.replacing("return 200 $migrate_route;", with: "return 503;")
                }
                kill(try nginx.master(), SIGHUP)
                try await eventually("it to say nothing") { (try? await adapter.read()) == nil }
                #expect(try await nginx.side(user: "u") == "candidate")
                await #expect(throws: RoutingError.self) { try await adapter.apply(TestRoutes.table(2, .zero)) }
                try await eventually("legacy") { try await nginx.side(user: "u") == "legacy" }
                // What was told before, put back behind everybody's back, is told away again.
                let before = NginxRoutes.text(RouteText(TestRoutes.table(1, .all), nginx.plan), nginx.plan)
                try Data(before.utf8).write(to: nginx.folder.routes, options: .atomic)
                kill(try nginx.master(), SIGHUP)
                try await eventually("the candidate") { try await nginx.side(user: "u") == "candidate" }
                await #expect(throws: RoutingError.self) { try await adapter.apply(TestRoutes.table(2, .zero)) }
                try await eventually("legacy again") { try await nginx.side(user: "u") == "legacy" }
                // Once is enough.
                let workers = Set(nginx.children(of: try nginx.master()))
                await #expect(throws: RoutingError.self) { try await adapter.apply(TestRoutes.table(2, .zero)) }
                await #expect(throws: RoutingError.self) { try await adapter.apply(TestRoutes.table(3, .all)) }
                #expect(try await nginx.side(user: "u") == "legacy")
                // A reload would have brought its workers by now.
                try await Task.sleep(for: .milliseconds(300))
                #expect(Set(nginx.children(of: try nginx.master())).isSubset(of: workers))
            }
        }
    }

    @Test(
        "where its workers do not say what they have and it refuses a part of that, the rest is told, and all of it once it may be"
    )
    func muteRefused() async throws {
        try await unresolved { nginx, adapter, candidate in
            try writeBoth(nginx, candidate)
            try nginx.rewrite(nginx.folder.configuration) { text in
                text.replacing("return 200 $migrate_route;", with: "return 503;")
            }
            kill(try nginx.master(), SIGHUP)
            try await eventually("both at their candidates") { try await nginx.sides() == ["candidate", "candidate"] }
            try await eventually("it to say nothing") { (try? await adapter.read()) == nil }
            let next = TestRoutes.table(2, SamplePlan.weight(5_000), b: .zero)
            try await eventually("both to be taken back") {
                await #expect(throws: RoutingError.self) { try await adapter.apply(next) }
                return try await nginx.sides() == ["legacy", "legacy"]
            }
            try nginx.rewrite(nginx.folder.configuration) { text in
                text.replacing("return 503;", with: "return 200 $migrate_route;")
            }
            kill(try nginx.master(), SIGHUP)
            try await eventually("it to say what it has") { (try? await adapter.read())?.revision == 1 }
            let error = await #expect(throws: RoutingError.self) { try await adapter.apply(next) }
            #expect(error?.message.contains("host not found") == true, "\(error?.message ?? "")")
        }
    }

    @Test(
        "of a table that takes one service back and sends another on, the first is told alone where nobody knows whose its configuration is"
    )
    func mixed() async throws {
        try await TestNginx.checkMixed { plan, body in
            let nginx = try await TestNginx(plan)
            defer { nginx.remove() }
            try await nginx.run { try await body(nginx) }
        }
    }

    @Test("started by the program for that, begins at legacy where it would not take what is wanted")
    func begunRefused() async throws {
        let legacy = try await TestUpstream(.answers("legacy"))
        let plan = TestRoutes.unresolvedPlan(legacy: legacy.port)
        let nginx = try await TestNginx(plan)
        defer { nginx.remove() }
        let refused = NginxRoutes.text(RouteText(TestRoutes.table(1, .all), plan), plan)
        try Data(refused.utf8).write(to: nginx.folder.routes, options: .atomic)
        #expect(try nginx.check() != 0)
        let first = try await nginx.runAnew { try await nginx.side(user: "u") }
        #expect(first == "legacy")
        await legacy.close()
    }

    @Test("refuses an older revision, another commit at the same one, and another log's, unless that came of it")
    func fenced() async throws {
        try await staged { nginx, _, _ in
            try await nginx.run { try await nginx.checkFence() }
            let adapter = nginx.plane.adapter(router: "n", plan: nginx.plan)
            let error = await #expect(throws: RoutingError.self) { try await adapter.current() }
            #expect(error?.code == .unreachable)
        }
    }

    @Test("takes the configuration of a plan with every kind of key, and refuses what it could misread")
    func configured() async throws {
        var plan = TestRoutes.plan(legacy: 1, candidate: 2)
        plan.stickyBy = [.header(name: "x-user-id"), .cookie(name: "session"), .clientIP]
        plan.services.append(
            MigrationCore.Service(
                name: "six",
                path: "/a/b.c",
                legacy: "http://[::1]:80",
                candidate: "http://localhost:8080/",
                timeout: .minutes(3)
            )
        )
        let nginx = try await TestNginx(plan)
        defer { nginx.remove() }
        #expect(try nginx.check() == 0)
        var odd = [plan, plan, plan, plan, plan]
        odd[0].services[0].path = "/a b"
        odd[1].services[0].path = "/a;"
        odd[2].stickyBy = [.cookie(name: "a-b")]
        odd[3].services[0].candidate = "https://127.0.0.1:1"
        odd[4].services[0].shadow = .all
        for plan in odd {
            let error = #expect(throws: RoutingError.self) {
                try NginxConfiguration(plan: plan, host: "127.0.0.1", port: 1, folder: nginx.folder, logPort: 1)
            }
            #expect(error?.code == .unsuitable)
        }
    }

    @Test("a line of its log is a request of a side, or nothing")
    func lines() {
        let mark = PlanMark(TestRoutes.plan(legacy: 1, candidate: 2))
        func read(_ text: String) -> LoggedRequest? {
            LoggedRequest(nginx: text.replacing("migrate: ", with: "migrate_\(mark.text): "), mark: mark)
        }
        let line = read("<190>Nov 25 01:02:03 migrate: 1.candidate|200|OK|0.021|0.001|t; hit|user-1")
        #expect(line?.service == 1 && line?.implementation == .candidate && line?.outcome == .answered)
        #expect(line?.latency == .milliseconds(21) && line?.cache == .hit && line?.user == XXHash64.hash("user-1"))
        #expect(read("<190>x migrate: 0.legacy|504||0.700|0.000||")?.outcome == .timedOut)
        #expect(read("<190>x migrate: 0.legacy|504||2.000|-||")?.outcome == .failed)
        #expect(read("<190>x migrate: 0.legacy|502||0.700|-||")?.outcome == .failed)
        #expect(read("<190>x migrate: 0.legacy|200||0.700|0.000||")?.outcome == .failed)
        #expect(read("<190>x migrate: 0.legacy|200|OK|0.700|0.000||")?.user == nil)
        #expect(read("<190>x migrate: 0.legacy|404|OK|0.700|0.000||")?.outcome == .answered)
        for text in [
            "", "migrate: ", "migrate: 0.legacy|499||0.1|0||u", "migrate: 0.legacy|408||60.1|||u",
            "migrate: 0.legacy|400||0.1|||u", "migrate: 0.legacy|413|OK|0.1|||u", "migrate: x|200|OK|0.1|0||",
            "migrate: 0.legacy|200|OK|-1|0||", "0.legacy|200|OK|0.1|0||", "migrate: 0.legacy|200|OK|0.1||u",
        ] {
            #expect(read(text) == nil, "\(text)")
        }
    }

    @Test(
        "reaches an implementation over TLS where it shows a trusted certificate for its name, and else sends it nothing",
        arguments: SecureUpstream.allCases
    )
    func secure(_ upstream: SecureUpstream) async throws {
        try await upstream.staged { plan, trust, candidate in
            let nginx = try await TestNginx(plan, trust: trust)
            defer { nginx.remove() }
            try await nginx.run { try await upstream.check(nginx, trust: trust, candidate) }
        }
    }
}
