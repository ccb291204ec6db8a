import MigrationCore
import Prometheus

/// Asks a Prometheus by instant queries at a window's end, one for the value and one for the number of samples, for each side.
///
/// An empty vector, and a value that is no number, is nothing seen: that side is missing. An error is the source's failure.
struct PrometheusSource: Sendable {
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
        let result = try await PrometheusServer(address: address).query(query, at: moment, timeout: timeout)
        guard result.count <= 1 else {
            throw SourceError("the query gives \(result.count) series and not one: \(query.prefix(200))")
        }
        guard let number = result.first?.samples.last?.value, number.isFinite else { return nil }
        return number
    }
}
