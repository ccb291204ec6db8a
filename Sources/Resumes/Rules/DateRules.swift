import JSON

/// What is wrong with the dates of a résumé.
struct DateRules {
    let resume: Resume
    let now: ResumeDate

    var findings: [Recommendation] { order + overlaps + gaps + formats }

    private var order: [Recommendation] {
        var findings: [Recommendation] = []
        for (section, place) in [("work", Recommendation.Section.experience), ("education", .education)] {
            for (index, entry) in (resume.value[section]?.array ?? []).enumerated() {
                let span = ResumeSpan(start: entry["startDate"]?.string, end: entry["endDate"]?.string)
                guard let start = span.start else { continue }
                let isBackwards = span.end.map { $0.months(isLate: true) < start.months(isLate: false) } ?? false
                let isAhead = start.months(isLate: false) > now.months(isLate: true)
                guard isBackwards || isAhead else { continue }
                findings.append(
                    Rule.dateOrder.finding(
                        at: "\(section)-\(index)",
                        in: place,
                        .modify,
                        isBackwards ? "It ends before it begins" : "It begins in the future",
                        "From \(entry["startDate"]?.string ?? "") to \(entry["endDate"]?.string ?? "now").",
                        line: Resume.Line(
                            text: entry[isBackwards ? "endDate" : "startDate"]?.string ?? "",
                            pointer: JSONPointer([section, "\(index)", isBackwards ? "endDate" : "startDate"])
                        ),
                        suggested: "{{DATE}}",
                        placeholders: [
                            Placeholder(
                                id: "DATE",
                                name: isBackwards ? "End" : "Beginning",
                                type: .date,
                                description: isBackwards ? "When it ended." : "When it began."
                            )
                        ]
                    )
                )
            }
        }
        return findings
    }

    /// Roles with the months that they certainly, and that they possibly take up.
    private struct Months {
        var index: Int
        var title: String
        var certain: ClosedRange<Int>?
        var possible: ClosedRange<Int>
    }

    private var months: [Months] {
        resume.roles.compactMap { role in
            guard let start = role.span.start, let end = role.span.end ?? (role.span.isOngoing ? now : nil) else {
                return nil
            }
            let late = start.months(isLate: true), early = end.months(isLate: false)
            guard start.months(isLate: false) <= end.months(isLate: true),
                start.months(isLate: false) <= now.months(isLate: true)
            else { return nil }
            return Months(
                index: role.index,
                title: role.title,
                certain: late <= early ? late...early : nil,
                possible: start.months(isLate: false)...end.months(isLate: true)
            )
        }
        .sorted { ($0.possible.lowerBound, $0.index) < ($1.possible.lowerBound, $1.index) }
    }

    /// A role's title with its place; nil for one without.
    private func line(_ role: Int) -> Resume.Line? {
        let pointer = JSONPointer(["work", "\(role)", "position"])
        guard let text = resume.value[pointer: pointer]?.string, !text.trimmingSpace.isEmpty else { return nil }
        return Resume.Line(text: text, pointer: pointer)
    }

    /// Two roles that share more than the month in which the one gave way to the other.
    private var overlaps: [Recommendation] {
        let months = months
        var findings: [Recommendation] = []
        for (position, later) in months.enumerated() {
            guard let certain = later.certain else { continue }
            let other = months[..<position].first { earlier in
                guard let range = earlier.certain else { return false }
                return range.overlaps(certain) && range.clamped(to: certain).count >= 2
            }
            guard let other else { continue }
            findings.append(
                Rule.overlap.finding(
                    at: "work-\(later.index)",
                    in: .experience,
                    .modify,
                    "Two roles at one time",
                    "“\(later.title)” began before “\(other.title)” ended. If both are right, say what this one was.",
                    line: line(later.index),
                    suggested: line(later.index).map { "\($0.text) ({{KIND}})" },
                    placeholders: line(later.index) == nil
                        ? []
                        : [
                            Placeholder(
                                id: "KIND",
                                name: "Kind of work",
                                type: .dropdown,
                                description: "What this role was beside the other.",
                                options: ["part-time", "freelance", "voluntary", "advisory"]
                            )
                        ]
                )
            )
        }
        return findings
    }

    /// Six months or more in which there was neither a role nor a study.
    private var gaps: [Recommendation] {
        let roles = months
        // A role whose dates say nothing may have filled any gap.
        guard roles.count == resume.roles.count else { return [] }
        let studies = resume.studies.compactMap { span -> ClosedRange<Int>? in
            guard let start = span.start, let end = span.end ?? (span.isOngoing ? now : nil),
                start.months(isLate: false) <= end.months(isLate: true)
            else { return nil }
            return start.months(isLate: false)...end.months(isLate: true)
        }
        var findings: [Recommendation] = []
        for (position, role) in roles.enumerated().dropFirst() {
            let start = role.possible.lowerBound
            let before =
                roles[..<position].map(\.possible.upperBound)
                + studies.filter { $0.lowerBound < start }.map(\.upperBound)
            guard let end = before.max(), start - end - 1 >= 6 else { continue }
            findings.append(
                Rule.gap.finding(
                    at: "work-\(role.index)",
                    in: .experience,
                    .add,
                    "A gap of \(start - end - 1) months",
                    "Nothing is told of the time before “\(role.title)”. A line of what you did then is read better than none."
                )
            )
        }
        return findings
    }

    private var formats: [Recommendation] {
        var styles: Set<String> = []
        var changes: [JSONChange] = []
        for section in ["work", "education"] {
            for (index, entry) in (resume.value[section]?.array ?? []).enumerated() {
                for name in ["startDate", "endDate"] {
                    guard let text = entry[name]?.string, let date = ResumeDate(text) else { continue }
                    // A year alone is written in no way that could differ from the others.
                    guard let style = date.style else { continue }
                    styles.insert(style)
                    if style != ResumeDate.Format.yearMonth.rawValue {
                        changes.append(
                            JSONChange(
                                pointer: JSONPointer([section, "\(index)", name]),
                                before: .string(text),
                                after: .string(date.iso)
                            )
                        )
                    }
                }
            }
        }
        guard styles.count > 1 else { return [] }
        let names = styles.sorted().joined(separator: ", ")
        return [
            Rule.mixedDateFormats.finding(
                at: "",
                in: .experience,
                .reformat,
                "Write all dates alike",
                "There are \(names). YYYY-MM is read by people and programs.",
                changes: changes
            )
        ]
    }
}
