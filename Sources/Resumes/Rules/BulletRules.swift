import JSON

/// What makes a single bullet weak.
struct BulletRules {
    let lexicon: Lexicon
    let line: Resume.Line
    let role: Resume.Role
    private let words: [Word]

    private static let pronouns: Set<String> = ["i", "we"]

    private let hasEnded: Bool

    /// - Parameter now: an end that is still to come is none.
    init(_ line: Resume.Line, of role: Resume.Role, now: ResumeDate, lexicon: Lexicon) {
        hasEnded = role.span.end.map { $0.months(isLate: false) <= now.months(isLate: true) } ?? false
        self.lexicon = lexicon
        self.line = line
        self.role = role
        words = Words.of(line.text)
    }

    var findings: [Recommendation] {
        guard !words.isEmpty else { return [] }
        return [opener, quantity, passive, tense, length].compactMap { $0 }
    }

    /// The first word that says what was done: pronouns and adverbs stand before it.
    private var verbIndex: Int? {
        words.indices.first { index in
            let lower = words[index].lower
            if Self.pronouns.contains(lower) { return false }
            return lexicon.verb(lower) != nil || !(lower.hasSuffix("ly") && lower.count > 4)
        }
    }

    private func finding(
        _ rule: Rule,
        _ title: String,
        _ description: String,
        suggested: String? = nil,
        placeholders: [Placeholder] = []
    ) -> Recommendation {
        rule.finding(
            at: line.place,
            in: .experience,
            .modify,
            title,
            description,
            line: line,
            suggested: suggested,
            placeholders: placeholders
        )
    }

    private var opener: Recommendation? {
        let lower = words.map(\.lower)
        let start = lower.first.map(Self.pronouns.contains) ?? false ? 1 : 0
        if let weak = lexicon.weakOpeners.first(where: { Array(lower.dropFirst(start).prefix($0.count)) == $0 }) {
            let end = start + weak.count
            guard end < words.count else { return nil }
            let rest = line.text[words[end - 1].range.upperBound...].drop { $0.isWhitespace || $0 == ":" }
            // “Responsible for managing a team” is “Managed a team”: the verb is there already.
            if let verb = lexicon.verb(words[end].text), [verb.gerund, verb.base].contains(words[end].lower),
                rest.lowercased().hasPrefix(words[end].lower), words[end].lower == verb.gerund || weak.last == "to"
            {
                return finding(
                    .weakOpener,
                    "Begin with what you did",
                    "“\(weak.joined(separator: " "))” stands before what you did.",
                    suggested: verb.past.capitalizedFirst + rest.dropFirst(words[end].text.count)
                )
            }
            return finding(
                .weakOpener,
                "Begin with what you did",
                "“\(weak.joined(separator: " "))” says that something was near you, not what you did.",
                suggested: "{{ACTION_VERB}} \(rest)",
                placeholders: [actionVerb]
            )
        }
        guard let index = verbIndex, lexicon.verb(words[index].text) == nil else { return nil }
        return finding(
            .noActionVerb,
            "Begin with a verb of action",
            "A bullet that begins with a verb says what you did.",
            suggested: index == 0 ? "{{ACTION_VERB}} \(lowerFirst)" : nil,
            placeholders: index == 0 ? [actionVerb] : []
        )
    }

    /// The bullet as it goes on after a verb: a name keeps its capital.
    private var lowerFirst: String {
        guard let first = words.first, lexicon.commonWords.contains(first.lower) else { return line.text }
        return line.text.prefix(1).lowercased() + line.text.dropFirst()
    }

    private var actionVerb: Placeholder {
        Placeholder(
            id: "ACTION_VERB",
            name: "Action verb",
            type: .text,
            description: "What you did, in one verb, such as “Built”, “Led” or “Reduced”.",
            validation: "[\\p{L}][\\p{L} -]{1,40}"
        )
    }

    private var quantity: Recommendation? {
        guard !Quantities.has(words, lexicon: lexicon) else { return nil }
        let text = line.text.trimmingSpace
        let end = text.last.map { ".;,!".contains($0) } ?? false ? String(text.dropLast()) : text
        // Only what grows or shrinks does so by a percentage; what else there is to count, its writer knows.
        guard let index = verbIndex, let verb = lexicon.verb(words[index].text), lexicon.has(verb.base, .changeVerb)
        else {
            return finding(
                .noQuantity,
                "Say how much",
                "A number makes an achievement comparable: how many, how often, how long, for how many. Only you know it."
            )
        }
        return finding(
            .noQuantity,
            "Say how much",
            "A number makes an achievement comparable. Only you know it.",
            suggested: "\(end), by {{ADD_PERCENTAGE}}%",
            placeholders: [
                Placeholder(
                    id: "ADD_PERCENTAGE",
                    name: "Percentage",
                    type: .number,
                    description: "By how many percent something became better.",
                    validation: "[0-9]{1,4}([.][0-9]{1,2})?"
                )
            ]
        )
    }

    /// A form of “to be”, at most one adverb, a participle that tells of an act.
    private var passive: Recommendation? {
        let lower = words.map(\.lower)
        let found = lower.indices.contains { index in
            guard lexicon.has(lower[index], .beForm) else { return false }
            var next = index + 1
            if next < lower.count, lower[next].hasSuffix("ly") || lexicon.has(lower[next], .plainAdverb) { next += 1 }
            guard next < lower.count, !lexicon.states.contains(lower[next]) else { return false }
            // “Were used to” tells of a habit.
            if lower[next] == "used", next + 1 < lower.count, lower[next + 1] == "to" { return false }
            return lexicon.participles.contains(lower[next]) || (lower[next].hasSuffix("ed") && lower[next].count > 3)
        }
        guard found else { return nil }
        return finding(.passiveVoice, "Say who did it", "The passive voice hides that it was you.")
    }

    /// An ended role is told in the past.
    private var tense: Recommendation? {
        guard hasEnded, let index = verbIndex else { return nil }
        let word = words[index]
        // “Run” is the participle too, and stands for it behind another verb alone.
        guard let verb = lexicon.verb(word.text), word.lower != verb.past,
            word.lower != verb.participle || verb.participle == verb.base,
            [verb.base, verb.third, verb.gerund].contains(word.lower)
        else { return nil }
        if lexicon.has(verb.base, .nounVerb), word.lower == verb.base {
            // Such a word is a verb where what it is done to follows.
            guard index + 1 < words.count,
                lexicon.has(words[index + 1].lower, .determiner) || words[index + 1].hasDigit
            else {
                return nil
            }
        }
        // A second verb beside it would have to be told in the past too.
        let others = words.indices.dropFirst(index + 1).contains { other in
            let before = words[other - 1]
            let isBeside = ["and", "or"].contains(before.lower) || line.text[before.range.upperBound...].hasPrefix(",")
            return isBeside
                && lexicon.verb(words[other].text).map { [$0.base, $0.third, $0.gerund].contains(words[other].lower) }
                    ?? false
        }
        var text = line.text
        text.replaceSubrange(word.range, with: word.isCapitalized ? verb.past.capitalizedFirst : verb.past)
        return finding(
            .tense,
            "Tell it in the past",
            "The role has ended, and “\(word.text)” tells it as if it had not.",
            suggested: others ? nil : text
        )
    }

    private var length: Recommendation? {
        guard !(8...30).contains(words.count) else { return nil }
        return finding(
            .bulletLength,
            words.count < 8 ? "Say more" : "Say it in fewer words",
            "A bullet of 8 to 30 words is read to its end; this one has \(words.count)."
        )
    }
}
