/// How well a job's keywords are covered: whole terms only; what the résumé cannot support is reported, never put in.
package struct Keywords: Sendable {
    package let covered: [String]
    package let missing: [String]
    /// Covered, and not among the skills.
    package let unlisted: [String]
    /// How often a keyword stands in the résumé, in hundredths of its words; no keywords give 0.
    package let density: Int

    package init(_ keywords: [String], in resume: Resume) {
        let texts = resume.words.map { $0.map(\.lower) }
        let skills = Set(resume.skills.map { Words.lower($0).joined(separator: " ") })
        var covered: [String] = [], missing: [String] = [], unlisted: [String] = []
        var seen: Set<String> = []
        var hits = 0
        for keyword in keywords {
            let term = Words.lower(keyword)
            let name = term.joined(separator: " ")
            guard !term.isEmpty, seen.insert(name).inserted else { continue }
            let count = texts.reduce(0) { $0 + Self.count(term, in: $1) }
            hits += count * term.count
            if count == 0 {
                missing.append(keyword)
            } else {
                covered.append(keyword)
                if !skills.contains(name) { unlisted.append(keyword) }
            }
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

    private static func count(_ term: [String], in words: [String]) -> Int {
        guard words.count >= term.count else { return 0 }
        return (0...(words.count - term.count)).count { start in
            term.indices.allSatisfy { words[start + $0] == term[$0] }
        }
    }
}
