/// A moment in microseconds since 1970-01-01 UTC; it always comes from the database's clock, never from ours.
///
/// Arithmetic wraps: a time out of a damaged log makes nonsense, never a crash.
package struct Timestamp: RawRepresentable, Hashable, Comparable, Codable, Sendable {
    /// Microseconds since 1970-01-01T00:00:00Z.
    package let rawValue: Int64

    package init(rawValue: Int64) { self.rawValue = rawValue }

    package static func < (left: Timestamp, right: Timestamp) -> Bool { left.rawValue < right.rawValue }
    package static func + (left: Timestamp, right: TimeSpan) -> Timestamp {
        Timestamp(rawValue: left.rawValue &+ right.rawValue)
    }
    package static func - (left: Timestamp, right: TimeSpan) -> Timestamp {
        Timestamp(rawValue: left.rawValue &- right.rawValue)
    }
    package static func - (left: Timestamp, right: Timestamp) -> TimeSpan {
        TimeSpan(rawValue: left.rawValue &- right.rawValue)
    }
}

/// A length of time in whole microseconds.
package struct TimeSpan: RawRepresentable, Hashable, Comparable, Codable, Sendable {
    /// Microseconds; negative only as the difference of two moments.
    package let rawValue: Int64

    package init(rawValue: Int64) { self.rawValue = rawValue }

    package static let zero = TimeSpan(rawValue: 0)
    /// No time of a plan is longer: counting its windows stays within an integer.
    package static let longest = TimeSpan.days(3_660)
    package static func milliseconds(_ value: Int64) -> TimeSpan { TimeSpan(rawValue: value * 1_000) }
    package static func seconds(_ value: Int64) -> TimeSpan { TimeSpan(rawValue: value * 1_000_000) }
    package static func minutes(_ value: Int64) -> TimeSpan { .seconds(value * 60) }
    package static func hours(_ value: Int64) -> TimeSpan { .minutes(value * 60) }
    package static func days(_ value: Int64) -> TimeSpan { .hours(value * 24) }

    package static func < (left: TimeSpan, right: TimeSpan) -> Bool { left.rawValue < right.rawValue }
    package static func + (left: TimeSpan, right: TimeSpan) -> TimeSpan {
        TimeSpan(rawValue: left.rawValue &+ right.rawValue)
    }
    package static func - (left: TimeSpan, right: TimeSpan) -> TimeSpan {
        TimeSpan(rawValue: left.rawValue &- right.rawValue)
    }
    package static func * (left: TimeSpan, right: Int64) -> TimeSpan { TimeSpan(rawValue: left.rawValue &* right) }

    /// How many windows of length `window` this span needs: ⌈self / window⌉ (2-analysis.md, "condition for D").
    package func windows(of window: TimeSpan) -> Int {
        guard rawValue > 0, window.rawValue > 0 else { return 0 }
        return Int(clamping: rawValue / window.rawValue) + (rawValue % window.rawValue == 0 ? 0 : 1)
    }
}

extension TimeSpan: CustomStringConvertible {
    /// As a plan writes it: `10s`, `1h30m`, `250ms`.
    package var description: String {
        guard rawValue != 0 else { return "0s" }
        let units: [(Int64, String)] = [
            (86_400_000_000, "d"), (3_600_000_000, "h"), (60_000_000, "m"), (1_000_000, "s"), (1_000, "ms"), (1, "us"),
        ]
        var rest = rawValue.magnitude
        var text = rawValue < 0 ? "-" : ""
        for (size, name) in units where rest >= UInt64(size) {
            text += "\(rest / UInt64(size))\(name)"
            rest %= UInt64(size)
        }
        return text
    }
}
