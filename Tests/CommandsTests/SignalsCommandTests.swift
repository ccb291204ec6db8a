import AsyncHTTPClient
import Foundation
import MigrationCore
import NIOCore
import NIOHTTP1
import PlanFile
import Synchronization
import TestSupport
import Testing

@Suite("migrate signals", .database, .serialized)
struct SignalsCommandTests {
    private func run(_ arguments: String...) throws -> Program.Result {
        try Program.run(arguments, database: TestDatabase.conninfo)
    }

    private static let plan = """
        migration: shop
        services: { a: { legacy: "http://127.0.0.1:1", candidate: "http://127.0.0.1:2" } }
        sticky_by: [client_ip]
        window: 1s
        SOURCES
        stages: [{ name: p, environment: p, steps: [50%, 100%], bake: 10m }]
        criteria: [CRITERIA]
        rollback: [error_rate > 5% for 10s]
        watch: 1h
        expires: 1d

        """

    private static func plan(sources: String, criteria: String) -> String {
        plan.replacing("SOURCES", with: sources).replacing("CRITERIA", with: criteria)
    }

    @Test("the ready queries are sources that a plan takes", arguments: ["gateway", "haproxy", "envoy"])
    func queries(_ kind: String) throws {
        let file = try Program.file(Self.plan(sources: "", criteria: "error_rate < 5%"), "plan.yaml")
        let printed = try run("signals", "queries", kind, file, "--prometheus", "http://127.0.0.1:9090")
        #expect(printed.code == 0)
        let names = kind == "haproxy" ? ["a_errors"] : ["a_errors", "a_timeouts"]
        let criteria = names.map { "\($0) < 5%" }.joined(separator: ", ")
        let plan = try PlanFile.parse(Self.plan(sources: printed.text, criteria: criteria), file: "plan.yaml")
        #expect(plan.sources.map(\.name) == names)
        for source in plan.sources {
            guard case .prometheus(let value, let of?)? = source.query else {
                Issue.record("\(source) is asked otherwise")
                continue
            }
            #expect(value.contains("{implementation}") && of.contains("offset {window}"))
        }
    }

