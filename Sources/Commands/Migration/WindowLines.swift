import Foundation
import MigrationCore

/// Windows as JSON lines, as people record and export them.
enum WindowLines {
    /// No more windows are judged at once.
    private static let most: Int64 = 1_000_000

    private struct Line: Decodable {
        var k: Int64
        var requests: Double?
        var errors: Double?
        var timeouts: Double?
        var cacheHits: Double?
        var cacheMisses: Double?
        var probesUp: Double?
        var probesDown: Double?
        /// Milliseconds.
        var latencies: [Double]?
    }

    /// - Returns: the windows by their k; of two with the same k the first counts.
    /// - Throws: the first line that is no window, by its number.
    static func read(_ file: String) throws -> [Int64: Counts] {
        let data =
            file == "-" ? FileHandle.standardInput.readDataToEndOfFile() : FileManager.default.contents(atPath: file)
        guard let data else { throw Failure(.failed, "the file \(file) cannot be read") }
        var windows: [Int64: Counts] = [:]
        var range: ClosedRange<Int64>?
        for (index, raw) in data.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false).enumerated() {
            guard raw.contains(where: { $0 != 32 && $0 != 9 && $0 != 13 }) else { continue }
            let line: Line
            do {
                line = try JSONDecoder().decode(Line.self, from: Data(raw))
            } catch {
                throw Failure(
                    .failed,
                    "\(file):\(index + 1): this is not a window: \(reason(error))",
                    mend: #"write one JSON object a line, such as {"k":1,"requests":100,"errors":6}"#
                )
            }
            let low = min(range?.lowerBound ?? line.k, line.k), high = max(range?.upperBound ?? line.k, line.k)
            let (width, isTooWide) = high.subtractingReportingOverflow(low)
            guard !isTooWide, width < most else {
                throw Failure(.failed, "\(file):\(index + 1): the windows span more than \(most)")
            }
            range = low...high
            if windows[line.k] == nil { windows[line.k] = counts(line) }
        }
        return windows
    }

    /// A number that cannot have been counted spoils its metric: −1, which no measurement accepts.
    private static func counts(_ line: Line) -> Counts {
        func count(_ value: Double?) -> Int {
            guard let value else { return 0 }
            guard value.isFinite, value >= 0, value <= Double(Counts.largest), value.rounded() == value else {
                return -1
            }
            return Int(value)
        }
        var counts = Counts()
        counts.requests = count(line.requests)
        counts.errors = count(line.errors)
        counts.timeouts = count(line.timeouts)
        counts.cacheHits = count(line.cacheHits)
        counts.cacheMisses = count(line.cacheMisses)
        counts.probesUp = count(line.probesUp)
        counts.probesDown = count(line.probesDown)
        let micros = (line.latencies ?? []).map { $0 * 1_000 }
        let isMeasured = micros.allSatisfy { $0.isFinite && $0 >= 0 && $0 < 1e15 }
        if isMeasured {
            counts.latency = LatencyHistogram(
                micros.map { LatencyHistogram.Bucket(micros: Int($0.rounded()), count: 1) }
            )
        }
        return counts
    }

    private static func reason(_ error: any Error) -> String {
        switch error {
        case DecodingError.keyNotFound(let key, _): "“\(key.stringValue)” is missing"
        case DecodingError.typeMismatch(_, let context), DecodingError.valueNotFound(_, let context):
            "“\(context.codingPath.map(\.stringValue).joined(separator: "."))” is not a number"
        default: "it is not JSON"
        }
    }
}
