/// A time in which nothing advances; guards go on. All times are UTC plus the offset that stands in the plan.
package enum Freeze: Hashable, Codable, Sendable {
    /// Every week, from a minute of the week to another; Monday 00:00 is 0. It may run over the week's end.
    case weekly(from: Int, to: Int, offset: Int)
    /// Every day, from a minute of the day to another. It may run over midnight.
    case daily(from: Int, to: Int, offset: Int)
    /// Once, from a moment to another.
    case once(from: Timestamp, to: Timestamp)

    package static let minutesADay = 1_440
    package static let minutesAWeek = 10_080

    /// Whether the moment lies within it; its end does not.
    package func contains(_ moment: Timestamp) -> Bool {
        switch self {
        case .once(let from, let to): return moment >= from && moment < to
        case .daily(let from, let to, let offset):
            return Self.lies(Self.minute(moment, offset, of: Self.minutesADay, shift: 0), from, to)
        case .weekly(let from, let to, let offset):
            // The first of January 1970 was a Thursday.
            let shift = 3 * Self.minutesADay
            return Self.lies(Self.minute(moment, offset, of: Self.minutesAWeek, shift: shift), from, to)
        }
    }

    private static func minute(_ moment: Timestamp, _ offset: Int, of period: Int, shift: Int) -> Int {
        let minutes = Int(clamping: moment.rawValue / 60_000_000) &+ offset &+ shift
        let rest = minutes % period
        return rest < 0 ? rest + period : rest
    }

    private static func lies(_ minute: Int, _ from: Int, _ to: Int) -> Bool {
        from <= to ? minute >= from && minute < to : minute >= from || minute < to
    }
}
