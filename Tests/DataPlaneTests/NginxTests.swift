import DataPlanes
import Foundation
import MigrationCore
import Postgres
import Routing
import Signals
import TestSupport
import Testing

@Suite("nginx", .serialized)
struct NginxTests {
    @Test(
        "serves legacy until it is told, and then by the buckets of the documented formula, which only grow with the weight"
    )
    func buckets() async throws {
        try await TestNginx.staged { nginx, routes, _ in
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
        try await TestNginx.staged { nginx, routes, candidate in
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
        try await TestNginx.staged { nginx, routes, candidate in
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
        try await TestNginx.staged { nginx, _, _ in
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
        try await TestNginx.staged(.says(TestNginx.measuredAnswer)) { nginx, routes, _ in
            try await nginx.run { try await nginx.follow(routes) { try await nginx.checkMeasured(routes) } }
        }
    }

    @Test(
        "killed during a rollback it comes to legacy by itself, and the candidate hears of nobody once that is acknowledged"
    )
    func killed() async throws {
        try await TestNginx.staged { nginx, routes, candidate in
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
        try await TestNginx.staged { nginx, _, _ in
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
        try await TestNginx.staged { nginx, _, _ in
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
        try await TestNginx.staged { nginx, routes, _ in
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
        try await TestNginx.staged { nginx, routes, _ in
            try await nginx.checkBegunAnew(routes, nginx.folder.routes) { body in try await nginx.runAnew(body) }
        }
    }

    @Test("acknowledges nothing for a plan that its configuration was not written for")
    func foreign() async throws {
        try await TestNginx.staged { nginx, _, _ in
            try await nginx.run { try await nginx.checkForeign() }
        }
        try await TestNginx.staged { nginx, _, _ in
            try nginx.rewrite(nginx.folder.configuration) { text in
                text.split(separator: "\n").filter { !$0.hasPrefix("location = /plan ") }.joined(separator: "\n")
            }
            try await nginx.run { try await nginx.checkForeign(isMarked: false) }
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

    @Test("refuses an older revision, another commit at the same one, and another log's, unless that came of it")
    func fenced() async throws {
        try await TestNginx.staged { nginx, _, _ in
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
