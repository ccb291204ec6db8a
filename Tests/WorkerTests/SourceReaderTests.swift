import Logging
import MigrationCore
import TestSupport
import Testing
import Worker

@Suite("Sources of measurements")
struct SourceReaderTests {
    private static func answer(_ body: String, status: String = "200 OK") -> String {
        "HTTP/1.1 \(status)\r\ncontent-type: application/json\r\ncontent-length: \(body.utf8.count)\r\n\r\n\(body)"
    }

    private func read(_ unit: Metric.Unit, path: String = "/q", _ behaviour: TestUpstream.Behaviour) async throws
        -> SourceReading
    {
        let upstream = try await TestUpstream(behaviour)
        var plan = SamplePlan.plan()
        // Only who never answers is to be too late, however busy the machine is.
        let limit: TimeSpan = if case .hangs = behaviour { .seconds(1) } else { .seconds(30) }
        let source = Source(
            name: "q",
            url: "http://127.0.0.1:\(upstream.port)\(path)",
            unit: unit,
            isBadWhenHigh: true,
            timeout: limit
        )
        plan.sources = [source]
        var logger = Logger(label: "sources")
        logger.logLevel = .critical
        let reading = await SourceReader(plan: plan, k: 170_000_000, environment: "production", logger: logger).read(
            source
        )
        await upstream.close()
        return reading
    }

    private static let good: [(Metric.Unit, String, MigrationCore.Measurement)] = [
        (.ratio, #"{"value": 97, "of": 100}"#, Measurement(value: 97, of: 100)),
        (.time, #"{"value": 1.25, "of": 40}"#, Measurement(value: 1_250_000, of: 40)),
        (.number, #"{"value": 0.5, "of": 3}"#, Measurement(value: 500_000, of: 3)),
        (.rate, #"{"value": 2.5, "of": 1}"#, Measurement(value: 2_500_000, of: 1_000_000_000_000)),
    ]

    @Test("both sides are read, each in its unit", arguments: good.indices)
    func reads(_ index: Int) async throws {
        let (unit, side, expected) = Self.good[index]
        let body = "{\"candidate\": \(side), \"legacy\": null}"
        let reading = try await read(unit, .says { _ in Self.answer(body) })
        #expect(reading.reading == Reading(candidate: expected, legacy: nil))
        #expect(reading.k == 170_000_000)
    }

    @Test("the window and its environment stand where the address asks for them")
    func address() async throws {
        let reading = try await read(
            .ratio,
            path: "/{environment}?from={from}&to={to}",
            .says { request in
                let isAsked = request.hasPrefix("GET /production?from=1700000000&to=1700000010 ")
                return Self.answer(isAsked ? #"{"legacy": {"value": 1, "of": 2}}"# : "no")
            }
        )
        #expect(reading.reading == Reading(candidate: nil, legacy: Measurement(value: 1, of: 2)))
    }

    private static let bad: [TestUpstream.Behaviour] = [
        .hangs, .garbage, .closes, .closesMidBody, .says { _ in answer("{}", status: "500 Internal Server Error") },
        .says { _ in answer("[]") }, .says { _ in answer("") },
        .says { _ in answer(#"{"candidate": {"value": 3, "of": 2}}"#) },
        .says { _ in answer(#"{"candidate": {"value": 0.5, "of": 2}}"#) },
        .says { _ in answer(#"{"candidate": {"value": -1, "of": 2}}"#) },
        .says { _ in answer(#"{"candidate": {"value": 1, "of": 0}}"#) },
        .says { _ in answer(#"{"candidate": {"value": 1e300, "of": 1e300}}"#) },
        .says { _ in answer(#"{"candidate": {"value": "NaN", "of": 2}}"#) },
        .says { _ in answer(#"{"candidate": 0.97}"#) },
        .says { _ in answer("{\"candidate\": \"\(String(repeating: "x", count: 100_000))\"}") },
    ]

    @Test(
        "one that cannot be asked, is too late, or answers nonsense has failed, and has said nothing",
        arguments: bad.indices
    )
    func fails(_ index: Int) async throws {
        let reading = try await read(.ratio, Self.bad[index])
        #expect(reading.reading == Reading(candidate: nil, legacy: nil, isFailed: true))
    }
}
