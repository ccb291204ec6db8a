/// The words that the rules know, read from the data files beside this code.
///
/// A line is an entry; lines that begin with `#` say what the file is.
package struct Lexicon: Sendable {
    /// A verb's forms; the participle is the past where the file has no other.
    package struct Verb: Hashable, Sendable {
        package let base: String
        package let past: String
        package let participle: String

        /// `manages`, `managing`.
        package var third: String { Lexicon.third(base) }
        package var gerund: String { Lexicon.gerund(base, past: past) }
    }

    /// A class of words that a rule asks for: a name of `word-classes.txt`.
    package enum WordClass: String, Hashable, Sendable, CaseIterable {
        case nounVerb, changeVerb, determiner, beForm, plainAdverb, firstPerson, rank, auxiliary, termNoun, number
        case beforeYear
    }

    package static let shared = Lexicon()

    package let verbs: [Verb]
    /// Every form of every verb, with the verb.
    let forms: [String: Verb]
    package let weakOpeners: [[String]]
    /// By the words of each; whether it only decorates.
    package let buzzwords: [(words: [String], isAdjective: Bool)]
    package let acronyms: [String: String]
    package let knownAcronyms: Set<String>
    package let participles: Set<String>
    package let states: Set<String>
    package let terms: [[String]]
    /// Everyday words and verbs that also name a trade, a skill or a degree.
    package let tradeWords: Set<String>
    /// Words that only hold others together.
    package let functionWords: Set<String>
    /// Those, and everyday words of no trade.
    package let commonWords: Set<String>
    private let classes: [WordClass: Set<String>]

    private init() {
        verbs = Self.lines(PackageResources.verbs_txt).map { line in
            let columns = line.split(separator: " ").map(String.init)
            let past = columns.count > 1 ? columns[1] : Self.past(columns[0])
            return Verb(base: columns[0], past: past, participle: columns.count > 2 ? columns[2] : past)
        }
        var forms: [String: Verb] = [:]
        for verb in verbs {
            for form in [verb.base, verb.past, verb.participle, verb.third, verb.gerund] where forms[form] == nil {
                forms[form] = verb
            }
        }
        self.forms = forms
        weakOpeners = Self.lines(PackageResources.weak_openers_txt).map(Self.words).sorted { $0.count > $1.count }
        buzzwords = Self.lines(PackageResources.buzzwords_txt).map { line in
            let words = Self.words(line)
            return (Array(words.dropLast()), words.last == "adjective")
        }
        acronyms = Dictionary(
            Self.lines(PackageResources.acronyms_txt).map { line in
                let parts = line.split(separator: " ", maxSplits: 1).map(String.init)
                return (parts[0], parts.count > 1 ? parts[1] : "")
            },
            uniquingKeysWith: { first, _ in first }
        )
        knownAcronyms = Set(Self.lines(PackageResources.known_acronyms_txt).flatMap(Self.words))
        participles = Set(Self.lines(PackageResources.participles_txt)).union(verbs.map(\.participle))
        states = Set(Self.lines(PackageResources.states_txt))
        terms = Self.lines(PackageResources.terms_txt).map(Self.words)
        tradeWords = Set(Self.lines(PackageResources.trade_words_txt))
        functionWords = Set(Self.lines(PackageResources.function_words_txt).flatMap(Self.words))
        commonWords = functionWords.union(Self.lines(PackageResources.common_words_txt).flatMap(Self.words))
        classes = Self.lines(PackageResources.word_classes_txt).reduce(into: [:]) { classes, line in
            let parts = line.split(separator: ":", maxSplits: 1).map(String.init)
            guard parts.count == 2, let name = WordClass(rawValue: parts[0]) else { return }
            classes[name, default: []].formUnion(Self.words(parts[1]))
        }
    }

    /// The words of a class, in small letters.
    package func words(_ name: WordClass) -> Set<String> { classes[name] ?? [] }

    /// Whether a word, in small letters, is of a class.
    func has(_ word: String, _ name: WordClass) -> Bool { words(name).contains(word) }

    /// The verb that a word is a form of; nil for any other word.
    ///
    /// British spellings (`optimised`) are the American ones, and of a compound (`co-founded`) the last part counts.
    package func verb(_ word: String) -> Verb? {
        let lower = word.lowercased()
        if let verb = forms[lower] { return verb }
        for (british, american) in [
            ("ise", "ize"), ("ises", "izes"), ("ised", "ized"), ("ising", "izing"), ("yse", "yze"), ("ysed", "yzed"),
        ]
        where lower.hasSuffix(british) {
            if let verb = forms[lower.dropLast(british.count) + american] { return verb }
        }
        guard let last = lower.split(separator: "-").last, last.count < lower.count else { return nil }
        return forms[String(last)]
    }

    private static func lines(_ bytes: [UInt8]) -> [String] {
        String(decoding: bytes, as: UTF8.self).split(separator: "\n").filter { !$0.hasPrefix("#") }.map(String.init)
    }

    private static func words(_ line: String) -> [String] { line.split(separator: " ").map(String.init) }

    private static func isVowel(_ letter: Character?) -> Bool { letter.map { "aeiou".contains($0) } ?? false }

    private static func past(_ base: String) -> String {
        if base.hasSuffix("e") { return base + "d" }
        if base.hasSuffix("y"), !isVowel(base.dropLast().last) { return base.dropLast() + "ied" }
        return base + "ed"
    }

    private static func third(_ base: String) -> String {
        if base.hasSuffix("y"), !isVowel(base.dropLast().last) { return base.dropLast() + "ies" }
        return base + (["s", "x", "z", "ch", "sh"].contains { base.hasSuffix($0) } ? "es" : "s")
    }

    /// A base that doubles its last letter in the past (`planned`) doubles it here too.
    private static func gerund(_ base: String, past: String) -> String {
        if base.hasSuffix("e"), !base.hasSuffix("ee") { return base.dropLast() + "ing" }
        if let last = base.last, past.hasPrefix(base + String(last)) { return base + String(last) + "ing" }
        let doubling: Set<String> = ["cut", "get", "put", "run", "set", "split", "win"]
        return base + (doubling.contains(base) ? String(base.suffix(1)) : "") + "ing"
    }
}
