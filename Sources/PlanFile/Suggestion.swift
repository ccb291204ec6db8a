/// The nearest of the words that would have been right.
package enum Suggestion {
    /// - Returns: `did you mean “x”?` for a near one, else the list of all.
    package static func mend(_ word: String, among known: [String]) -> String {
        let near = known.map { (distance(word.lowercased(), $0.lowercased()), $0) }.min { $0 < $1 }
        if let near, near.0 <= max(2, word.count / 3) { return "did you mean “\(near.1)”?" }
        return "it may be: \(known.joined(separator: ", "))"
    }

    /// Levenshtein's distance in characters; words beyond 64 characters are nobody's typing error.
    private static func distance(_ left: String, _ right: String) -> Int {
        let left = Array(left.prefix(64)), right = Array(right.prefix(64))
        var row = Array(0...right.count)
        for (i, character) in left.enumerated() {
            var diagonal = row[0]
            row[0] = i + 1
            for (j, other) in right.enumerated() {
                let above = row[j + 1]
                row[j + 1] = min(above + 1, row[j] + 1, diagonal + (character == other ? 0 : 1))
                diagonal = above
            }
        }
        return row[right.count]
    }
}
