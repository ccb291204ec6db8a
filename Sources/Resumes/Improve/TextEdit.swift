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

    private var changesNothing: Bool { range.isEmpty && words.isEmpty }

    static func words(_ text: String) -> [Substring] { text.split(whereSeparator: \.isWhitespace) }

    /// Whether both can be made: they change different words, and do not put words into the same place.
    func isApart(from other: TextEdit) -> Bool {
        if self == other || changesNothing || other.changesNothing { return true }
        if range.upperBound < other.range.lowerBound || other.range.upperBound < range.lowerBound { return true }
        let touches = range.upperBound == other.range.lowerBound || other.range.upperBound == range.lowerBound
        return touches && !range.isEmpty && !other.range.isEmpty
    }

    /// A text with several edits, all of the same original; what stands between its words stays.
    ///
    /// A word that goes takes the space after it along, and at the end the one before it.
    static func merged(_ original: String, _ edits: [TextEdit]) -> String {
        let words = words(original)
        guard let first = words.first, let last = words.last else {
            return original + edits.flatMap(\.words).joined(separator: " ")
        }
        let insertions = Dictionary(grouping: Set(edits).filter(\.range.isEmpty), by: \.range.lowerBound)
        let others = Dictionary(Set(edits).filter { !$0.range.isEmpty }.map { ($0.range.lowerBound, $0) }) { one, _ in
            one
        }
        var text = "", gap = String(original[..<first.startIndex]), index = 0
        func put(_ piece: String) {
            text += gap + piece
            gap = " "
        }
        while index < words.count {
            for edit in insertions[index] ?? [] where !edit.words.isEmpty { put(edit.words.joined(separator: " ")) }
            let next: Int
            if let edit = others[index] {
                next = edit.range.upperBound
                if edit.words.isEmpty {
                    index = next
                    continue
                }
                put(edit.words.joined(separator: " "))
            } else {
                next = index + 1
                put(String(words[index]))
            }
            if next < words.count { gap = String(original[words[next - 1].endIndex..<words[next].startIndex]) }
            index = next
        }
        if text.isEmpty { text = gap } else { gap = " " }
        for edit in insertions[words.count] ?? [] where !edit.words.isEmpty { put(edit.words.joined(separator: " ")) }
        return text + original[last.endIndex...]
    }
}
