import AsyncHTTPClient
import DataPlanes
import Foundation
import Gateway
import Logging
import MigrationCore
import NIOCore
import NIOHTTP1
import Routing
import Signals
import Synchronization
import TestSupport
import Testing

@Suite("What a Gateway of Kubernetes does, by a real Prometheus")
struct GatewayWindowTests {
    /// What a Gateway's program tells who scrapes it.
    private final class Exporter: Sendable {
        private struct State {
            var counts: [String: Int] = ["old 200": 0]
            var isAway = false
        }
        private let state = Mutex(State())

        func count(_ series: String, _ more: Int = 1) { state.withLock { $0.counts[series, default: 0] += more } }
        func change(_ change: @Sendable (inout [String: Int]) -> Void) { state.withLock { change(&$0.counts) } }
        func leave(_ isAway: Bool) { state.withLock { $0.isAway = isAway } }

        func answer() -> String {
            state.withLock { state in
                if state.isAway { return "HTTP/1.1 500 No\r\ncontent-length: 0\r\n\r\n" }
                let lines = state.counts.sorted { $0.key < $1.key }.map { key, count in
                    let parts = key.split(separator: " ")
                    return "requests_total{to=\"\(parts[0])\",code=\"\(parts[1])\"} \(count)\n"
                }
                let text = "# TYPE requests_total counter\n" + lines.joined()
                return
                    "HTTP/1.1 200 OK\r\ncontent-type: text/plain; version=0.0.4\r\ncontent-length: \(text.utf8.count)\r\n\r\n\(text)"
            }
        }
    }

    private static let own = #"requests_total{to="{backend}"}"#

    /// What one has measured of windows of a second.
    private struct Windows {
        let clock: WindowClock
        let windows: any PlaneWindows

        /// What is told of the window that is over next; nil where it is missing.
        ///
        /// - Parameter during: is called while it lasts.
        func next(during: () async throws -> Void = {}) async throws -> ServiceWindow? {
            let k = clock.index(of: SystemClock.now)
            try await during()
            try await eventually("the window's end") { clock.index(of: SystemClock.now) > k }
            return await windows.take(from: k, before: k + 1)?.first?.services.first
        }

        func untilMeasured() async throws {
            try await eventually(within: 30, "it to be measured") { try await next() != nil }
        }

        /// Whether what changes makes one of two windows missing: it is scraped in the one or the other.
        func isMissing(after change: () -> Void) async throws -> Bool {
            let first = try await next { change() }
            let second = try await next()
            return first == nil || second == nil
        }
    }

    private static func plan(_ change: (inout Plan) -> Void = { _ in }) -> Plan {
        var plan = SamplePlan.plan(window: .seconds(1))
        plan.services = [plan.services[0]]
        for index in plan.stages.indices { plan.stages[index].services = [0] }
        plan.services[0].legacy = "http://old.shop.svc:8080"
        plan.services[0].candidate = "http://new.shop.svc:8080"
        change(&plan)
        return plan
    }

    /// - Parameter isTold: whether requests may have been sent to the candidate.
    private static func windows(
        _ url: String,
        _ selector: String,
        code: String = "code",
        plan: Plan,
        isTold: Bool = false
    ) async throws -> Windows {
        var logger = Logger(label: "counted")
        logger.logLevel = .critical
        let plane = KubernetesPlane(
            folder: KubernetesFolder("."),
            place: KubernetesPlace(namespace: "shop", name: nil, migration: "m", environment: "p"),
            access: KubernetesAccess(server: "", token: nil, authority: nil, gateway: ("", nil)),
            connectTimeout: .zero,
            counter: GatewayCounter(address: url, selector: selector, code: code, logger: logger)
        )
        // There is no API server; but who is about to tell it knows what it will be told.
        if isTold { _ = try? await plane.adapter(router: "r", plan: plan).apply(TestRoutes.table(1, .all)) }
        let meter = Meter(services: plan.services.count, clock: plan.clock)
        return Windows(clock: plan.clock, windows: try await plane.windows(plan, meter: meter, client: .shared))
    }

    private func scraped(
        seldom: Bool = false,
        _ body: (_ url: String, Exporter) async throws -> Void
    ) async throws {
        let exporter = Exporter()
        let program = try await TestUpstream(.says { _ in exporter.answer() })
        let other = try await TestUpstream(.says { _ in exporter.answer() })
        try await TestPrometheus.run(
            scraping: "127.0.0.1:\(program.port)",
            seldom: seldom ? "127.0.0.1:\(other.port)" : nil
        ) { try await body($0, exporter) }
        await program.close()
        await other.close()
    }

