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
        numbers = Set(all.flatMap(Self.numbers) + all.flatMap(Self.months))
    }

    /// The numbers of months that are named before a year: `Aug 2021` bears out `2021-08`.
    private static func months(_ text: String) -> [String] {
        let names = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"]
        let words = words(text)
        return zip(words, words.dropFirst()).flatMap { name, year -> [String] in
            guard year.count == 4, Int(year) != nil,
                let index = names.firstIndex(of: String(name.lowercased().prefix(3)))
            else { return [] }
            return ["\(index + 1)", index < 9 ? "0\(index + 1)" : "\(index + 1)"]
        }
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
        let said = Self.withoutPlaceholders(suggestion)
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

    /// Letters that stand together; what an apostrophe parts from them (“it's”) is no word.
    private static func words(_ text: String) -> [String] {
        text.split { !($0.isLetter || $0.isNumber) }.lazy.map(String.init).filter { !endings.contains($0) }
    }

    private static let endings: Set<String> = ["s", "ve", "m", "re", "ll", "d"]

    /// Digits that stand together, without the signs that group them by three.
    private static func numbers(_ text: String) -> [String] {
        let bytes = Array(text.replacing("’", with: "'").utf8)
        func isDigit(_ index: Int) -> Bool { bytes.indices.contains(index) && (48...57).contains(bytes[index]) }
        var numbers: [String] = []
        var current: [UInt8] = []
        for index in bytes.indices {
            if isDigit(index) {
                current.append(bytes[index])
            } else if !current.isEmpty {
                let groups = bytes[index] == UInt8(ascii: ",") || bytes[index] == UInt8(ascii: "'")
                if groups, (1...3).allSatisfy({ isDigit(index + $0) }), !isDigit(index + 4) { continue }
                numbers.append(String(decoding: current, as: UTF8.self))
                current = []
            }
        }
        if !current.isEmpty { numbers.append(String(decoding: current, as: UTF8.self)) }
        return numbers
    }

    /// A text with a comma in the place of each `{{NAME}}`, `{NAME}` and `[NAME]`.
    private static func withoutPlaceholders(_ text: String) -> String {
        guard text.contains(where: { "{[".contains($0) }) else { return text }
        var result = ""
        var rest = Substring(text)
        while let open = rest.firstIndex(where: { "{[".contains($0) }) {
            result += rest[..<open]
            let isSquare = rest[open] == "["
            let body = rest[open...].drop { "{[".contains($0) }
            let name = body.prefix {
                $0.isASCII && ($0.isUppercase || $0.isNumber || $0 == "_" || (isSquare && $0 == " "))
            }
            let after = body[name.endIndex...]
            if !name.isEmpty, after.first == (isSquare ? "]" : "}") {
                result += ", "
                rest = after.drop { $0 == (isSquare ? "]" : "}") }
            } else {
                result += rest[open..<body.startIndex]
                rest = body
            }
        }
        return result + rest
    }
}
