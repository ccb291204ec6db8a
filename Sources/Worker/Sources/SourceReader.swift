import AsyncHTTPClient
import Foundation
package import Logging
package import MigrationCore
import NIOCore
import NIOFoundationCompat
import NIOHTTP1
import WholeAnswer

/// Asks one source of a plan what both implementations did in one window.
///
/// A JSON endpoint answers a GET with an object of two sides, of which either may be missing or null:
///
///     {"candidate": {"value": 97, "of": 100}, "legacy": {"value": 95, "of": 100}}
///
/// A ratio is a part of a whole; a time is in seconds, a rate in events a second, and a number is what it is, each with the number of
/// samples in `of`. A Prometheus and a PostgreSQL are asked by queries that give the same.
package struct SourceReader: Sendable {
    private let plan: Plan
    private let k: Int64
    private let environment: String
    private let logger: Logger

    /// No answer is longer, in bytes.
    private static let longest = 1 << 16

    package init(plan: Plan, k: Int64, environment: String, logger: Logger) {
        self.plan = plan
        self.k = k
        self.environment = environment
        self.logger = logger
    }

    /// What the source says; one that cannot be asked, or answers too late or nonsense, has failed.
    package func read(_ source: Source) async -> SourceReading {
        await answer(source).reading
    }

    /// The same, with why it failed.
    package func answer(_ source: Source) async -> (reading: SourceReading, failure: String?) {
        let reading: Reading
        var failure: String?
        do {
            let answer = try await ask(source)
            reading = Reading(
                candidate: try answer.candidate?.measurement(source.unit),
                legacy: try answer.legacy?.measurement(source.unit)
            )
        } catch {
            failure = "\(error)"
            logger.warning("a source said nothing", metadata: ["source": "\(source.name)", "reason": "\(error)"])
            reading = Reading(candidate: nil, legacy: nil, isFailed: true)
        }
        return (SourceReading(k: k, environment: environment, source: source.name, reading: reading), failure)
    }

    private func ask(_ source: Source) async throws -> SourceAnswer {
        let start = plan.clock.start(of: k), end = plan.clock.end(of: k)
        switch source.query {
        case .prometheus(let value, let of)?:
            return try await PrometheusSource(address: source.url, value: value, of: of, unit: source.unit).read(
                environment,
                window: plan.window,
                at: end,
                timeout: source.timeout
            )
        case .sql(let query, let database)?:
            return try await SQLSource(query: query, database: database).read(
                environment,
                from: start,
                to: end,
                timeout: source.timeout
            )
        case nil: return try await endpoint(source)
        }
    }

    private func endpoint(_ source: Source) async throws -> SourceAnswer {
        let request = HTTPClientRequest(url: url(of: source))
        let (response, body) = try await HTTPClient.shared.whole(
            request,
            within: .microseconds(source.timeout.rawValue),
            longest: Self.longest
        )
        guard response.status == .ok else { throw SourceError("status \(response.status.code)") }
        return try JSONDecoder().decode(SourceAnswer.self, from: body)
    }

    private func url(of source: Source) -> String {
        func seconds(_ moment: Timestamp) -> String { Decimals.text(Int(moment.rawValue), scale: 1_000_000) }
        return source.url.replacing("{environment}", with: environment)
            .replacing("{from}", with: seconds(plan.clock.start(of: k)))
            .replacing("{to}", with: seconds(plan.clock.end(of: k)))
    }
}
