package import MigrationCore

/// Times in which nothing advances, as people write them:
///
///     fri 16:00 - mon 08:00
///     daily 22:00 - 06:00 +02:00
///     2026-12-24 12:00 - 2027-01-02
package enum FreezeText {
    private static let days = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
    private static let mend =
        "write fri 16:00 - mon 08:00, daily 22:00 - 06:00 or 2026-12-24 - 2027-01-02; times are UTC unless an offset such as +02:00 follows"

    package static func parse(_ text: String) throws(Quantity.Wrong) -> Freeze {
        var words = text.split(separator: " ").map(String.init)
        var offset = 0
        if let last = words.last, last.count == 6, let sign = last.first, "+-".contains(sign) {
            offset = try clock(String(last.dropFirst()), text) * (sign == "-" ? -1 : 1)
            words.removeLast()
        }
        guard let dash = words.firstIndex(of: "-"), (1...2).contains(dash), (1...2).contains(words.count - dash - 1)
        else {
            throw wrong(text)
        }
        let from = Array(words[..<dash]), to = Array(words[(dash + 1)...])
        if from[0] == "daily" {
            guard from.count == 2, to.count == 1 else { throw wrong(text) }
            return .daily(from: try clock(from[1], text), to: try clock(to[0], text), offset: offset)
        }
        if let first = days.firstIndex(of: from[0]) {
            guard from.count == 2, to.count == 2, let last = days.firstIndex(of: to[0]) else { throw wrong(text) }
            return .weekly(
                from: first * Freeze.minutesADay + (try clock(from[1], text)),
                to: last * Freeze.minutesADay + (try clock(to[1], text)),
                offset: offset
            )
        }
        let start = try moment(from, text, offset), end = try moment(to, text, offset)
        guard start < end else { throw Quantity.Wrong(message: "“\(text)” ends before it begins") }
        return .once(from: start, to: end)
    }

    /// A moment in UTC: `2026-12-24` or `2026-12-24 12:00`.
    package static func moment(_ text: String) throws(Quantity.Wrong) -> Timestamp {
        let words = text.split(separator: " ").map(String.init)
        guard (1...2).contains(words.count) else { throw wrong(text) }
        return try moment(words, text, 0)
    }

    /// As it is written; reading that gives the same.
    package static func render(_ freeze: Freeze) -> String {
        switch freeze {
        case .weekly(let from, let to, let offset):
            return "\(day(from)) \(clock(from)) - \(day(to)) \(clock(to))" + text(offset)
        case .daily(let from, let to, let offset): return "daily \(clock(from)) - \(clock(to))" + text(offset)
        case .once(let from, let to): return "\(date(from)) - \(date(to))"
        }
    }

    private static func wrong(_ text: String) -> Quantity.Wrong {
        Quantity.Wrong(message: "“\(text.prefix(60))” is not a time", mend: mend)
    }

    /// Minutes of a day: `16:00`.
    private static func clock(_ word: String, _ text: String) throws(Quantity.Wrong) -> Int {
        let parts = word.split(separator: ":", omittingEmptySubsequences: false)
        guard parts.count == 2, parts.allSatisfy({ $0.count == 2 && $0.allSatisfy { $0.isASCII && $0.isNumber } }),
            let hours = Int(parts[0]), let minutes = Int(parts[1]), hours < 24, minutes < 60
        else { throw wrong(text) }
        return hours * 60 + minutes
    }

    private static func moment(_ words: [String], _ text: String, _ offset: Int) throws(Quantity.Wrong) -> Timestamp {
        let parts = words[0].split(separator: "-", omittingEmptySubsequences: false)
        guard parts.count == 3, parts.map(\.count) == [4, 2, 2],
            parts.allSatisfy({ $0.allSatisfy { $0.isASCII && $0.isNumber } }),
            let year = Int(parts[0]), let month = Int(parts[1]), let day = Int(parts[2]), (1970...2200).contains(year),
            (1...12).contains(month), day >= 1, day <= length(year, month)
        else { throw wrong(text) }
        let minutes = words.count == 2 ? try clock(words[1], text) : 0
        let total = Self.days(year, month, day) * Freeze.minutesADay + minutes - offset
        return Timestamp(rawValue: Int64(total) * 60_000_000)
    }

    private static func length(_ year: Int, _ month: Int) -> Int {
        let isLeap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
        return [31, isLeap ? 29 : 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31][month - 1]
    }

    /// Days since 1970-01-01 (Hinnant, "chrono-compatible low-level date algorithms").
    private static func days(_ year: Int, _ month: Int, _ day: Int) -> Int {
        let year = month <= 2 ? year - 1 : year
        let era = year / 400
        let yearOfEra = year - era * 400
        let dayOfYear = (153 * ((month + 9) % 12) + 2) / 5 + day - 1
        return era * 146_097 + yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear - 719_468
    }

    private static func date(_ moment: Timestamp) -> String {
        let minutes = Int(moment.rawValue / 60_000_000)
        let days = minutes / Freeze.minutesADay + 719_468
        let era = days / 146_097
        let dayOfEra = days - era * 146_097
        let yearOfEra = (dayOfEra - dayOfEra / 1_460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let index = (5 * dayOfYear + 2) / 153
        let day = dayOfYear - (153 * index + 2) / 5 + 1
        let month = index < 10 ? index + 3 : index - 9
        let year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0)
        return "\(year)-\(two(month))-\(two(day)) \(clock(minutes % Freeze.minutesADay))"
    }

    private static func day(_ minute: Int) -> String { days[(minute / Freeze.minutesADay) % days.count] }
    private static func clock(_ minute: Int) -> String {
        "\(two(minute % Freeze.minutesADay / 60)):\(two(minute % 60))"
    }
    private static func two(_ number: Int) -> String { number < 10 ? "0\(number)" : "\(number)" }
    private static func text(_ offset: Int) -> String {
        offset == 0 ? "" : " \(offset < 0 ? "-" : "+")\(clock(abs(offset)))"
    }
}
