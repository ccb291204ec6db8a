import JSON

/// What is wrong in the words of any text: the first person, buzzwords, words that stand twice.
struct WordingRules {
    let lexicon: Lexicon
    let line: Resume.Line
    private let words: [Word]

    init(_ line: Resume.Line, lexicon: Lexicon) {
        self.lexicon = lexicon
        self.line = line
        words = Words.of(line.text)
    }

    var findings: [Recommendation] { [firstPerson, buzzwords, repeated].compactMap { $0 } }

    private func isPerson(_ index: Int) -> Bool {
        let word = words[index]
        guard lexicon.has(word.lower, .firstPerson) else { return false }
        switch word.text {
        // The country, and what is written in capitals as a whole.
        case "US": return false
        case "I": return !isNumeral(index)
        default: return word.text != word.text.uppercased() || word.text.count == 1
        }
    }

    /// “Phase I”, “Calculus I”: after a rank, or after a name where no verb follows.
    private func isNumeral(_ index: Int) -> Bool {
        guard index > 0 else { return false }
        if lexicon.has(words[index - 1].lower, .rank) { return true }
        let next = index + 1 < words.count ? words[index + 1] : nil
        let verbFollows = next.map { lexicon.verb($0.text) != nil || lexicon.has($0.lower, .auxiliary) } ?? false
        return words[index - 1].isCapitalized && !words[index - 1].beginsSentence && !verbFollows
    }

    private var firstPerson: Recommendation? {
        let persons = words.indices.filter(isPerson)
        guard let first = persons.first else { return nil }
        // One in the middle of a sentence needs a writer; one at its beginning can go, and an owner's can be an article.
        let canBeMended =
            words.count > 1
            && persons.allSatisfy { index in
                let next = index + 1 < words.count ? words[index + 1].lower : ""
                switch words[index].lower {
                case "i", "we": return index == 0 && lexicon.verb(next) != nil && !lexicon.has(next, .auxiliary)
                case "my", "our": return !next.isEmpty && next != "own" && lexicon.verb(next) == nil
                default: return false
                }
            }
        var text = line.text
        for index in persons.reversed() where canBeMended {
            if ["my", "our"].contains(words[index].lower) {
                text.replaceSubrange(words[index].range, with: words[index].beginsSentence ? "The" : "the")
            } else {
                text.removeSubrange(words[index].range.lowerBound..<words[index + 1].range.lowerBound)
            }
        }
        return Rule.firstPerson.finding(
            at: line.place,
            in: line.section,
            .modify,
            "Leave out the first person",
            "A résumé is about you: “\(words[first].text)” goes without saying.",
            line: line,
            suggested: canBeMended ? text.capitalizedFirst : nil
        )
    }

    private var buzzwords: Recommendation? {
        let lower = words.map(\.lower)
        let found = lexicon.buzzwords.compactMap { entry in
            Words.position(of: entry.words, in: lower).map { (at: $0, entry.words, entry.isAdjective) }
        }
        .filter { !isTerm(at: $0.at, count: $0.1.count) }
        .sorted { $0.at < $1.at }
        guard !found.isEmpty else { return nil }
        let names = found.map { "“\($0.1.joined(separator: " "))”" }.joined(separator: ", ")
        return Rule.buzzwords.finding(
            at: line.place,
            in: line.section,
            .modify,
            "Show it instead of saying it",
            "Words that everybody uses say nothing: \(names).",
            line: line,
            suggested: withoutAdjectives(found.map { ($0.at, $0.1.count, $0.2) })
        )
    }

    /// Whether a buzzword is none here: a verb that begins the line, or a part of a term.
    private func isTerm(at: Int, count: Int) -> Bool {
        let next = at + count < words.count ? words[at + count] : nil
        if at == 0, line.section == .experience, lexicon.verb(words[0].text) != nil { return true }
        return next.map { lexicon.has($0.lower, .termNoun) || $0.hasDigit } ?? false
    }

    /// The text without words that only decorate the next one; nil where that would leave a hole.
    private func withoutAdjectives(_ found: [(at: Int, count: Int, isAdjective: Bool)]) -> String? {
        var text = line.text
        for (at, count, isAdjective) in found.reversed() {
            let next = at + count
            guard isAdjective, next < words.count, !lexicon.functionWords.contains(words[next].lower),
                !words[next].beginsSentence,
                !line.text[words[at].range.upperBound..<words[next].range.lowerBound].contains(",")
            else { return nil }
            // “a dynamic engineer” would be “a engineer”.
            if at > 0, words[at - 1].lower == "a" || words[at - 1].lower == "an",
                startsWithVowel(words[at].lower) != startsWithVowel(words[next].lower)
            {
                return nil
            }
            if at > 0, ["highly", "very", "and"].contains(words[at - 1].lower) { return nil }
            text.removeSubrange(words[at].range.lowerBound..<words[next].range.lowerBound)
        }
        let isCapital = line.text.first?.isUppercase ?? false
        return isCapital ? text.capitalizedFirst : text
    }

    private func startsWithVowel(_ word: String) -> Bool { word.first.map { "aeiou".contains($0) } ?? false }

    private static let mayRepeat: Set<String> = ["that", "had"]

    private var repeated: Recommendation? {
        let twins = words.indices.dropFirst().filter { index in
            let word = words[index], before = words[index - 1]
            let between = line.text[before.range.upperBound..<word.range.lowerBound]
            return word.lower == before.lower && between.allSatisfy(\.isWhitespace) && word.text.allSatisfy(\.isLetter)
                && !Self.mayRepeat.contains(word.lower) && !word.isCapitalized
        }
        guard let first = twins.first else { return nil }
        var text = line.text
        for index in twins.reversed() {
            text.removeSubrange(words[index - 1].range.upperBound..<words[index].range.upperBound)
        }
        return Rule.repeatedWords.finding(
            at: line.place,
            in: line.section,
            .modify,
            "A word stands twice",
            "“\(words[first].text)” stands twice in a row.",
            line: line,
            suggested: text
        )
    }
}
