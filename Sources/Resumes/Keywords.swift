package import JSON

/// How well a job's keywords are covered: whole terms only; what the résumé cannot support is reported, never put in.
package struct Keywords: Sendable {
    package let covered: [String]
    package let missing: [String]
    /// Covered, and not among the skills.
    package let unlisted: [String]
    /// How often a keyword stands in the résumé, in hundredths of its words; no keywords give 0.
    package let density: Int

    package init(_ keywords: [String], in resume: Resume) {
        let texts = resume.words
        let skills = resume.skills.map(Words.lower)
        var covered: [String] = [], missing: [String] = [], unlisted: [String] = []
        var seen: Set<String> = []
        var hits = 0
        for keyword in keywords {
            let term = Words.of(keyword)
            guard !term.isEmpty, seen.insert(keyword.lowercased().trimmingSpace).inserted else { continue }
            let signs = Self.signs(around: term, in: keyword)
            let count = zip(resume.everything, texts).reduce(0) { $0 + Self.count(term, signs, in: $1.1, of: $1.0) }
            // A list of skills holds names, however they are written.
            let isListed = skills.contains { $0 == term.map(\.lower) } && signs.before.isEmpty && signs.after.isEmpty
            guard count > 0 || isListed else {
                missing.append(keyword)
                continue
            }
            hits += max(1, count) * term.count
            covered.append(keyword)
            if !skills.contains(where: { Words.contains($0, term.map(\.lower)) }) { unlisted.append(keyword) }
        }
        self.covered = covered
        self.missing = missing
        self.unlisted = unlisted
        let words = texts.reduce(0) { $0 + $1.count }
        density = words == 0 ? 0 : hits * 100 / words
    }

    /// The share of the keywords that is covered, in hundredths; no keywords give 0, never 100.
    package var coverage: Int {
        let all = covered.count + missing.count
        return all == 0 ? 0 : covered.count * 100 / all
    }

    package var json: [String: JSONValue] {
        [
            "keywordCoverage": .int(coverage), "matchedKeywords": .array(covered.map { .string($0) }),
            "missingKeywords": .array(missing.map { .string($0) }),
        ]
    }

    /// What cutting a keyword into words has left out before them and after them: `.NET` is not “net”.
    private static func signs(around term: [Word], in keyword: String) -> (before: String, after: String) {
        guard let first = term.first, let last = term.last else { return ("", "") }
        // Only what touches a word belongs to it, and a comma behind it to the list that it was taken from.
        let before = keyword[..<first.range.lowerBound].reversed().prefix { !$0.isWhitespace }
        let after = keyword[last.range.upperBound...].prefix { !$0.isWhitespace && !",;:".contains($0) }
        return (String(before.reversed()), String(after))
    }

    /// How often a term stands among the words of a text, with its signs. A single word with one capital, its first, is a name: “Spring” is no spring, and “Go” does not go.
    private static func count(
        _ term: [Word],
        _ signs: (before: String, after: String),
        in words: [Word],
        of text: String
    ) -> Int {
        guard words.count >= term.count else { return 0 }
        let isName =
            term.count == 1 && term[0].isCapitalized
            && !term[0].text.dropFirst().contains { $0.isUppercase || $0.isNumber }
        return (0...(words.count - term.count)).count { start in
            let isThere = term.indices.allSatisfy { index in
                isName ? words[start + index].text == term[index].text : words[start + index].lower == term[index].lower
            }
            guard isThere, !signs.before.isEmpty || !signs.after.isEmpty else { return isThere }
            let last = words[start + term.count - 1]
            return text[..<words[start].range.lowerBound].hasSuffix(signs.before)
                && text[last.range.upperBound...].hasPrefix(signs.after)
        }
    }
}
