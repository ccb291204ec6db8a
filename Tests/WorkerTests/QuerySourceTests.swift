import Foundation
import Logging
import MigrationCore
import Postgres
import Synchronization
import TestSupport
import Testing
import Worker

@Suite("Sources that are asked by queries", .database)
struct QuerySourceTests {
    private func read(
        _ query: SourceQuery,
        url: String = "",
        unit: Metric.Unit,
        window: TimeSpan = .seconds(5),
        ago: Int64 = 1,
        limit: TimeSpan = .seconds(30)
    ) async -> (Reading, String?) {
        var plan = SamplePlan.plan(window: window)
        let source = Source(name: "q", url: url, query: query, unit: unit, isBadWhenHigh: true, timeout: limit)
        plan.sources = [source]
        var logger = Logger(label: "sources")
        logger.logLevel = .critical
        let now = Timestamp(rawValue: Int64(Date().timeIntervalSince1970 * 1_000_000))
        let reader = SourceReader(
            plan: plan,
            k: plan.clock.index(of: now) - ago,
            environment: "production",
            logger: logger
        )
        let (said, failure) = await reader.answer(source)
        return (said.reading, failure)
    }

    /// A service that counts ten requests to the candidate each time it is scraped, and one of them as bad.
    private static func scraped() async throws -> TestUpstream {
        let scrapes = Atomic<Int>(0)
        let count: @Sendable () -> Int = { scrapes.wrappingAdd(1, ordering: .relaxed).newValue }
        return try await TestUpstream(
            .says { _ in
                let turn = count()
                let text = """
                    # TYPE all counter
                    all_total{side="candidate"} \(turn * 10)
                    all_total{side="twice",copy="a"} 1
                    all_total{side="twice",copy="b"} 1
                    # TYPE bad counter
                    bad_total{side="candidate"} \(turn)
                    # EOF

                    """
                return
                    "HTTP/1.1 200 OK\r\ncontent-type: application/openmetrics-text; version=1.0.0\r\ncontent-length: \(text.utf8.count)\r\n\r\n\(text)"
            }
        )
    }

    @Test(
        "a Prometheus is asked for a part and a whole of each side; a side that it knows nothing of is missing, and an error is the source's"
    )
    func prometheus() async throws {
        let service = try await Self.scraped()
        try await TestPrometheus.run(scraping: "127.0.0.1:\(service.port)") { url in
            func sum(_ name: String) -> String { "sum(increase(\(name){side=\"{implementation}\"}[{window}]))" }
            var seen: Reading?
            try await eventually("a whole window of scrapes") {
                seen = await read(.prometheus(value: sum("bad_total"), of: sum("all_total")), url: url, unit: .ratio).0
                return seen?.candidate != nil
            }
            let candidate = try #require(seen?.candidate)
            #expect(candidate.of > 20)
            #expect(abs(candidate.value * 10 - candidate.of) <= 10, "\(candidate)")
            #expect(seen?.legacy == nil && seen?.isFailed == false)
            let (number, _) = await read(.prometheus(value: "vector(0.25)", of: nil), url: url, unit: .number)
            #expect(number.candidate == Measurement(value: 250_000, of: 1))
            let (none, failure) = await read(
                .prometheus(value: "vector(0) / vector(0)", of: nil),
                url: url,
                unit: .number
            )
            #expect(none == Reading(candidate: nil, legacy: nil) && failure == nil)
            let wrong = [("sum(", "parse error"), ("all_total{side=\"twice\"}", "2 series")]
            for (query, reason) in wrong {
                let (reading, failure) = await read(.prometheus(value: query, of: nil), url: url, unit: .number, ago: 0)
                #expect(reading.isFailed && failure?.contains(reason) == true, "\(query): \(failure ?? "")")
            }
        }
        let (away, _) = await read(.prometheus(value: "1", of: nil), url: "http://127.0.0.1:1", unit: .number)
        #expect(away.isFailed)
        await service.close()
    }

    @Test("a database is asked by a query that may only read, with the window's ends; what it gives is taken by side")
    func sql() async throws {
        setenv("MIGRATE_TEST_SOURCE", try TestDatabase.conninfo, 1)
        func ask(_ query: String, limit: TimeSpan = .seconds(30)) async -> (Reading, String?) {
            await read(.sql(query: query, database: "MIGRATE_TEST_SOURCE"), unit: .number, limit: limit)
        }
        let (both, _) = await ask(
            "select * from (values ('candidate', 0.5::numeric, 20::bigint), ('legacy', 1, 40)) answer (implementation, value, of)"
        )
        #expect(
            both
                == Reading(
                    candidate: Measurement(value: 500_000, of: 20),
                    legacy: Measurement(value: 1_000_000, of: 40)
                )
        )
        let (window, _) = await ask(
            "select 'candidate' as implementation, extract(epoch from $3 - $2) as value, length($1) as of"
        )
        #expect(window.candidate == Measurement(value: 5_000_000, of: 10))
        let (empty, failure) = await ask("select 'legacy' as implementation, null::int as value, 0 as of where true")
        #expect(empty == Reading(candidate: nil, legacy: nil) && failure == nil)
        for (query, reason) in [
            ("select 1", "implementation"),
            ("select 'x' as implementation, 1 as value, 1 as of", "legacy or candidate"),
            ("select 'legacy' as implementation, -1 as value, 1 as of", "cannot have been measured"),
            (
                "with made as (select pg_sleep(60)) select 'legacy' as implementation, 1 as value, 1 as of from made",
                "timeout"
            ),
        ] {
            let (reading, failure) = await ask(query, limit: query.contains("pg_sleep") ? .seconds(1) : .seconds(30))
            #expect(reading.isFailed && failure?.contains(reason) == true, "\(query): \(failure ?? "")")
        }
        let (written, _) = await ask(
            "select 'legacy' as implementation, nextval('migrate_test_source_sequence') as value, 1 as of"
        )
        #expect(written.isFailed)
        let (unset, why) = await read(.sql(query: "select 1", database: "MIGRATE_TEST_NOT_SET"), unit: .number)
        #expect(unset.isFailed && why?.contains("MIGRATE_TEST_NOT_SET") == true)
    }
}
