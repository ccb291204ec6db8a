/// Drops every suggestion that says what the résumé does not: a number, an employer, a degree or a skill that cannot be found there.
///
/// The vocabulary is closed. A word of a suggestion stands in the résumé, or is one of no trade (the data files' everyday words and verbs), or the
/// suggestion is dropped; so that a name or a skill need not be known to be caught. A number must stand there with its unit and, but for words like “of”, before the same word,
/// a name with its capitals, a term of several words as a whole. What is put together falsely from words that are all there is not seen.
package struct TruthGuard: Sendable {
    /// What a suggestion said that the résumé does not.
    package struct Verdict: Hashable, Sendable {
        package var ungrounded: [String]
        package var isGrounded: Bool { ungrounded.isEmpty }
    }

    private let lexicon: Lexicon
    private var exact: Set<String> = []
    private var lower: Set<String> = []
    /// Numbers, each with the words that follow it.
    private var numbers: [String: Set<String>] = [:]
    private var texts: [[String]] = []

    package init(_ resume: Resume, lexicon: Lexicon = .shared) {
        self.lexicon = lexicon
        for words in resume.words { learn(words) }
    }

    /// - Parameter texts: all that may be said.
    package init(texts: [String], lexicon: Lexicon = .shared) {
        self.lexicon = lexicon
        for text in texts { learn(text) }
    }

    /// Takes one more text as true: what the owner filled in.
    package mutating func learn(_ text: String) {
        learn(Words.of(text))
    }

    private mutating func learn(_ words: [Word]) {
        texts.append(words.map(\.lower))
        for (index, word) in words.enumerated() {
            for part in [word.text] + Words.parts(word.text) {
                exact.insert(part)
                lower.insert(part.lowercased())
            }
            if word.hasDigit {
                let next = index + 1 < words.count ? words[index + 1].lower : ""
                for form in Self.forms(word.text, next: next) { numbers[form, default: []].insert(next) }
            }
        }
    }

    /// What of a suggestion the résumé does not hold, apart from placeholders.
    package func verdict(on suggestion: String) -> Verdict {
        // A word stands in each placeholder's place, so that what is around it is not taken for neighbours.
        let words = Words.of(
            Placeholders.filled(
                suggestion,
                with: Dictionary(
                    Placeholders.found(in: suggestion).map { ($0, " , ") },
                    uniquingKeysWith: { first, _ in first }
                )
            )
        )
        var ungrounded: [String] = []
        for (index, word) in words.enumerated() {
            let next = index + 1 < words.count ? words[index + 1].lower : ""
            if !isGrounded(word, next: next) { ungrounded.append(word.text) }
        }
        let lower = words.map(\.lower)
        for term in lexicon.terms
        where Words.contains(lower, term) && !texts.contains(where: { Words.contains($0, term) }) {
            ungrounded.append(term.joined(separator: " "))
        }
        return Verdict(ungrounded: ungrounded)
    }

    private func isGrounded(_ word: Word, next: String) -> Bool {
        if word.hasDigit {
            return Self.forms(word.text, next: next).contains { form in
                guard let followers = numbers[form] else { return false }
                return next.isEmpty || lexicon.functionWords.contains(next) || followers.contains(next)
            }
        }
        if exact.contains(word.text) { return true }
        let parts = Words.parts(word.text)
        return parts.allSatisfy { part in
            let low = part.lowercased()
            if Quantities.words.contains(low) { return lower.contains(low) }
            if exact.contains(part) { return true }
            // A capital within a sentence, or after the first letter, makes a name.
            if part.dropFirst().contains(where: \.isUppercase) { return false }
            if part.first?.isUppercase ?? false, !word.beginsSentence || parts.count > 1 { return false }
            return isKnown(low)
        }
    }

    private func isKnown(_ word: String) -> Bool {
        let plain = word.hasSuffix("'s") || word.hasSuffix("’s") ? String(word.dropLast(2)) : word
        return lower.contains(plain) || lexicon.commonWords.contains(plain) || lexicon.verb(plain) != nil
            || lower.contains(plain + "s") || (plain.hasSuffix("s") && lower.contains(String(plain.dropLast())))
    }

    /// How a number may be written: `40 percent` is `40%`.
    private static func forms(_ word: String, next: String) -> [String] {
        let normal = Quantities.normal(word)
        return next == "percent" ? [normal + "%", normal] : [normal]
    }
}
