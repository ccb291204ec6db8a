import DataPlanes
import Foundation
import JSON
import Logging
import MigrationCore
import Routing
import TestSupport
import Testing

@Suite("A Gateway of Kubernetes", .serialized)
struct KubernetesTests {
    /// - Parameter runs: whether it runs all the time; else the body runs it.
    private func staged(
        runs: Bool = true,
        _ body: (TestKubernetes, TestRoutes, _ candidate: TestUpstream) async throws -> Void
    ) async throws {
        let legacy = try await TestUpstream(.answers("legacy"))
        let candidate = try await TestUpstream(.answers("candidate"))
        let cluster = try await TestKubernetes(TestRoutes.plan(legacy: legacy.port, candidate: candidate.port))
        let result: Result<Void, any Error>
        do {
            func play() async throws { try await body(cluster, TestRoutes(), candidate) }
            result = .success(runs ? try await cluster.run(play) : try await play())
        } catch {
            result = .failure(error)
        }
        await cluster.close()
        await legacy.close()
        await candidate.close()
        try result.get()
    }

    @Test("begins with an HTTPRoute of legacy, with both back ends for each service, and a place to ask")
    func manifest() throws {
        var plan = TestRoutes.plan(legacy: 1, candidate: 2)
        plan.services[0].legacy = "http://old.shop.svc.cluster.local:8080"
        plan.services[0].candidate = "http://new.other:9090"
        plan.services[0].timeout = .milliseconds(180_500)
        let place = KubernetesPlace(namespace: "shop", name: nil, migration: "m", environment: "EU West")
        let text = try KubernetesConfiguration(plan: plan, place: place, gateway: "web").text()
        let manifest = try JSONValue(parsing: Array(text))
        #expect(manifest["metadata"]?["name"] == "m-eu-west" && manifest["metadata"]?["namespace"] == "shop")
        #expect(manifest["metadata"]?["annotations"]?["migrate/route"] == "0:-:-:10000")
        #expect(manifest["spec"]?["parentRefs"] == [["name": "web"]])
        #expect(
            manifest["spec"]?["rules"]?[1] == [
                "matches": [["path": ["type": "Exact", "value": "/a"]]], "timeouts": ["request": "180s500ms"],
                "backendRefs": [
                    ["name": "old", "port": 8080, "weight": 10_000],
                    ["name": "new", "namespace": "other", "port": 9090, "weight": 0],
                ],
            ]
        )
        #expect(manifest["spec"]?["rules"]?[0]?["matches"]?[0]?["path"]?["value"] == "/.well-known/migrate/m/eu-west")
        #expect(manifest["spec"]?["rules"]?.array?.count == 2)
        for address in ["http://127.0.0.1:80", "http://[::1]:80"] {
            plan.services[0].candidate = address
            let error = #expect(throws: RoutingError.self) {
                try KubernetesConfiguration(plan: plan, place: place, gateway: "web")
            }
            #expect(error?.code == .unsuitable && error?.message.contains(address) ?? false)
        }
    }

    @Test("serves legacy until it is told, and then shares of the weights' size")
    func shares() async throws {
        try await staged { cluster, routes, _ in
            #expect(try await SteadyLoad.side(cluster.url, user: "u") == "legacy")
            try await cluster.follow(routes) {
                for (revision, basisPoints) in [(Int64(1), 2_500), (2, 9_000), (3, 10_000), (4, 0)] {
                    routes.route(TestRoutes.table(revision, SamplePlan.weight(basisPoints)))
                    try await eventually("revision \(revision)") { routes.acknowledged.contains(revision) }
                    var there = 0
                    for number in 0..<400 {
                        if try await SteadyLoad.side(cluster.url, user: "u\(number)") == "candidate" { there += 1 }
                    }
                    // 99.99 % of samples are as near as that (binomial).
                    let share = Double(basisPoints) / 10_000
                    #expect(
                        abs(Double(there) - 400 * share) <= 3.9 * (400 * share * (1 - share)).squareRoot(),
                        "\(there)"
                    )
                }
            }
        }
    }

    @Test(
        "switched twenty times under load, no request fails, and none is sent to the candidate after 0 is acknowledged"
    )
    func switching() async throws {
        try await staged { cluster, routes, candidate in
            try await cluster.follow(routes) { try await cluster.checkSwitching(routes, candidate) }
        }
    }

    @Test(
        "its Gateway killed during a rollback, it comes to legacy by itself, and the candidate hears of nobody once that is acknowledged"
    )
    func killed() async throws {
        try await staged(runs: false) { cluster, routes, candidate in
            try await cluster.checkKilledDuringRollback(routes, candidate) { body in try await cluster.run(body) }
        }
    }

    @Test(
        "a request that was sent to the candidate before and still waits for its connection there is waited for before 0 is acknowledged"
    )
    func pending() async throws {
        try await TestKubernetes.checkPending { plan, crowd in
            let cluster = try await TestKubernetes(plan, connectTimeout: .seconds(2))
            let result: Result<Bool, any Error>
            do {
                result = .success(try await cluster.run { try await cluster.checkPending(crowd) })
            } catch {
                result = .failure(error)
            }
            await cluster.close()
            return try result.get()
        }
    }

    @Test("begun anew while connections to the candidate are waited for, its follower waits for them again")
    func begunAnew() async throws {
        let legacy = try await TestUpstream(.answers("legacy"))
        let plan = TestRoutes.plan(legacy: legacy.port, candidate: try freePort())
        let cluster = try await TestKubernetes(plan, connectTimeout: .seconds(2))
        let state = FileManager.default.temporaryDirectory.appendingPathComponent("anew-\(UUID().uuidString)")
        defer { try? FileManager.default.removeItem(at: state) }
        func keeper() throws -> PlaneKeeper {
            try PlaneKeeper(cluster.adapter, plan: cluster.plan, state: state, logger: Logger(label: "test"))
        }
        let result: Result<Void, any Error>
        do {
            try await cluster.run {
                let first = try keeper()
                try await first.apply(TestRoutes.table(1, .all))
                let telling = Task { try await first.apply(TestRoutes.table(2, .zero)) }
                try await eventually("the rollback to be written") {
                    cluster.api.object["spec"]?["rules"]?[1]?["backendRefs"]?[1]?["weight"] == 0
                }
                telling.cancel()
                await #expect(throws: RoutingError.self) { try await telling.value }
                let begun = ContinuousClock.now
                try await keeper().apply(TestRoutes.table(2, .zero))
                #expect(ContinuousClock.now - begun > .seconds(2))
            }
            result = .success(())
        } catch {
            result = .failure(error)
        }
        await cluster.close()
        await legacy.close()
        try result.get()
    }

    @Test("refuses an older revision, another commit at the same one, and another log's, unless that came of it")
    func fenced() async throws {
        try await staged { cluster, _, _ in try await cluster.checkFence() }
    }

    @Test("two that write at once: what the one has read is not written over, and the higher revision stays")
    func compared() async throws {
        try await staged { cluster, _, _ in
            try await cluster.checkCompared(rounds: 10)
            print("of \(cluster.api.puts) writes \(cluster.api.conflicts) more were refused by the API server")
        }
    }

    @Test("what others have added stays, what they have turned is told again, and the fence is not of what they wrote")
    func edited() async throws {
        try await staged { cluster, routes, _ in
            let added: JSONValue = ["type": "ResponseHeaderModifier", "responseHeaderModifier": ["set": []]]
            cluster.api.edit { object in
                let weight = JSONPointer(["spec", "rules", "1", "backendRefs", "0", "weight"])
                return object.setting(JSONPointer(["spec", "rules", "1", "filters"]), to: [added])?
                    .setting(JSONPointer(["metadata", "labels"]), to: ["team": "search"])?
                    .setting(weight, to: 1)
            }
            try await cluster.follow(routes) {
                routes.route(TestRoutes.table(7, .all))
                try await eventually("revision 7") { routes.acknowledged.contains(7) }
                #expect(cluster.api.object["metadata"]?["labels"] == ["team": "search"])
                #expect(cluster.api.object["spec"]?["rules"]?[1]?["filters"] == [added])
                #expect(cluster.api.object["metadata"]?["resourceVersion"] == nil)
                cluster.api.edit { object in
                    object.setting(JSONPointer(["spec", "rules", "1", "backendRefs", "0", "weight"]), to: 10_000)
                }
                let stale = await #expect(throws: RoutingError.self) {
                    try await cluster.adapter.apply(TestRoutes.table(6, .zero))
                }
                #expect(stale?.code == .stale)
                try await eventually("the weights to be back") {
                    cluster.api.object["spec"]?["rules"]?[1]?["backendRefs"]?[0]?["weight"] == 0
                }
                try await eventually("that to be taken") {
                    try await cluster.adapter.read() == RouteText(TestRoutes.table(7, .all), cluster.plan)
                }
                // Who has stopped taking anything has not taken what was turned and put back.
                cluster.api.pause(true)
                let weight = JSONPointer(["spec", "rules", "1", "backendRefs", "0", "weight"])
                cluster.api.edit { object in object.setting(weight, to: 5_000) }
                cluster.api.edit { object in object.setting(weight, to: 0) }
                #expect(try await cluster.adapter.read() == .legacy(cluster.plan))
                cluster.api.pause(false)
            }
        }
    }

    @Test("what a controller has not taken, or refuses, or the Gateway does not show is not acknowledged, and named")
    func notInForce() async throws {
        try await staged { cluster, _, _ in
            func refused(_ revision: Int64) async -> String {
                let error = await #expect(throws: RoutingError.self) {
                    try await cluster.adapter.apply(TestRoutes.table(revision, .all))
                }
                #expect(error?.code == .unreachable)
                return error?.message ?? ""
            }
            try await eventually("the controller to have taken the first") { cluster.api.hasStatus }
            cluster.api.pause(true)
            let asleep = await refused(1)
            #expect(
                asleep.contains("web (gateway.envoyproxy.io/gatewayclass-controller) has not said Accepted"),
                "\(asleep)"
            )
            cluster.api.refuse("BackendNotFound")
            cluster.api.pause(false)
            let refusal = await refused(2)
            #expect(refusal.contains("does not say ResolvedRefs: BackendNotFound"), "\(refusal)")
            cluster.api.refuse(nil)
            #expect(try await cluster.adapter.apply(TestRoutes.table(2, .all)).revision == 2)
            // Another Gateway than the one that was told.
            let other = try await TestUpstream(.answers("nothing"))
            var access = cluster.access
            access.gateway.url = "http://127.0.0.1:\(other.port)"
            let blind = cluster.adapter(at: nil, access)
            let error = await #expect(throws: RoutingError.self) { try await blind.apply(TestRoutes.table(2, .all)) }
            #expect(error?.message.contains("does not show revision 2") ?? false, "\(error?.message ?? "")")
            await other.close()
        }
    }

    @Test(
        "where its Gateway does not answer it is told only what sends nobody more to a candidate, also beyond what somebody has turned"
    )
    func lowered() async throws {
        try await staged(runs: false) { cluster, _, _ in
            func told() -> JSONValue? { cluster.api.object["metadata"]?["annotations"]?["migrate/route"] }
            func weights() -> [JSONValue?] {
                (0...1).map { cluster.api.object["spec"]?["rules"]?[1]?["backendRefs"]?[$0]?["weight"] }
            }
            let state = FileManager.default.temporaryDirectory.appendingPathComponent("lowered-\(UUID().uuidString)")
            defer { try? FileManager.default.removeItem(at: state) }
            let keeper = try PlaneKeeper(
                cluster.adapter,
                plan: cluster.plan,
                state: state,
                logger: Logger(label: "test")
            )
            try await cluster.run { try await keeper.apply(TestRoutes.table(1, SamplePlan.weight(5_000))) }
            await #expect(throws: RoutingError.self) { try await cluster.adapter.read() }
            func turn(_ weight: Int) {
                cluster.api.edit { object in
                    object.setting(JSONPointer(["spec", "rules", "1", "backendRefs", "1", "weight"]), to: .int(weight))
                }
            }
            // Nor is what somebody has turned turned back, or said to be what was told.
            turn(0)
            try await cluster.adapter.lower(to: TestRoutes.table(1, SamplePlan.weight(5_000)))
            await #expect(throws: RoutingError.self) { try await keeper.reassert() }
            #expect(told() == "1:log:h1:5000" && weights() == [5_000, 0])
            // Beyond what was told it is.
            turn(9_000)
            await #expect(throws: RoutingError.self) { try await keeper.reassert() }
            #expect(told() == "1:log:h1:5000" && weights() == [5_000, 5_000])
            try await cluster.adapter.lower(to: TestRoutes.table(2, .all))
            #expect(weights() == [5_000, 5_000])
            try await cluster.adapter.lower(to: TestRoutes.table(2, SamplePlan.weight(2_000)))
            #expect(told() == "1:log:h1:8000" && weights() == [8_000, 2_000])
            turn(0)
            try await cluster.adapter.lower(to: TestRoutes.table(3, .all))
            #expect(told() == "1:log:h1:10000" && weights() == [10_000, 0])
        }
    }

    @Test("a rollback does not wait for an advance that is not taken")
    func overtaking() async throws {
        try await staged { cluster, routes, _ in
            try await cluster.follow(routes) {
                routes.route(TestRoutes.table(1, SamplePlan.weight(100)))
                try await eventually("revision 1") { routes.acknowledged.contains(1) }
                cluster.api.pause(true)
                func told() -> JSONValue? { cluster.api.object["metadata"]?["annotations"]?["migrate/route"] }
                let (up, down) = (TestRoutes.table(2, .all), TestRoutes.table(3, .zero))
                routes.route(up)
                try await eventually("the advance to be written") {
                    told() == .string(RouteText(up, cluster.plan).text)
                }
                routes.route(down)
                try await eventually(within: 5, "the rollback to be written, within half of the patience") {
                    told() == .string(RouteText(down, cluster.plan).text)
                }
                #expect(!routes.acknowledged.contains(3))
                cluster.api.pause(false)
                try await eventually("revision 3") {
                    routes.insist(on: down)
                    return routes.acknowledged.contains(3)
                }
                #expect(!routes.acknowledged.contains(2))
            }
        }
    }

    @Test("what the API server refuses is told with the mend, and what is no HTTPRoute of the plan is left alone")
    func refusals() async throws {
        try await staged { cluster, _, _ in
            let token = cluster.folder.url.appendingPathComponent("token")
            func error() async -> RoutingError? {
                await #expect(throws: RoutingError.self) { try await cluster.adapter.apply(TestRoutes.table(1, .all)) }
            }
            try Data("another".utf8).write(to: token)
            #expect(await error()?.message.contains("401") ?? false)
            // It is read anew for every request.
            try Data("a token of the cluster".utf8).write(to: token)
            let nowhere = KubernetesPlace(namespace: "shop", name: "none", migration: "m", environment: "production")
            let adapter = cluster.adapter(at: nowhere)
            let missing = await #expect(throws: RoutingError.self) { try await adapter.read() }
            #expect(missing?.code == .storage && missing?.mend?.contains("kubectl apply") ?? false)
            let puts = cluster.api.puts
            for (place, says) in [
                (["metadata", "annotations", "migrate/route"], "has no annotation"),
                (["spec", "rules", "1", "backendRefs", "0"], "has not two back ends for /a"),
                (["spec", "rules", "1"], "has not one rule that matches exactly /a"),
                (["spec", "rules", "0", "filters", "0"], "does not redirect /.well-known/migrate/m/production"),
            ] {
                let whole = cluster.api.object
                cluster.api.edit { $0.removing(JSONPointer(place)) }
                let error = await error()
                #expect(error?.code == .storage && error?.message.contains(says) ?? false, "\(error?.message ?? "")")
                cluster.api.edit { _ in whole }
            }
            let whole = cluster.api.object
            cluster.api.edit { object in
                object["spec"]?["rules"]?[1].flatMap { object.setting(JSONPointer(["spec", "rules", "2"]), to: $0) }
            }
            let twice = await error()
            #expect(
                twice?.message.contains("has not one rule that matches exactly /a") ?? false,
                "\(twice?.message ?? "")"
            )
            cluster.api.edit { _ in whole }
            #expect(cluster.api.puts == puts)
            try FileManager.default.removeItem(at: token)
            #expect(await error()?.message.contains("the token \(token.path) cannot be read") ?? false)
        }
    }
}