    @Test(
        "the ready queries count a first burst of errors, whose counter is born with it, in one window, and no neighbour's requests"
    )
    func burst() async throws {
        let phase = Atomic<Int>(0)
        let exporter = try await TestUpstream(
            .says { _ in
                let stage = phase.load(ordering: .relaxed)
                let own = #"migration="shop",environment="e",envoy_cluster_name="0""#
                let other = #"migration="shop",environment="other",envoy_cluster_name="0""#
                var text = "envoy_cluster_candidate_upstream_rq_completed{\(own)} \([1_000, 2_000, 300][stage])\n"
                text += "envoy_cluster_candidate_upstream_rq_completed{\(other)} \(stage == 0 ? 1 : 9_000)\n"
                if stage > 0 {
                    text +=
                        "envoy_cluster_candidate_upstream_rq_xx{\(own),envoy_response_code_class=\"5\"} \(stage == 1 ? 500 : 505)\n"
                    text += "envoy_cluster_candidate_upstream_rq_xx{\(other),envoy_response_code_class=\"5\"} 7\n"
                }
                return
                    "HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ncontent-length: \(text.utf8.count)\r\n\r\n\(text)"
            }
        )
        try await TestPrometheus.run(scraping: "127.0.0.1:\(exporter.port)") { prometheus in
            let file = try Program.file(Self.plan(sources: "", criteria: "error_rate < 5%"), "plan.yaml")
            let printed = try run("signals", "queries", "envoy", file, "--prometheus", prometheus)
            let criteria = "a_errors < 5%, a_timeouts < 5%"
            let plan = try PlanFile.parse(Self.plan(sources: printed.text, criteria: criteria), file: "plan.yaml")
            let source = try #require(plan.sources.first { $0.name == "a_errors" })
            guard case .prometheus(let value, let of?)? = source.query else {
                Issue.record("\(source) is asked otherwise")
                return
            }
            /// What a query says of the two seconds before a moment; nil for nothing.
            func ask(_ query: String, _ at: Double = Date().timeIntervalSince1970) async throws -> Double? {
                let filled = query.replacing("{implementation}", with: "candidate").replacing(
                    "{environment}",
                    with: "e"
                )
                .replacing("{window}", with: "2s")
                let text = filled.addingPercentEncoding(withAllowedCharacters: .alphanumerics) ?? ""
                let answer = try await HTTPClient.shared.execute(
                    HTTPClientRequest(url: "\(prometheus)/api/v1/query?query=\(text)&time=\(at)"),
                    timeout: .seconds(5)
                )
                let body = String(buffer: try await answer.body.collect(upTo: 1 << 20))
                #expect(answer.status == .ok, "\(body)")
                return body.firstMatch(of: /"value":\[[0-9.]+,"([0-9.]+)"\]/).flatMap { Double($0.output.1) }
            }
            /// Waits until a query said something at a moment since another, however late that is asked.
            func moment(_ what: String, since begun: Date, _ expected: Double?) async throws -> Double {
                var found: Double?
                try await eventually(what) {
                    let moments = stride(
                        from: begun.timeIntervalSince1970,
                        through: Date().timeIntervalSince1970,
                        by: 0.2
                    )
                    for at in moments where found == nil {
                        if try await ask(of, at) == expected { found = at }
                    }
                    return found != nil
                }
                return try #require(found)
            }
            // Before a window's length has been scraped there is no number.
            try await eventually("nothing to have come") { try await ask(of) == 0 }
            #expect(try await ask(value) == 0)
            let bursting = Date()
            phase.store(1, ordering: .relaxed)
            let burst = try await moment("the burst", since: bursting, 1_000)
            #expect(try await ask(value, burst) == 500)
            try await eventually("the burst to be over") { try await ask(of) == 0 }
            #expect(try await ask(value) == 0)
            // It begins anew: what it counted before is not known, and so nothing is claimed of its errors either.
            let restarting = Date()
            phase.store(2, ordering: .relaxed)
            let restart = try await moment("the restart", since: restarting, nil)
            #expect(try await ask(value, restart) == 0)
            try await eventually("the restart to be over") { try await ask(of) == 0 }
        }
        await exporter.close()
    }

    @Test("says what each source says now, and why one says nothing")
    func shows() async throws {
        let body = #"{"candidate": {"value": 97, "of": 100}, "legacy": null}"#
        let good = try await TestUpstream(
            .says { _ in "HTTP/1.1 200 OK\r\ncontent-length: \(body.utf8.count)\r\n\r\n\(body)" }
        )
        let sources = """
            sources:
              quality: { url: "http://127.0.0.1:\(good.port)/q", unit: ratio, better: high }
              gone: { url: "http://127.0.0.1:1/q", unit: number }
            """
        let file = try Program.file(Self.plan(sources: sources, criteria: "quality > 90%, gone < 5"), "plan.yaml")
        #expect(try run("db", "install").code == 0)
        #expect(try run("create", file).code == 0)
        let text = try run("signals", "shop")
        #expect(text.code == 1)
        #expect(text.text.contains("shop, p: no window was sealed lately"))
        #expect(text.text.firstMatch(of: /quality +97 % +100 +–/) != nil, "\(text.text)")
        #expect(text.text.firstMatch(of: /gone failed: .*refused/) != nil, "\(text.text)")
        let json = try run("signals", "show", "shop", "--format", "json")
        #expect(json.text.contains("\"candidateOf\" : 100"))
        let nowhere = try run("signals", "shop", "--environment", "elsewhere")
        #expect(nowhere.code == 3 && nowhere.text.contains("it has: p"))
        await good.close()
    }
}
