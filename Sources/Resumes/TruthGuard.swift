/// Drops every suggestion that says what the résumé does not: a number, an employer, a degree or a skill that cannot be found there.
///
/// The vocabulary is closed. A word of a suggestion stands in the résumé, or is one of no trade (the data files' everyday words and verbs), or the
/// suggestion is dropped; so that a name or a skill need not be known to be caught. A number must stand there with its unit and, but for words like “of”, before the same word (or, where none follows, after the same),
/// a name with its capitals, a term of several words as a whole. What is put together falsely from words that are all there is not seen.
package struct TruthGuard: Sendable {
    /// What a suggestion said that the résumé does not.
    package struct Verdict: Hashable, Sendable {
        package var ungrounded: [String]
        package var isGrounded: Bool { ungrounded.isEmpty }
    }

    private struct Neighbours {
        var before: String
        var after: String
    }

    private let lexicon: Lexicon
    private var exact: Set<String> = []
    private var lower: Set<String> = []
    /// Numbers, each with the words that stand before it and after it.
    private var numbers: [String: (before: Set<String>, after: Set<String>)] = [:]
    private var texts: [[String]] = []

    package init(_ resume: Resume, lexicon: Lexicon = .shared) {
        self.lexicon = lexicon
        for text in resume.everything { learn(text) }
    }

    /// - Parameter texts: all that may be said.
    package init(texts: [String], lexicon: Lexicon = .shared) {
        self.lexicon = lexicon
        for text in texts { learn(text) }
    }

    /// Takes one more text as true: what the owner filled in.
    package mutating func learn(_ text: String) {
        learn(Words.of(Quantities.joined(text)))
    }

    private mutating func learn(_ words: [Word]) {
        texts.append(words.flatMap { Words.parts($0.lower) })
        for (index, word) in words.enumerated() {
            for part in [word.text] + Words.parts(word.text) {
                exact.insert(part)
                lower.insert(part.lowercased())
            }
            let beside = Self.neighbours(of: index, words)
            for form in forms(word, beside) {
                numbers[form, default: ([], [])].before.insert(beside.before)
                numbers[form, default: ([], [])].after.insert(beside.after)
            }
        }
    }

    private static func neighbours(of index: Int, _ words: [Word]) -> Neighbours {
        Neighbours(
            before: index > 0 ? words[index - 1].lower : "",
            after: index + 1 < words.count ? words[index + 1].lower : ""
        )
    }

    /// What of a suggestion the résumé does not hold, apart from placeholders.
    package func verdict(on suggestion: String) -> Verdict {
        let words = Words.of(Quantities.joined(Placeholders.parted(suggestion)))
        var ungrounded: [String] = []
        for (index, word) in words.enumerated() where !isGrounded(word, Self.neighbours(of: index, words)) {
            ungrounded.append(word.text)
        }
        let lower = words.flatMap { Words.parts($0.lower) }
        for term in lexicon.terms
        where Words.contains(lower, term) && !texts.contains(where: { Words.contains($0, term) }) {
            ungrounded.append(term.joined(separator: " "))
        }
        return Verdict(ungrounded: ungrounded)
    }

    private func isGrounded(_ word: Word, _ beside: Neighbours) -> Bool {
        let forms = forms(word, beside)
        if !forms.isEmpty { return forms.contains { isGrounded(number: $0, beside) } }
        if exact.contains(word.text) { return true }
        let parts = Words.parts(word.text)
        return parts.allSatisfy { part in
            if exact.contains(part) { return true }
            // A capital within a sentence, or after the first letter, makes a name.
            if part.dropFirst().contains(where: \.isUppercase) { return false }
            if part.first?.isUppercase ?? false, !word.beginsSentence || parts.count > 1 { return false }
            return isKnown(part.lowercased())
        }
    }

    /// A number of something is one of the same thing; one that nothing follows, or only “of” and the like, stands beside a word that it stood beside.
    private func isGrounded(number: String, _ beside: Neighbours) -> Bool {
        guard let known = numbers[number] else { return false }
        let isOfSomething = !beside.after.isEmpty && !lexicon.functionWords.contains(beside.after)
        return known.after.contains(beside.after) || (!isOfSomething && known.before.contains(beside.before))
    }

    private func isKnown(_ word: String) -> Bool {
        let plain = word.hasSuffix("'s") || word.hasSuffix("’s") ? String(word.dropLast(2)) : word
        if lower.contains(plain) { return true }
        guard !lexicon.tradeWords.contains(plain) else { return false }
        return lexicon.commonWords.contains(plain) || lexicon.verb(plain) != nil
            || lower.contains(plain + "s") || (plain.hasSuffix("s") && lower.contains(String(plain.dropLast())))
    }

    /// How a number may be written: `40 percent` is `40%`; of a word that is no number, nothing.
    private func forms(_ word: Word, _ beside: Neighbours) -> [String] {
        if word.hasDigit {
            let normal = Quantities.normal(word.text)
            return beside.after == "percent" ? [normal + "%", normal] : [normal]
        }
        return Words.parts(word.lower).filter { lexicon.has($0, .number) }
    }
}
