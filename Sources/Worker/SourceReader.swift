import AsyncHTTPClient
import Foundation
package import Logging
package import MigrationCore
import NIOCore
import NIOFoundationCompat
import NIOHTTP1

/// Asks one source of a plan what both implementations did in one window.
///
/// The source answers a GET with an object of two sides, of which either may be missing or null:
///
///     {"candidate": {"value": 97, "of": 100}, "legacy": {"value": 95, "of": 100}}
///
/// A ratio is a part of a whole; a time is in seconds, a rate in events a second, and a number is what it is, each with the number of
/// samples in `of`.
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

    private struct Side: Decodable {
        var value: Double
        var of: Double
    }

    private struct Answer: Decodable {
        var candidate: Side?
        var legacy: Side?
    }

    /// What the source says; one that cannot be asked, or answers too late or nonsense, has failed.
    package func read(_ source: Source) async -> SourceReading {
        let reading: Reading
        do {
            reading = try Self.reading(try await ask(source), source.unit)
        } catch {
            logger.warning("a source said nothing", metadata: ["source": "\(source.name)", "reason": "\(error)"])
            reading = Reading(candidate: nil, legacy: nil, isFailed: true)
        }
        return SourceReading(k: k, environment: environment, source: source.name, reading: reading)
    }

    private func ask(_ source: Source) async throws -> ByteBuffer {
        let request = HTTPClientRequest(url: url(of: source))
        let timeout = TimeAmount.microseconds(source.timeout.rawValue)
        let response = try await HTTPClient.shared.execute(request, timeout: timeout)
        guard response.status == .ok else { throw SourceError(message: "status \(response.status.code)") }
        return try await response.body.collect(upTo: Self.longest)
    }

    private func url(of source: Source) -> String {
        func seconds(_ moment: Timestamp) -> String { Decimals.text(Int(moment.rawValue), scale: 1_000_000) }
        return source.url.replacing("{environment}", with: environment)
            .replacing("{from}", with: seconds(plan.clock.start(of: k)))
            .replacing("{to}", with: seconds(plan.clock.end(of: k)))
    }

    /// - Throws: for an answer that is none.
    static func reading(_ body: ByteBuffer, _ unit: Metric.Unit) throws -> Reading {
        let answer = try JSONDecoder().decode(Answer.self, from: body)
        return Reading(
            candidate: try answer.candidate.map { try measurement($0, unit) },
            legacy: try answer.legacy.map { try measurement($0, unit) }
        )
    }

    private static func measurement(_ side: Side, _ unit: Metric.Unit) throws -> MigrationCore.Measurement {
        guard side.of >= 1, side.of <= Double(Counts.largest), side.of.rounded() == side.of, side.value >= 0,
            side.value <= Double(Counts.largest), unit != .ratio || side.value <= side.of
        else { throw SourceError(message: "\(side.value) of \(side.of) cannot have been measured") }
        switch unit {
        case .ratio:
            guard side.value.rounded() == side.value else {
                throw SourceError(message: "\(side.value) is not a part of a whole")
            }
            return MigrationCore.Measurement(value: Int(side.value), of: Int(side.of))
        case .time, .number:
            return MigrationCore.Measurement(value: Int((side.value * 1_000_000).rounded()), of: Int(side.of))
        // Millionths of an event in a million seconds.
        case .rate:
            return MigrationCore.Measurement(value: Int((side.value * 1_000_000).rounded()), of: 1_000_000_000_000)
        }
    }
}

/// Why a source has said nothing.
private struct SourceError: Error, CustomStringConvertible {
    var message: String
    var description: String { message }
}
