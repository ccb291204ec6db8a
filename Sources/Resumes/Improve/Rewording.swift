import JSON

/// A line in other words than a rule's draft: whether it does what the draft does.
package struct Rewording: Sendable {
    private let recommendation: Recommendation
    private let lexicon: Lexicon

    /// - Parameter recommendation: one that puts another line into the place of one that stands there.
    package init(of recommendation: Recommendation, lexicon: Lexicon = .shared) {
        self.recommendation = recommendation
        self.lexicon = lexicon
    }

    /// What a text does not do and the draft does; nil where it does all of it.
    package func shortcoming(of text: String) -> String? {
        let draft = recommendation.suggestedContent ?? ""
        if !isFound(in: draft), isFound(in: text) { return "it leaves what was to be mended" }
        let wanted = facts(draft), said = facts(text)
        if let lost = wanted.subtracting(said).sorted().first { return "it leaves out “\(lost)”" }
        let content = words(draft), left = content.intersection(words(text))
        guard left.count * 2 >= content.count else { return "it leaves out most of what the line says" }
        return nil
    }

    /// Whether the rule that made the recommendation finds the same in a text.
    private func isFound(in text: String) -> Bool {
        let line = Placeholders.filled(text, with: values)
        let resume: Resume?
        let place: String
        if recommendation.section == .experience {
            // What is told in the wrong tense is so where the role has ended.
            let role: [String: JSONValue] = [
                "name": "A", "startDate": "1999-01", "highlights": [.string(line)],
                "endDate": recommendation.category == Rule.tense.rawValue ? "2000-01" : .null,
            ]
            resume = try? Resume(["work": [.object(role)]])
            place = "work-0-highlights-0"
        } else {
            resume = try? Resume(["basics": ["summary": .string(line)]])
            place = "basics-summary"
        }
        guard let resume else { return true }
        return Engine(now: ResumeDate(year: 2001, month: 1), lexicon: lexicon).findings(in: resume).contains {
            $0.category == recommendation.category && $0.id.hasSuffix(place)
        }
    }

    /// Something that may stand in each placeholder's place.
    private var values: [String: String] {
        Dictionary(
            recommendation.placeholders.map { placeholder in
                switch placeholder.type {
                case .number: (placeholder.id, "7")
                default: (placeholder.id, placeholder.id == "ACTION_VERB" ? "Led" : "words in full")
                }
            },
            uniquingKeysWith: { first, _ in first }
        )
    }

    private func cut(_ text: String) -> [Word] { Words.of(Quantities.joined(Placeholders.parted(text))) }

    /// Numbers and names.
    private func facts(_ text: String) -> Set<String> {
        let words = cut(text)
        return Set(
            words.indices.flatMap { index -> [String] in
                let word = words[index]
                if word.hasDigit {
                    let isShare = index + 1 < words.count && words[index + 1].lower == "percent"
                    return [Quantities.normal(word.text) + (isShare ? "%" : "")]
                }
                let numbers = Words.parts(word.lower).filter { lexicon.has($0, .number) }
                return word.isCapitalized && !word.beginsSentence ? numbers + [word.lower] : numbers
            }
        )
    }

    /// What a text speaks of, in the singular.
    private func words(_ text: String) -> Set<String> {
        Set(
            cut(text).filter { !$0.hasDigit }.map(\.lower)
                .filter { !lexicon.functionWords.contains($0) && lexicon.verb($0) == nil }
                .map { $0.hasSuffix("s") && $0.count > 3 ? String($0.dropLast()) : $0 }
        )
    }
}
