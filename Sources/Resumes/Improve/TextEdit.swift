/// What a suggestion changes of a text: the words between what both have at the beginning and at the end.
struct TextEdit: Hashable {
    /// Of the original's words.
    let range: Range<Int>
    let words: [String]

    init(from original: [String], to suggestion: String) {
        let words = Self.words(suggestion).map(String.init)
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

    static func words(_ text: String) -> [Substring] { text.split(whereSeparator: \.isWhitespace) }

    /// Whether both can be made: they change different words, and do not put words into the same place.
    func isApart(from other: TextEdit) -> Bool {
        if self == other { return true }
        if range.upperBound < other.range.lowerBound || other.range.upperBound < range.lowerBound { return true }
        let touches = range.upperBound == other.range.lowerBound || other.range.upperBound == range.lowerBound
        return touches && !range.isEmpty && !other.range.isEmpty
    }

    /// A text with several edits, all of the same original; what stands between its words stays.
    static func merged(_ original: String, _ edits: [TextEdit]) -> String {
        let words = words(original)
        var text = original
        for edit in Set(edits).sorted(by: { $0.range.lowerBound > $1.range.lowerBound }) {
            let new = edit.words.joined(separator: " ")
            switch (edit.range.isEmpty, edit.words.isEmpty) {
            case (true, true): break
            case (true, false):
                // Words put before a word, or after the last.
                if edit.range.lowerBound < words.count {
                    text.insert(contentsOf: new + " ", at: words[edit.range.lowerBound].startIndex)
                } else {
                    text.insert(contentsOf: " " + new, at: words.last?.endIndex ?? text.endIndex)
                }
            case (false, false):
                text.replaceSubrange(
                    words[edit.range.lowerBound].startIndex..<words[edit.range.upperBound - 1].endIndex,
                    with: new
                )
            case (false, true):
                // With the space that parted them from what follows, or else from what was before.
                let end =
                    edit.range.upperBound < words.count
                    ? words[edit.range.upperBound].startIndex : words[edit.range.upperBound - 1].endIndex
                let start =
                    edit.range.upperBound < words.count || edit.range.lowerBound == 0
                    ? words[edit.range.lowerBound].startIndex : words[edit.range.lowerBound - 1].endIndex
                text.removeSubrange(start..<end)
            }
        }
        return text
    }
}
