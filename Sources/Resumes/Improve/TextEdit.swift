/// What a suggestion changes of a text: the words between what both have at the beginning and at the end.
struct TextEdit: Hashable {
    /// Of the original's words.
    let range: Range<Int>
    let words: [String]

    init(from original: [String], to suggestion: String) {
        let words = Self.words(suggestion)
        var start = 0
        while start < min(original.count, words.count), original[start] == words[start] { start += 1 }
        var end = 0
        while end < min(original.count, words.count) - start,
            original[original.count - 1 - end] == words[words.count - 1 - end]
        {
            end += 1
        }
        range = start..<(original.count - end)
        self.words = Array(words[start..<(words.count - end)])
    }

    static func words(_ text: String) -> [String] { text.split(whereSeparator: \.isWhitespace).map(String.init) }

    /// Whether both can be made: they change different words, and do not put words into the same place.
    func isApart(from other: TextEdit) -> Bool {
        if self == other { return true }
        if range.upperBound < other.range.lowerBound || other.range.upperBound < range.lowerBound { return true }
        let touches = range.upperBound == other.range.lowerBound || other.range.upperBound == range.lowerBound
        return touches && !range.isEmpty && !other.range.isEmpty
    }

    /// A text with several edits, all of the same original.
    static func merged(_ original: [String], _ edits: [TextEdit]) -> String {
        var words = original
        for edit in Set(edits).sorted(by: { $0.range.lowerBound > $1.range.lowerBound }) {
            words.replaceSubrange(edit.range, with: edit.words)
        }
        return words.joined(separator: " ")
    }
}
