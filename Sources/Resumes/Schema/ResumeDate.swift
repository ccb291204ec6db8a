/// A date of a résumé: a year, often a month, sometimes a day, in one of the ways in which people write them.
package struct ResumeDate: Hashable, Sendable {
    package enum Format: String, Hashable, Sendable {
        case year = "YYYY", yearMonth = "YYYY-MM", yearMonthDay = "YYYY-MM-DD", monthYear = "MM/YYYY"
        case shortMonthYear = "Mon YYYY", longMonthYear = "Month YYYY"
    }

    package let year: Int
    /// 1…12; nil where the date does not say.
    package let month: Int?
    package let format: Format

    package init(year: Int, month: Int) {
        self.year = year
        self.month = min(12, max(1, month))
        format = .yearMonth
    }

    private static let months = [
        "january", "february", "march", "april", "may", "june", "july", "august", "september", "october", "november",
        "december",
    ]

    /// Nil for a text that is no date.
    package init?(_ text: String) {
        let text = text.trimmingSpace
        let parts = text.split(separator: "-", omittingEmptySubsequences: false).map(String.init)
        if parts.count <= 3, let year = Self.number(parts[0], 4), (1900...2199).contains(year) {
            self.year = year
            guard parts.count > 1 else {
                (month, format) = (nil, .year)
                return
            }
            guard let month = Self.number(parts[1], 2), (1...12).contains(month) else { return nil }
            self.month = month
            guard parts.count > 2 else {
                format = .yearMonth
                return
            }
            guard let day = Self.number(parts[2], 2), (1...Self.days(in: month, of: year)).contains(day) else {
                return nil
            }
            format = .yearMonthDay
            return
        }
        let slashed = text.split { $0 == "/" || $0 == "." }.map(String.init)
        if slashed.count == 2, let month = Int(slashed[0]), (1...12).contains(month),
            let year = Self.number(slashed[1], 4)
        {
            (self.year, self.month, format) = (year, month, .monthYear)
            return
        }
        let words = text.split { $0 == " " || $0 == "," || $0 == "." }.map { $0.lowercased() }
        guard words.count == 2, words[0].count >= 3, let year = Self.number(words[1], 4),
            let index = Self.months.firstIndex(where: {
                $0.hasPrefix(words[0]) || (words[0] == "sept" && $0 == "september")
            })
        else { return nil }
        self.year = year
        month = index + 1
        // May is as short as it is long.
        format = words[0] == Self.months[index] && words[0] != "may" ? .longMonthYear : .shortMonthYear
    }

    /// Months since year 0; a date without a month is taken as January or as December.
    package func months(isLate: Bool) -> Int { year * 12 + (month ?? (isLate ? 12 : 1)) - 1 }

    /// How it is written, whatever it says of month and day.
    package var style: String? {
        switch format {
        case .year: nil
        case .yearMonth, .yearMonthDay: Format.yearMonth.rawValue
        case .monthYear, .shortMonthYear, .longMonthYear: format.rawValue
        }
    }

    /// As JSON Resume has it, to the month.
    package var iso: String {
        guard let month else { return "\(year)" }
        return "\(year)-\(month < 10 ? "0" : "")\(month)"
    }

    private static func number(_ text: String, _ digits: Int) -> Int? {
        guard text.count == digits, text.allSatisfy({ $0.isASCII && $0.isNumber }) else { return nil }
        return Int(text)
    }

    static func days(in month: Int, of year: Int) -> Int {
        switch month {
        case 2: year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) ? 29 : 28
        case 4, 6, 9, 11: 30
        default: 31
        }
    }
}

/// A span of months, as two dates of a résumé make it; an end that is not there is now.
package struct ResumeSpan: Hashable, Sendable {
    package let start: ResumeDate?
    package let end: ResumeDate?
    package let isOngoing: Bool

    private static let ongoing: Set<String> = ["", "present", "now", "current", "today", "ongoing"]

    init(start: String?, end: String?) {
        self.start = start.flatMap { ResumeDate($0) }
        isOngoing = Self.ongoing.contains((end ?? "").trimmingSpace.lowercased())
        self.end = end.flatMap { ResumeDate($0) }
    }
}

extension String {
    var trimmingSpace: String {
        guard let first = firstIndex(where: { !$0.isWhitespace }), let last = lastIndex(where: { !$0.isWhitespace })
        else { return "" }
        return String(self[first...last])
    }
}
