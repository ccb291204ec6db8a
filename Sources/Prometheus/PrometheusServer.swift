package import AsyncHTTPClient
import Foundation
package import MigrationCore
import NIOCore
import NIOFoundationCompat
import NIOHTTP1
import WholeAnswer

/// A Prometheus, asked by instant queries of its [HTTP API](https://prometheus.io/docs/prometheus/latest/querying/api/).
package struct PrometheusServer: Sendable {
    /// No answer is longer, in bytes.
    private static let longest = 1 << 22

    /// `http://HOST:PORT`, without a path.
    package let address: String
    private let client: HTTPClient

    package init(address: String, client: HTTPClient = .shared) {
        self.address = address
        self.client = client
    }

    /// What a query gives at a moment, nil for the Prometheus's own now: a vector has one sample of each series, and a range of a selector all that were taken in it.
    ///
    /// - Throws: ``PrometheusError`` for an answer that is an error, or has a warning, such as one of only some of what is asked; else what the client throws.
    package func query(_ text: String, at moment: Timestamp?, timeout: TimeSpan) async throws -> [PrometheusSeries] {
        let allowed = CharacterSet.alphanumerics.union(CharacterSet(charactersIn: "-._~"))
        let encoded = text.addingPercentEncoding(withAllowedCharacters: allowed) ?? ""
        let time = moment.map { "&time=\(Decimals.text(Int($0.rawValue), scale: 1_000_000))" } ?? ""
        let request = HTTPClientRequest(url: "\(address)/api/v1/query?query=\(encoded)\(time)")
        let (response, body) = try await client.whole(
            request,
            within: .microseconds(timeout.rawValue),
            longest: Self.longest
        )
        let status = response.status.code
        guard let answer = try? JSONDecoder().decode(Answer.self, from: body) else {
            throw PrometheusError("Prometheus answered with status \(status) and no JSON")
        }
        guard answer.status == "success", let data = answer.data else {
            throw PrometheusError(
                "Prometheus: \(answer.error ?? "status \(status)")",
                isOfQuery: answer.errorType == "bad_data"
            )
        }
        if let warning = answer.warnings?.first { throw PrometheusError("Prometheus warns: \(warning)") }
        return data.result.map { series in
            let samples = (series.values ?? []) + (series.value.map { [$0] } ?? [])
            return PrometheusSeries(labels: series.metric ?? [:], samples: samples.map(\.sample))
        }
    }

    private struct Answer: Decodable {
        struct Data: Decodable {
            struct Series: Decodable {
                var metric: [String: String]?
                var value: Point?
                var values: [Point]?
            }
            var result: [Series]
        }
        var status: String
        var errorType: String?
        var error: String?
        var warnings: [String]?
        var data: Data?
    }

    /// `[1700000000.1, "12.5"]`.
    private struct Point: Decodable {
        var sample: PrometheusSeries.Sample

        init(from decoder: any Decoder) throws {
            var container = try decoder.unkeyedContainer()
            let seconds = try container.decode(Double.self)
            guard (0...1e11).contains(seconds) else {
                throw DecodingError.dataCorruptedError(in: container, debugDescription: "\(seconds) is no time")
            }
            // It counts milliseconds.
            let at = Timestamp(rawValue: Int64((seconds * 1_000).rounded()) * 1_000)
            sample = PrometheusSeries.Sample(at: at, value: Double(try container.decode(String.self)) ?? .nan)
        }
    }
}

/// One series of an answer.
package struct PrometheusSeries: Sendable {
    package var labels: [String: String]
    /// The oldest first.
    package var samples: [Sample]

    package struct Sample: Sendable {
        /// When it was scraped; of a vector, when it was asked for.
        package var at: Timestamp
        /// Not a number where Prometheus says so.
        package var value: Double
    }
}

/// Why a Prometheus has not said what it was asked.
package struct PrometheusError: Error, CustomStringConvertible {
    package let description: String
    /// Whether what was asked is no query.
    package let isOfQuery: Bool

    init(_ description: String, isOfQuery: Bool = false) {
        self.description = description
        self.isOfQuery = isOfQuery
    }
}
