import AsyncHTTPClient
import Foundation
import MigrationCore
import NIOCore
import NIOFoundationCompat
import NIOHTTP1

/// Asks a Prometheus by instant queries at a window's end, one for the value and one for the number of samples, for each side.
///
/// An empty vector, and a value that is no number, is nothing seen: that side is missing. An error is the source's failure.
struct PrometheusSource: Sendable {
    /// No answer is longer, in bytes.
    private static let longest = 1 << 16

    let address: String
    /// With `{implementation}`, `{environment}` and `{window}` to be filled in.
    let value: String
    /// The number of samples; nil where the value is one of many that nobody counts.
    let of: String?
    let unit: Metric.Unit

    func read(_ environment: String, window: TimeSpan, at end: Timestamp, timeout: TimeSpan) async throws
        -> SourceAnswer
    {
        async let candidate = side(.candidate, environment, window, end, timeout)
        async let legacy = side(.legacy, environment, window, end, timeout)
        return try await SourceAnswer(candidate: candidate, legacy: legacy)
    }

    private func side(
        _ implementation: Implementation,
        _ environment: String,
        _ window: TimeSpan,
        _ end: Timestamp,
        _ timeout: TimeSpan
    ) async throws -> SourceSide? {
        func ask(_ query: String) async throws -> Double? {
            let filled = query.replacing("{implementation}", with: implementation.rawValue)
                .replacing("{environment}", with: environment)
                .replacing("{window}", with: "\(max(1, window.rawValue / 1_000))ms")
            return try await self.ask(filled, at: end, timeout: timeout)
        }
        guard let value = try await ask(value) else { return nil }
        guard let of else { return SourceSide(value: value, of: 1) }
        guard let samples = try await ask(of) else { return nil }
        // `increase` extrapolates to the ends of the window, and so seldom gives whole numbers.
        let whole = samples.rounded()
        guard whole >= 1 else { return nil }
        return unit == .ratio
            ? SourceSide(value: min(value.rounded(), whole), of: whole) : SourceSide(value: value, of: whole)
    }

    private func ask(_ query: String, at moment: Timestamp, timeout: TimeSpan) async throws -> Double? {
        let allowed = CharacterSet.alphanumerics.union(CharacterSet(charactersIn: "-._~"))
        let encoded = query.addingPercentEncoding(withAllowedCharacters: allowed) ?? ""
        let time = Decimals.text(Int(moment.rawValue), scale: 1_000_000)
        let request = HTTPClientRequest(url: "\(address)/api/v1/query?query=\(encoded)&time=\(time)")
        let response = try await HTTPClient.shared.execute(request, timeout: .microseconds(timeout.rawValue))
        let body = try await response.body.collect(upTo: Self.longest)
        guard let answer = try? JSONDecoder().decode(Answer.self, from: body) else {
            throw SourceError("Prometheus answered with status \(response.status.code) and no JSON")
        }
        guard answer.status == "success", let data = answer.data else {
            throw SourceError("Prometheus: \(answer.error ?? "status \(response.status.code)")")
        }
        // Such as an answer of only some of what is asked.
        if let warning = answer.warnings?.first { throw SourceError("Prometheus warns: \(warning)") }
        guard data.result.count <= 1 else {
            throw SourceError("the query gives \(data.result.count) series and not one: \(query.prefix(200))")
        }
        guard let number = data.result.first?.value.number, number.isFinite else { return nil }
        return number
    }

    private struct Answer: Decodable {
        struct Data: Decodable {
            struct Series: Decodable { var value: Point }
            var result: [Series]
        }
        var status: String
        var error: String?
        var warnings: [String]?
        var data: Data?
    }

    /// `[1700000000.1, "12.5"]`.
    private struct Point: Decodable {
        var number: Double?

        init(from decoder: any Decoder) throws {
            var container = try decoder.unkeyedContainer()
            _ = try container.decode(Double.self)
            number = Double(try container.decode(String.self))
        }
    }
}
