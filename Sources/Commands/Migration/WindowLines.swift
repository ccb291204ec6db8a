package import Foundation
import MigrationCore

/// Windows as JSON lines, as people record and export them.
package enum WindowLines {
    /// No more windows are judged at once.
    private static let most: Int64 = 1_000_000

    /// One implementation's part of a window, or the whole of it where there is only one.
    struct Part: Decodable {
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

    private struct Line: Decodable {
        var k: Int64
        var whole: Part

        private enum Key: CodingKey { case k }

        init(from decoder: any Decoder) throws {
            k = try decoder.container(keyedBy: Key.self).decode(Int64.self, forKey: .k)
            whole = try Part(from: decoder)
        }
    }

    private struct PairLine: Decodable {
        var k: Int64
        var candidate: Part
        var legacy: Part
    }

    /// - Returns: the windows by their k; of two with the same k the first counts.
    /// - Throws: the first line that is no window, by its number.
    static func read(_ file: String) throws -> [Int64: Counts] {
        try read(file, Line.self, shape: #"{"k":1,"requests":100,"errors":6}"#) { ($0.k, counts($0.whole)) }
    }

    /// - Returns: both sides of the windows, by their k; of two with the same k the first counts.
    /// - Throws: the first line that is no pair, by its number.
    static func readPairs(_ file: String) throws -> [Int64: ServiceWindow] {
        let shape = #"{"k":1,"candidate":{"requests":10,"errors":1},"legacy":{"requests":90,"errors":1}}"#
        return try read(file, PairLine.self, shape: shape) {
            ($0.k, ServiceWindow(legacy: counts($0.legacy), candidate: counts($0.candidate)))
        }
    }

    private static func read<L: Decodable, W>(
        _ file: String,
        _ type: L.Type,
        shape: String,
        _ window: (L) -> (Int64, W)
    ) throws -> [Int64: W] {
        let data =
            file == "-" ? FileHandle.standardInput.readDataToEndOfFile() : FileManager.default.contents(atPath: file)
        guard let data else { throw Failure(.failed, "the file \(file) cannot be read") }
        return try read(data, file, type, shape: shape, window)
    }

    /// Whether a text is windows, of one side or of both; for whoever tries what the reader bears.
    package static func isReadable(_ text: Data) -> Bool {
        let one = try? read(text, "", Line.self, shape: "") { ($0.k, counts($0.whole)) }
        let both = try? read(text, "", PairLine.self, shape: "") { ($0.k, counts($0.candidate)) }
        return one != nil || both != nil
    }

    private static func read<L: Decodable, W>(
        _ data: Data,
        _ file: String,
        _ type: L.Type,
        shape: String,
        _ window: (L) -> (Int64, W)
    ) throws -> [Int64: W] {
        var windows: [Int64: W] = [:]
        var range: ClosedRange<Int64>?
        for (index, raw) in data.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false).enumerated() {
            guard raw.contains(where: { $0 != 32 && $0 != 9 && $0 != 13 }) else { continue }
            let k: Int64
            let value: W
            do {
                (k, value) = window(try JSONDecoder().decode(L.self, from: Data(raw)))
            } catch {
                throw Failure(
                    .failed,
                    "\(file):\(index + 1): this is not a window: \(reason(error))",
                    mend: "write one JSON object a line, such as \(shape)"
                )
            }
            let low = min(range?.lowerBound ?? k, k), high = max(range?.upperBound ?? k, k)
            let (width, isTooWide) = high.subtractingReportingOverflow(low)
            guard !isTooWide, width < most else {
                throw Failure(.failed, "\(file):\(index + 1): the windows span more than \(most)")
            }
            range = low...high
            if windows[k] == nil { windows[k] = value }
        }
        return windows
    }

    /// A number that cannot have been counted spoils its metric: −1, which no measurement accepts.
    private static func counts(_ line: Part) -> Counts {
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
