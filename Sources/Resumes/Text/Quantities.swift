/// What counts as a number in a text.
package enum Quantities {
    /// Whether a text says how much: a number that is neither a year nor part of a name (`S3`, `Python3`).
    package static func has(_ words: [Word], lexicon: Lexicon = .shared) -> Bool {
        words.indices.contains { index in
            let word = words[index]
            if Words.parts(word.lower).contains(where: { lexicon.has($0, .number) }) { return true }
            guard let first = word.text.first, first.isNumber || "$€£¥#+".contains(first), word.hasDigit else {
                return Words.parts(word.text).dropFirst().contains { isPlain($0) } && !word.isCapitalized
            }
            return !isYear(word.text) || !(index > 0 && lexicon.has(words[index - 1].lower, .beforeYear))
        }
    }

    private static func isPlain(_ text: String) -> Bool { !text.isEmpty && text.allSatisfy(\.isNumber) }

    private static func isYear(_ text: String) -> Bool {
        guard text.count == 4, let year = Int(text) else { return false }
        return (1950...2049).contains(year)
    }

    /// A number as it is compared: without the signs that group its digits by three, everything else kept.
    static func normal(_ word: String) -> String {
        let characters = Array(word.lowercased())
        return String(
            characters.indices.filter { index in
                guard ",'’".contains(characters[index]) else { return true }
                let after = characters[(index + 1)...].prefix { $0.isNumber }
                return index == 0 || !characters[index - 1].isNumber || after.count != 3
            }.map { characters[$0] }
        )
    }

    private static let units: Set<Character> = ["%", "‰", "€", "$", "£", "¥", "₹", "×"]

    /// A text in which a unit stands at its number, however far it was written from it.
    static func joined(_ text: String) -> String {
        var result: [Character] = []
        for character in text {
            let character: Character = character == "％" ? "%" : character
            if units.contains(character) {
                let spaces = result.reversed().prefix { $0.isWhitespace }.count
                if spaces > 0, result.dropLast(spaces).last?.isNumber ?? false { result.removeLast(spaces) }
            } else if character.isNumber {
                let spaces = result.reversed().prefix { $0.isWhitespace }.count
                if spaces > 0, let before = result.dropLast(spaces).last, units.contains(before), before != "%",
                    !(result.dropLast(spaces + 1).last?.isNumber ?? false)
                {
                    result.removeLast(spaces)
                }
            }
            result.append(character)
        }
        return String(result)
    }
}
