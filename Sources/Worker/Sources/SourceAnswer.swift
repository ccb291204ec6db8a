import Foundation
import MigrationCore

/// What a source says of one side: numbers as it has them.
struct SourceSide: Decodable {
    var value: Double
    var of: Double

    /// In whole numbers, as a window holds it.
    ///
    /// - Throws: ``SourceError`` for numbers that cannot have been measured.
    func measurement(_ unit: Metric.Unit) throws(SourceError) -> MigrationCore.Measurement {
        guard of >= 1, of <= Double(Counts.largest), of.rounded() == of, value >= 0, value <= Double(Counts.largest),
            unit != .ratio || value <= of
        else { throw SourceError("\(value) of \(of) cannot have been measured") }
        switch unit {
        case .ratio:
            guard value.rounded() == value else { throw SourceError("\(value) is not a part of a whole") }
            return MigrationCore.Measurement(value: Int(value), of: Int(of))
        case .time, .number:
            return MigrationCore.Measurement(value: Int((value * 1_000_000).rounded()), of: Int(of))
        // Millionths of an event in a million seconds.
        case .rate:
            return MigrationCore.Measurement(value: Int((value * 1_000_000).rounded()), of: 1_000_000_000_000)
        }
    }
}

/// What a source says of both sides; either may be missing.
struct SourceAnswer: Decodable {
    var candidate: SourceSide?
    var legacy: SourceSide?
}

/// Why a source has said nothing.
struct SourceError: Error, CustomStringConvertible {
    let description: String
    init(_ description: String) { self.description = description }
}