    @Test("each request is counted in just one window, by how it ended")
    func counted() async throws {
        try await scraped { url, exporter in
            let windows = try await Self.windows(url, Self.own, plan: Self.plan())
            try await windows.untilMeasured()
            var seen = ServiceWindow()
            for turn in 1...6 {
                let window = try await windows.next {
                    for _ in 0..<40 {
                        exporter.count("old 200", 3)
                        if turn > 2 {
                            for code in ["200", "404", "3xx", "503", "504", "0", "14"] { exporter.count("new \(code)") }
                        }
                        try await Task.sleep(for: .milliseconds(20))
                    }
                }
                seen = seen + (try #require(window, "window \(turn)"))
            }
            // What was counted after the last scrape is in the next.
            seen = seen + (try #require(try await windows.next()))
            #expect(seen.legacy.requests == 720 && seen.legacy.errors == 0 && seen.legacy.timeouts == 0)
            #expect(seen.candidate.requests == 1_120)
            #expect(seen.candidate.errors == 480 && seen.candidate.timeouts == 160)
            #expect(try await windows.next() == ServiceWindow())
        }
    }

    @Test("where a program began anew, dropped a series, has one back, or is away, the window is missing")
    func missing() async throws {
        try await scraped { url, exporter in
            exporter.count("old 200", 5)
            exporter.count("new 200", 5)
            let windows = try await Self.windows(url, Self.own, plan: Self.plan())
            try await windows.untilMeasured()
            #expect(try await windows.isMissing { exporter.change { $0["old 200"] = 1 } }, "began anew")
            try await windows.untilMeasured()
            #expect(try await windows.isMissing { exporter.change { $0["new 200"] = nil } }, "a series is gone")
            try await windows.untilMeasured()
            #expect(try await windows.isMissing { exporter.change { $0["new 200"] = 100_000 } }, "a series is back")
            try await windows.untilMeasured()
            #expect(try await windows.isMissing { exporter.leave(true) }, "a program is away")
            #expect(try await windows.next() == nil)
            exporter.leave(false)
            try await windows.untilMeasured()
            // Somebody is scraped, and tells nothing any more: that is no traffic of 0.
            exporter.change { $0 = [:] }
            _ = try await windows.next()
            for _ in 0..<3 { #expect(try await windows.next() == nil) }
        }
    }

    @Test("a program that is scraped too seldom makes windows missing, although another is scraped often")
    func seldom() async throws {
        try await scraped(seldom: true) { url, exporter in
            let windows = try await Self.windows(url, Self.own, plan: Self.plan())
            try await eventually(within: 30, "both to have been scraped") {
                var request = HTTPClientRequest(url: "\(url)/api/v1/query?query=count(up)")
                request.headers.add(name: "accept", value: "application/json")
                let answer = try? await HTTPClient.shared.execute(request, timeout: .seconds(2))
                let text = try await answer?.body.collect(upTo: 1 << 16)
                return text.map { String(buffer: $0).contains("\"2\"") } ?? false
            }
            var measured = 0
            for _ in 0..<6 where try await windows.next() != nil { measured += 1 }
            #expect(measured == 0)
        }
    }

    @Test("without a series, a status, or two sides that can be told apart, nothing is claimed")
    func unknown() async throws {
        try await scraped { url, exporter in
            for (selector, code) in [(#"nobody_total{to="{backend}"}"#, "code"), (Self.own, "status")] {
                let windows = try await Self.windows(url, selector, code: code, plan: Self.plan())
                for _ in 0..<2 { #expect(try await windows.next() == nil, "\(selector)") }
            }
            // Requests were sent to a candidate that never had a series, although legacy has one: it is elsewhere.
            let told = try await Self.windows(url, Self.own, plan: Self.plan(), isTold: true)
            for _ in 0..<3 { #expect(try await told.next() == nil) }
            try await Self.windows(url, Self.own, plan: Self.plan()).untilMeasured()
            // Regular expressions that meet: one series would be of both.
            exporter.count("new 200")
            let both = try await Self.windows(url, #"requests_total{to=~"{backend}|old"}"#, plan: Self.plan())
            for _ in 0..<2 { #expect(try await both.next() == nil) }
            for selector in ["requests_total", "requests_total{to="] {
                await #expect(throws: (any Error).self) {
                    _ = try await Self.windows(url, selector, plan: Self.plan())
                }
            }
        }
    }

    @Test("a status that does not tell time-outs is none for a plan that asks for them")
    func classes() async throws {
        try await scraped { url, exporter in
            exporter.count("new 5xx", 1)
            let asks = try await Self.windows(
                url,
                Self.own,
                plan: Self.plan {
                    $0.criteria = [
                        Criterion(condition: Condition(metric: .timeoutRate, side: .below, threshold: 20_000))
                    ]
                }
            )
            let asksNot = try await Self.windows(url, Self.own, plan: Self.plan())
            try await asks.untilMeasured()
            #expect(try await asks.isMissing { exporter.count("new 5xx", 7) })
            try await asksNot.untilMeasured()
            var seen = ServiceWindow()
            for turn in 0..<2 {
                let window = try await asksNot.next { if turn == 0 { exporter.count("new 5xx", 7) } }
                seen = seen + (try #require(window))
            }
            #expect(seen.candidate.requests == 7 && seen.candidate.errors == 7)
        }
    }
}
