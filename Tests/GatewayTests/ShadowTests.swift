import AsyncHTTPClient
import Foundation
import Gateway
import MigrationCore
import NIOCore
import NIOHTTP1
import Routing
import Synchronization
import TestSupport
import Testing

@Suite("Copies of requests, and what their answers say")
struct ShadowTests {
    private let state = FileManager.default.temporaryDirectory.appendingPathComponent(
        "gateway-\(UUID().uuidString).json"
    )

    /// Answers in JSON, of which one field is another each time, to whoever asks.
    private static func answers(_ body: @escaping @Sendable (Int) -> String) -> TestUpstream.Behaviour {
        let turn = Counter()
        return .says { _ in
            let text = body(turn.next())
            return
                "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: \(text.utf8.count)\r\n\r\n\(text)"
        }
    }

    private final class Counter: Sendable {
        private let count = Atomic<Int>(0)
        func next() -> Int { count.wrappingAdd(1, ordering: .relaxed).newValue }
    }

    private func plan(_ legacy: TestUpstream, _ candidate: TestUpstream) -> Plan {
        // Nobody here is late on purpose, but where a test says so.
        var plan = TestGateway.plan(legacy: legacy.port, candidate: candidate.port, timeout: .seconds(4))
        plan.services[0].shadow = .all
        return plan
    }

    private func ask(_ url: String, user: String, method: HTTPMethod = .GET) async throws {
        var request = HTTPClientRequest(url: url + "/a")
        request.method = method
        request.headers.add(name: "x-user-id", value: user)
        if method == .POST { request.body = .bytes(ByteBuffer(string: "{}")) }
        let response = try await HTTPClient.shared.execute(request, timeout: .seconds(5))
        #expect(response.status == .ok)
        _ = try await response.body.collect(upTo: 10_000)
    }

    private func total(_ gateway: TestGateway) -> Counts {
        gateway.signals.map(\.services[0].candidate).reduce(Counts(), +)
    }

    @Test(
        "copies are asked for as they are, not compressed, and what is compressed all the same or depends on what its client has is not compared"
    )
    func encodings() async throws {
        let heard = Mutex<[String]>([])
        let plain = Self.answers { _ in #"{"a":1}"# }
        let legacy = try await TestUpstream(plain)
        let candidate = try await TestUpstream(
            .says { request in
                heard.withLock { $0.append(request.lowercased()) }
                let encoding = request.contains("encoded") ? "content-encoding: gzip\r\n" : ""
                return
                    "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n\(encoding)content-length: 7\r\n\r\n{\"a\":1}"
            }
        )
        let gateway = TestGateway()
        try await gateway.serve(
            plan(legacy, candidate),
            state: state,
            first: TestGateway.table(1, SamplePlan.weight(1))
        ) { url in
            try await gateway.untilMeasuring()
            for (user, name, value) in [
                ("conditional", "if-none-match", "\"x\""), ("part", "range", "bytes=0-1"), ("encoded", "x-y", "1"),
                ("plain", "accept-encoding", "gzip"),
            ] {
                var request = HTTPClientRequest(url: url + "/a")
                request.headers.add(name: "x-user-id", value: user)
                request.headers.add(name: name, value: value)
                _ = try await HTTPClient.shared.execute(request, timeout: .seconds(5)).body.collect(upTo: 10_000)
            }
            try await eventually("the comparison") { total(gateway).compared == 1 }
            #expect(total(gateway).different == 0)
        }
        let copies = heard.withLock { $0 }.filter { $0.contains("x-migrate-shadow") }
        #expect(copies.count == 2, "\(copies)")
        #expect(
            copies.allSatisfy {
                !$0.contains("accept-encoding") && !$0.contains("if-none-match") && !$0.contains("range:")
            }
        )
        await legacy.close()
        await candidate.close()
    }

