import ArgumentParser
import Foundation
import MigrationCore

/// A moment of a stream on the command line: a version, or a time as ISO 8601 writes it (UTC where it names no zone).
enum ReplayBound: ExpressibleByArgument {
    case version(Int64)
    case time(Timestamp)

    init?(argument: String) {
        if let version = Int64(argument) {
            guard version >= 1 else { return nil }
            self = .version(version)
            return
        }
        let text = argument.replacing(" ", with: "T")
        for candidate in [text, text + "Z", text + ":00Z", text + "T00:00:00Z"] {
            for options in [
                ISO8601DateFormatter.Options.withInternetDateTime, [.withInternetDateTime, .withFractionalSeconds],
            ] {
                let formatter = ISO8601DateFormatter()
                formatter.formatOptions = options
                guard let date = formatter.date(from: candidate) else { continue }
                self = .time(Timestamp(rawValue: Int64((date.timeIntervalSince1970 * 1_000_000).rounded())))
                return
            }
        }
        return nil
    }

    /// Whether a commit lies after it.
    func isBefore(_ version: Int64, at: Timestamp) -> Bool {
        switch self {
        case .version(let last): version > last
        case .time(let last): at > last
        }
    }
}
