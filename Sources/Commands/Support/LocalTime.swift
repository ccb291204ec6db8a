import Foundation
package import MigrationCore

/// Moments as people read them, in the local zone; programs get UTC.
package enum LocalTime {
    package static func date(_ moment: Timestamp) -> String { text(moment, "%Y-%m-%d %H:%M:%S %Z") }
    package static func clock(_ moment: Timestamp) -> String {
        text(moment, "%H:%M:%S") + "." + milliseconds(moment)
    }
    package static func short(_ moment: Timestamp) -> String { text(moment, "%d %b %H:%M:%S") }

    /// ISO 8601 in UTC with microseconds.
    package static func utc(_ moment: Timestamp) -> String {
        var seconds = time_t(moment.rawValue / 1_000_000)
        var parts = tm()
        gmtime_r(&seconds, &parts)
        let micros = String(moment.rawValue % 1_000_000)
        return format(parts, "%Y-%m-%dT%H:%M:%S.") + String(repeating: "0", count: max(0, 6 - micros.count)) + micros
            + "Z"
    }

    /// A length in one or two units: `3 d 4 h`, `18 min`, `2.5 s`, `41 ms`.
    package static func span(_ span: TimeSpan) -> String {
        let micros = span.rawValue
        if micros < 0 { return "-" + self.span(TimeSpan(rawValue: -micros)) }
        if micros < 1_000_000 { return "\(micros / 1_000) ms" }
        let seconds = micros / 1_000_000
        switch seconds {
        case ..<60: return Decimals.text(Int(micros / 100_000), scale: 10) + " s"
        case ..<3_600: return seconds % 60 == 0 ? "\(seconds / 60) min" : "\(seconds / 60) min \(seconds % 60) s"
        case ..<86_400:
            return seconds % 3_600 < 60 ? "\(seconds / 3_600) h" : "\(seconds / 3_600) h \(seconds % 3_600 / 60) min"
        default:
            return seconds % 86_400 < 3_600
                ? "\(seconds / 86_400) d" : "\(seconds / 86_400) d \(seconds % 86_400 / 3_600) h"
        }
    }

    private static func milliseconds(_ moment: Timestamp) -> String {
        let text = String(moment.rawValue / 1_000 % 1_000)
        return String(repeating: "0", count: max(0, 3 - text.count)) + text
    }

    private static func text(_ moment: Timestamp, _ pattern: String) -> String {
        var seconds = time_t(moment.rawValue / 1_000_000)
        var parts = tm()
        localtime_r(&seconds, &parts)
        return format(parts, pattern)
    }

    private static func format(_ parts: tm, _ pattern: String) -> String {
        var parts = parts
        var buffer = [CChar](repeating: 0, count: 64)
        let length = strftime(&buffer, buffer.count, pattern, &parts)
        return String(decoding: buffer.prefix(length).map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }
}
