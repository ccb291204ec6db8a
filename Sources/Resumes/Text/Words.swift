/// A word of a text, as it stands and without case.
package struct Word: Hashable, Sendable {
    /// Without the punctuation around it.
    package let text: String
    package let lower: String
    /// Whether it begins the text or a sentence.
    package let beginsSentence: Bool
    /// Where it stands in the text, punctuation around it left out.
    package let range: Range<String.Index>

    /// Whether it begins with a capital letter.
    package var isCapitalized: Bool { text.first?.isUppercase ?? false }
    package var hasDigit: Bool { text.contains(where: \.isNumber) }
}

/// Cuts a text into words.
package enum Words {
    /// Words are parted by space; a word has a letter or a digit. Hyphens, slashes and apostrophes inside belong to it, as do `%`, `+` and `#` at its
    /// end and a currency sign at its beginning. Characters without width are no part of a word, and none of its ends.
    package static func of(_ text: String) -> [Word] {
        var words: [Word] = []
        var begins = true
        var index = text.startIndex
        while index < text.endIndex {
            guard !isSpace(text[index]) else {
                index = text.index(after: index)
                continue
            }
            var end = index
            while end < text.endIndex, !isSpace(text[end]) { end = text.index(after: end) }
            let raw = text[index..<end]
            let head = raw.firstIndex(where: isHead)
            if let head, let tail = raw.lastIndex(where: isTail), head <= tail {
                let range = head..<text.index(after: tail)
                let word = String(text[range])
                words.append(Word(text: word, lower: word.lowercased(), beginsSentence: begins, range: range))
                begins = text[range.upperBound..<end].contains { ".!?:;•".contains($0) }
            } else {
                // A dash or a bullet alone begins what follows.
                begins = begins || raw.contains { ".!?:;•".contains($0) }
            }
            index = end
        }
        return words
    }

    package static func lower(_ text: String) -> [String] { of(text).map(\.lower) }

    /// The parts of a word that is made of several: `front-end`, `CI/CD`.
    package static func parts(_ word: String) -> [String] {
        word.split { "-/–—&·_".contains($0) }.map(String.init)
    }

    /// Whether some words stand one after the other in others.
    package static func contains(_ words: [String], _ phrase: [String]) -> Bool {
        position(of: phrase, in: words) != nil
    }

    package static func position(of phrase: [String], in words: [String]) -> Int? {
        guard !phrase.isEmpty, words.count >= phrase.count else { return nil }
        return (0...(words.count - phrase.count)).first { start in
            phrase.indices.allSatisfy { words[start + $0] == phrase[$0] }
        }
    }

    private static func isSpace(_ character: Character) -> Bool {
        character.isWhitespace || character.isNewline
    }

    private static func isHead(_ character: Character) -> Bool {
        character.isLetter || character.isNumber || "$€£¥₹#@".contains(character)
    }

    private static func isTail(_ character: Character) -> Bool {
        character.isLetter || character.isNumber || "%‰+#€$£¥₹×".contains(character)
    }
}

extension String {
    /// With a capital letter at its beginning.
    var capitalizedFirst: String { prefix(1).uppercased() + dropFirst() }

    /// One space where there were several, and none at the ends or before a comma.
    var tidied: String {
        split(whereSeparator: \.isWhitespace).joined(separator: " ")
            .replacing(" ,", with: ",").replacing(" .", with: ".").replacing(" ;", with: ";")
    }
}
