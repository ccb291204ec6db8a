import Foundation
import JSON
import Resumes

/// What a résumé's own text bears out, found by other code than the rules and the guard that make suggestions: an answer is not judged by its maker. Of
/// theirs it has only the lists of words that name a trade or a number, beside a list of its own.
///
/// It is coarser than the guard, and knows three things: every number, every name and every word of a trade stands somewhere in the résumé.
struct ResumeEvidence {
    private let words: Set<String>
    private let numbers: Set<String>
    /// All texts, each as its words with one space around each.
    private let texts: [String]

    /// - Parameter said: what its owner has said besides.
    init(_ resume: JSONValue, said: [String]) {
        let all = Self.texts(in: resume) + said
        texts = all.map { " \(Self.words($0).joined(separator: " ")) ".lowercased() }
        words = Set(all.flatMap { Self.words($0.lowercased()) })
        numbers = Set(all.flatMap(Self.numbers))
    }

    static func texts(in value: JSONValue) -> [String] {
        switch value {
        case .string(let text): [text]
        case .array(let values): values.flatMap(texts)
        case .object(let fields): fields.values.flatMap(texts)
        case .int, .number, .decimal: [value.text]
        case .null, .bool: []
        }
    }

    /// Whether some text of the résumé has these words one after the other.
    func holds(_ text: String) -> Bool {
        let wanted = " \(Self.words(text).joined(separator: " ")) ".lowercased()
        return wanted == "  " || texts.contains { $0.contains(wanted) }
    }

    /// Whether a suggestion says no number, no name and no word of a trade that the résumé does not.
    func bears(_ suggestion: String) -> Bool {
        let said = suggestion.replacing(/\{\{[A-Za-z0-9_]+\}\}|\{[A-Za-z0-9_]+\}|\[[A-Z][A-Z0-9_ ]*\]/, with: ", ")
        guard Self.numbers(said).allSatisfy(numbers.contains) else { return false }
        return Self.sentences(said).allSatisfy { sentence in
            Self.words(String(sentence)).enumerated().allSatisfy { index, word in
                let isName = index > 0 && word.contains(where: \.isUppercase)
                return !(isName || Self.isOfTrade(word.lowercased())) || isWord(word.lowercased())
            }
        }
    }

    private func isWord(_ word: String) -> Bool {
        words.contains(word) || words.contains(word + "s")
            || (word.hasSuffix("s") && words.contains(String(word.dropLast())))
    }

    /// Names of a trade, read from the data file beside this code.
    private static let tradeNames = Set(
        String(decoding: PackageResources.trade_names_txt, as: UTF8.self).split(separator: "\n")
            .filter { !$0.hasPrefix("#") }.flatMap { $0.split(separator: " ").map(String.init) }
    )

    private static func isOfTrade(_ word: String) -> Bool {
        tradeNames.contains(word) || Lexicon.shared.tradeWords.contains(word)
            || Lexicon.shared.words(.number).contains(word)
    }

    private static func sentences(_ text: String) -> [Substring] { text.split { ".!?:;•".contains($0) } }

    /// Letters that stand together; an apostrophe and what follows it are no part of a word.
    private static func words(_ text: String) -> [String] {
        text.replacing(/['’](s|ve|m|re|ll|d)\b/, with: "").split { !($0.isLetter || $0.isNumber) }.map(String.init)
    }

    /// Digits that stand together, without the signs that group them by three.
    private static func numbers(_ text: String) -> [String] {
        text.replacing(/[0-9]{1,3}(?:[,'’][0-9]{3})+(?![0-9])/) { match in match.output.filter { !",'’".contains($0) } }
            .split { !("0"..."9").contains($0) }.map(String.init)
    }
}