    @Test(
        "what differs from one answer of legacy to the next is noise; what the candidate alone answers otherwise is a difference, on whichever side the user is",
        arguments: [1, 10_000]
    )
    func noise(_ basisPoints: Int) async throws {
        let list = #"[{"id":"a","n":1},{"id":"b","n":2},{"id":"c","n":3}]"#
        let legacy = try await TestUpstream(
            Self.answers { #"{"people":{"jo@y.org":1},"at":\#($0),"score":1,"email":"x@y","list":\#(list)}"# }
        )
        let same = try await TestUpstream(
            Self.answers { #"{"people":{"jo@y.org":1},"list":\#(list),"email":"x@y","score":1,"at":\#($0)}"# }
        )
        let other = try await TestUpstream(
            Self.answers {
                #"{"people":{"jo@y.org":2},"at":\#($0),"score":2,"email":"z@y","list":[{"id":"c","n":3},{"id":"b","n":2},{"id":"a","n":9}]}"#
            }
        )
        // Two of five are the same.
        let poorer = try await TestUpstream(
            Self.answers {
                #"{"people":{"jo@y.org":2},"at":\#($0),"score":2,"email":"z@y","list":[{"id":"a","n":9},{"id":"b","n":2},{"id":"x","n":1},{"id":"y","n":1}]}"#
            }
        )
        for (candidate, isDifferent, list) in [(same, false, nil), (other, true, "order"), (poorer, true, "overlap")] {
            let gateway = TestGateway()
            let admin = try freePort()
            try await gateway.serve(
                plan(legacy, candidate),
                state: state,
                first: TestGateway.table(1, SamplePlan.weight(basisPoints)),
                change: { $0.adminPort = admin }
            ) { url in
                try await gateway.untilMeasuring()
                var asked = 0
                try await eventually("comparisons") {
                    try await ask(url, user: "u\(asked)")
                    asked += 1
                    return total(gateway).compared >= 30
                }
                let counts = total(gateway)
                #expect(isDifferent ? counts.different >= counts.compared - 2 : counts.different <= 2, "\(counts)")
                let response = try await HTTPClient.shared.execute(
                    HTTPClientRequest(url: "http://127.0.0.1:\(admin)/shadow"),
                    timeout: .seconds(5)
                )
                let report = String(buffer: try await response.body.collect(upTo: 1 << 20))
                #expect(report.contains(#""path":"score""#) == isDifferent)
                for kind in ["order", "overlap"] {
                    #expect(report.contains("\"path\":\"list[] \(kind)\"") == (list == kind))
                }
                #expect(report.contains(#""path":"list[].n""#) == isDifferent)
                #expect(report.contains(#""path":"email""#) == isDifferent)
                #expect(report.contains(#""path":"[redacted]""#) == isDifferent)
                #expect(!report.contains("@y"))
                // A user's answer is one of whoever answers, and is not counted twice.
                try await eventually("each request to be counted once") {
                    gateway.signals.map { $0.services[0].legacy.requests + $0.services[0].candidate.requests }.reduce(
                        0,
                        +
                    )
                        == asked
                }
            }
            try FileManager.default.removeItem(at: state)
        }
        await legacy.close()
        await same.close()
        await other.close()
        await poorer.close()
    }

    @Test(
        "what a plan does not compare tells no entries of a list apart either",
        arguments: [["list[].id", "at"], ["at"]]
    )
    func ignored(_ paths: [String]) async throws {
        let legacy = try await TestUpstream(
            Self.answers { _ in #"{"at":1,"list":[{"id":"a","title":"x"},{"id":"b","title":"y"}]}"# }
        )
        let candidate = try await TestUpstream(
            Self.answers { _ in #"{"at":2,"list":[{"id":"c","title":"x"},{"id":"d","title":"y"}]}"# }
        )
        let gateway = TestGateway()
        var plan = plan(legacy, candidate)
        plan.services[0].shadowIgnores = paths
        try await gateway.serve(plan, state: state, first: TestGateway.table(1, SamplePlan.weight(1))) { url in
            try await gateway.untilMeasuring()
            for user in 0..<20 { try await ask(url, user: "steady-\(user)") }
            try await eventually("comparisons") { total(gateway).compared > 10 }
            #expect((total(gateway).different == 0) == (paths.count == 2))
        }
        await legacy.close()
        await candidate.close()
    }

    @Test("a candidate that hangs delays nobody, and is compared with nothing")
    func hangs() async throws {
        let legacy = try await TestUpstream(Self.answers { _ in "{}" }), candidate = try await TestUpstream(.hangs)
        let gateway = TestGateway()
        var plan = plan(legacy, candidate)
        plan.services[0].timeout = .seconds(30)
        try await gateway.serve(plan, state: state, first: TestGateway.table(1, SamplePlan.weight(1))) { url in
            try await gateway.untilMeasuring()
            let begun = ContinuousClock.now
            for user in 0..<60 { try await ask(url, user: "steady-\(user % 5)") }
            #expect(ContinuousClock.now - begun < .seconds(15))
            try await eventually("copies to arrive") { candidate.requests > 0 }
            #expect(total(gateway).compared == 0)
        }
        await legacy.close()
        await candidate.close()
    }

    @Test("a request that may change something is not copied, unless the plan says that the service only reads")
    func writes() async throws {
        let legacy = try await TestUpstream(Self.answers { _ in "{}" })
        for onlyReads in [nil, true] as [Bool?] {
            let candidate = try await TestUpstream(Self.answers { _ in "{}" })
            let gateway = TestGateway()
            var plan = plan(legacy, candidate)
            plan.services[0].onlyReads = onlyReads
            let before = legacy.requests
            try await gateway.serve(plan, state: state, first: TestGateway.table(1, SamplePlan.weight(1))) { url in
                try await gateway.untilMeasuring()
                for _ in 0..<10 { try await ask(url, user: "steady", method: .POST) }
                if onlyReads == true {
                    try await eventually("comparisons") { total(gateway).compared == 10 }
                    #expect(candidate.requests == 10)
                } else {
                    try await ask(url, user: "steady")
                    try await eventually("the one that may be copied") { total(gateway).compared == 1 }
                    #expect(candidate.requests == 1)
                    #expect(legacy.requests == before + 12)
                }
            }
            await candidate.close()
            try FileManager.default.removeItem(at: state)
        }
        await legacy.close()
    }

    @Test("a candidate that is taken back has no copies from the moment of the acknowledgement on")
    func takenBack() async throws {
        let legacy = try await TestUpstream(Self.answers { _ in "{}" })
        let candidate = try await TestUpstream(Self.answers { _ in "{}" })
        let gateway = TestGateway()
        try await gateway.serve(plan(legacy, candidate), state: state, first: TestGateway.table(1, .zero)) { url in
            let load = SteadyLoad()
            try await load.keepUp(url) {
                for turn in 0..<10 {
                    let (up, down) = (Int64(turn * 2 + 2), Int64(turn * 2 + 3))
                    gateway.route(TestGateway.table(up, SamplePlan.weight(1)))
                    let before = candidate.requests
                    try await eventually("copies") { candidate.requests > before + 5 }
                    gateway.route(TestGateway.table(down, .zero))
                    try await eventually("revision \(down)") { gateway.acknowledged.contains(down) }
                    // What was sent before may not have been read yet.
                    try await candidate.catchUp()
                    let (sent, answered) = (candidate.requests, load.answered + load.failed)
                    try await eventually("more requests") { load.answered + load.failed > answered + 40 }
                    #expect(candidate.requests == sent)
                }
            }
        }
        await legacy.close()
        await candidate.close()
    }
}
