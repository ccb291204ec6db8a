import AsyncHTTPClient
import DataPlanes
import Foundation
import MigrationCore
import NIOCore
import NIOHTTP1
import Routing
import TestSupport
import Testing

@Suite("What nginx refuses, and where it says nothing", .serialized)
struct NginxRefusalTests {
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
        try await TestNginx.staged { nginx, _, _ in
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
        try await TestNginx.staged { nginx, _, _ in
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
        try await TestNginx.staged { nginx, _, _ in
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
}
