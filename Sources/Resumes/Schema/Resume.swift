package import JSON

/// A résumé in JSON Resume's schema (1.2.1), read where the rules look; the value itself keeps everything.
package struct Resume: Sendable {
    package let value: JSONValue
    /// Every text and number of the résumé: what a suggestion may draw on.
    package let everything: [String]
    /// The words of each of ``everything``, cut once for all who look.
    package let words: [[Word]]

    /// - Throws: ``ResumeFault`` for a value whose known fields are not what the schema says, with the place and the mend.
    package init(_ value: JSONValue) throws(ResumeFault) {
        try ResumeSchema.check(value)
        self.value = value
        var texts: [String] = []
        Self.collect(value, &texts)
        everything = texts
        words = texts.map(Words.of)
    }

    /// A text with its place.
    package struct Line: Hashable, Sendable {
        package let text: String
        package let pointer: JSONPointer
    }

    /// One role of the work experience.
    package struct Role: Sendable {
        package let index: Int
        package let name: String
        package let position: String
        package let summary: String?
        package let bullets: [Line]
        package let span: ResumeSpan
        package let startText: String?
        package let endText: String?

        package var pointer: JSONPointer { JSONPointer(["work", "\(index)"]) }
        /// What to call it.
        package var title: String { position.isEmpty ? name : name.isEmpty ? position : "\(position) at \(name)" }
    }

    package var roles: [Role] {
        (value["work"]?.array ?? []).enumerated().map { index, role in
            Role(
                index: index,
                name: Self.text(role["name"]) ?? "",
                position: Self.text(role["position"]) ?? "",
                summary: Self.text(role["summary"]),
                bullets: (role["highlights"]?.array ?? []).enumerated().compactMap { position, highlight in
                    Self.text(highlight).map {
                        Line(text: $0, pointer: JSONPointer(["work", "\(index)", "highlights", "\(position)"]))
                    }
                },
                span: ResumeSpan(start: role["startDate"]?.string, end: role["endDate"]?.string),
                startText: Self.text(role["startDate"]),
                endText: Self.text(role["endDate"])
            )
        }
    }

    package var studies: [ResumeSpan] {
        (value["education"]?.array ?? []).map {
            ResumeSpan(start: $0["startDate"]?.string, end: $0["endDate"]?.string)
        }
    }

    package func basics(_ name: String) -> String? { Self.text(value["basics"]?[name]) }
    package var summary: String? { basics("summary") }
    package static let summaryPointer = JSONPointer(["basics", "summary"])

    package func has(_ section: String) -> Bool { !(value[section]?.array ?? []).isEmpty }

    /// Every skill, names and keywords, each once whatever its case.
    package var skills: [String] {
        var seen: Set<String> = []
        return (value["skills"]?.array ?? []).flatMap { skill in
            [Self.text(skill["name"])].compactMap { $0 } + (skill["keywords"]?.array ?? []).compactMap(Self.text)
        }
        .filter { seen.insert($0.lowercased()).inserted }
    }

    /// The texts that people write in sentences: the summary, the roles' summaries and bullets.
    package var prose: [Line] {
        var lines = summary.map { [Line(text: $0, pointer: Self.summaryPointer)] } ?? []
        for role in roles {
            if let summary = role.summary {
                lines.append(Line(text: summary, pointer: role.pointer.appending("summary")))
            }
            lines += role.bullets
        }
        return lines
    }

    /// Whole years since the first role began.
    package func years(now: ResumeDate) -> Int? {
        roles.compactMap { $0.span.start?.months(isLate: false) }.min().map {
            max(0, (now.months(isLate: true) - $0) / 12)
        }
    }

    private static func text(_ value: JSONValue?) -> String? {
        guard let text = value?.string, !text.trimmingSpace.isEmpty else { return nil }
        return text
    }

    private static func collect(_ value: JSONValue, _ texts: inout [String]) {
        switch value {
        case .string(let text): texts.append(text)
        case .int, .number, .decimal: texts.append(value.text)
        case .array(let items): for item in items { collect(item, &texts) }
        case .object(let fields):
            for field in fields.sorted(by: { $0.key < $1.key }) { collect(field.value, &texts) }
        case .null, .bool: break
        }
    }
}
