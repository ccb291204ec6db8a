import JSON

/// What a job asks for: a keyword that the résumé supports may be listed, one that it does not is only reported.
struct KeywordRules {
    let resume: Resume
    let keywords: Keywords

    /// No more are reported of a kind.
    private static let most = 5

    var findings: [Recommendation] {
        keywords.missing.prefix(Self.most).map(missing) + keywords.unlisted.prefix(Self.most).map(unlisted)
    }

    private func missing(_ keyword: String) -> Recommendation {
        Rule.missingKeyword.finding(
            at: place(keyword),
            in: .skills,
            .add,
            "The job asks for “\(keyword)”",
            "Your résumé does not show it. Add it only where you have it."
        )
    }

    private func unlisted(_ keyword: String) -> Recommendation {
        Rule.unlistedKeyword.finding(
            at: place(keyword),
            in: .skills,
            .add,
            "List “\(keyword)” among your skills",
            "The job asks for it and your résumé shows it, but not where it is looked for.",
            suggested: keyword,
            changes: [
                JSONChange(
                    pointer: JSONPointer(["skills", "-"]),
                    before: nil,
                    after: .object(["name": .string(keyword)])
                )
            ]
        )
    }

    /// With its signs: `.NET` is not “net”, and `code review` not `code-review`.
    private func place(_ keyword: String) -> String {
        keyword.lowercased().trimmingSpace.replacing("-", with: "--").split(whereSeparator: \.isWhitespace).joined(
            separator: "-"
        )
    }
}
