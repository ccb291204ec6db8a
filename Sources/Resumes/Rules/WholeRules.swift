import JSON

/// What is wrong with a résumé as a whole.
struct WholeRules {
    let resume: Resume
    let lexicon: Lexicon
    let now: ResumeDate

    var findings: [Recommendation] { contacts + sections + length + acronyms + skills }

    private var contacts: [Recommendation] {
        [("name", "name"), ("email", "e-mail address"), ("phone", "telephone number")].compactMap { field, name in
            guard resume.basics(field) == nil else { return nil }
            let id = field.uppercased()
            return Rule.missingContact.finding(
                at: field,
                in: .personalInfo,
                .add,
                "Add your \(name)",
                "Readers and their programs look for it.",
                suggested: "{{\(id)}}",
                placeholders: [
                    Placeholder(
                        id: id,
                        name: name.capitalizedFirst,
                        type: .text,
                        description: "Your \(name).",
                        validation: field == "email" ? "[^@\\s]+@[^@\\s]+[.][^@\\s]+" : nil
                    )
                ],
                changes: [
                    JSONChange(
                        pointer: JSONPointer(["basics", field]),
                        before: resume.value["basics"]?[field],
                        after: .string("{{\(id)}}")
                    )
                ]
            )
        }
    }

    private var sections: [Recommendation] {
        var findings: [Recommendation] = []
        if resume.summary == nil {
            findings.append(
                Rule.missingSection.finding(
                    at: "summary",
                    in: .professionalSummary,
                    .add,
                    "Add a summary",
                    "Two or three sentences of what you do and have done are what is read first.",
                    suggested: "{{SUMMARY}}",
                    placeholders: [
                        Placeholder(
                            id: "SUMMARY",
                            name: "Summary",
                            type: .multiline,
                            description: "Two or three sentences of what you do and have done."
                        )
                    ],
                    changes: [
                        JSONChange(
                            pointer: Resume.summaryPointer,
                            before: resume.value[pointer: Resume.summaryPointer],
                            after: "{{SUMMARY}}"
                        )
                    ]
                )
            )
        }
        for (section, place) in [
            ("work", Recommendation.Section.experience), ("education", .education), ("skills", .skills),
        ]
        where !resume.has(section) {
            findings.append(
                Rule.missingSection.finding(
                    at: section,
                    in: place,
                    .add,
                    "Add your \(section == "work" ? "experience" : section)",
                    "Readers and their programs look for this section."
                )
            )
        }
        return findings
    }

    /// Words for the years of experience: a page for the first years, two and a bit for many.
    private var length: [Recommendation] {
        let words = resume.words.reduce(0) { $0 + $1.count }
        let years = resume.years(now: now) ?? 0
        let range = years < 5 ? 100...700 : years < 10 ? 150...1_000 : 200...1_400
        guard !range.contains(words), resume.has("work") else { return [] }
        return [
            Rule.totalLength.finding(
                at: "",
                in: .experience,
                .restructure,
                words < range.lowerBound ? "Say more" : "Say less",
                "\(words) words for \(years) years of experience; \(range.lowerBound) to \(range.upperBound) are usual."
            )
        ]
    }

    /// More are not told of.
    private static let mostAcronyms = 50

    /// Acronyms that not every reader knows and that the résumé expands nowhere.
    private var acronyms: [Recommendation] {
        let names = Set(
            (resume.roles.map(\.name) + resume.skills
                + (resume.value["education"]?.array ?? []).compactMap { $0["institution"]?.string })
                .flatMap { Words.of($0).map(\.text) }
        )
        let inBrackets = acronymsWithBrackets
        let lowers = resume.words.map { $0.map(\.lower) }
        var findings: [Recommendation] = []
        var seen: Set<String> = []
        for line in resume.prose {
            let words = Words.of(line.text)
            // A line in capitals has no acronyms that could be told from its words.
            guard words.contains(where: { $0.text.contains(where: \.isLowercase) }) else { continue }
            for word in words
            where isAcronym(word.text) && !names.contains(word.text) && seen.insert(word.text).inserted {
                guard findings.count < Self.mostAcronyms else { return findings }
                guard !inBrackets.contains(word.text), !isExpanded(word.text, lowers) else { continue }
                var text = line.text
                text.replaceSubrange(word.range, with: "{{EXPANSION}} (\(word.text))")
                findings.append(
                    Rule.acronym.finding(
                        at: "\(word.text)-\(line.place)",
                        in: line.section,
                        .modify,
                        "Say what \(word.text) is",
                        "Not every reader knows it, and a program looks for either form.",
                        line: line,
                        suggested: text,
                        placeholders: [
                            Placeholder(
                                id: "EXPANSION",
                                name: "\(word.text) in full",
                                type: .text,
                                description: "The words that \(word.text) stands for.",
                                defaultValue: lexicon.acronyms[word.text]
                            )
                        ]
                    )
                )
            }
        }
        return findings
    }

    private func isAcronym(_ word: String) -> Bool {
        guard (2...5).contains(word.count), word.allSatisfy({ $0.isASCII && ($0.isUppercase || $0 == "&") }),
            word.contains(where: \.isLetter), !lexicon.knownAcronyms.contains(word)
        else { return false }
        // Roman numerals are numbers.
        return !word.allSatisfy { "IVX".contains($0) }
    }

    /// What stands in brackets after words, or before words in brackets.
    private var acronymsWithBrackets: Set<String> {
        var found: Set<String> = []
        for (text, words) in zip(resume.everything, resume.words) {
            for word in words {
                let after = text[word.range.upperBound...]
                // Also without a space before the bracket, as in `agreement(SLA)`.
                let inside = word.text.split(separator: "(").last.map(String.init) ?? ""
                let isOpen = inside != word.text || text[..<word.range.lowerBound].hasSuffix("(")
                if isOpen, after.hasPrefix(")"), isAcronym(inside) { found.insert(inside) }
                if after.hasPrefix(" ("), isAcronym(word.text) { found.insert(word.text) }
            }
        }
        return found
    }

    /// Whether its usual expansion stands somewhere.
    private func isExpanded(_ acronym: String, _ lowers: [[String]]) -> Bool {
        guard let words = lexicon.acronyms[acronym].map(Words.lower) else { return false }
        return lowers.contains { Words.contains($0, words) }
    }

    private var skills: [Recommendation] {
        let count = resume.skills.count
        guard resume.has("skills"), count < 8 else { return [] }
        return [
            Rule.fewSkills.finding(
                at: "",
                in: .skills,
                .add,
                "Name at least eight skills",
                "You name \(count). Programs that sort applications count what is named."
            )
        ]
    }
}
