/// Drops every suggestion that says what the résumé does not: a number, a name or a skill that cannot be found there.
enum TruthGuard {
    /// Whether every number and every name of the suggestion stands in the résumé, apart from placeholders.
    static func isGrounded(_ suggestion: String, in resume: Resume) -> Bool {
        let known = Set(Words.lowered(resume.everything))
        let words = Words.of(Placeholders.removed(from: suggestion))
        return words.enumerated().allSatisfy { index, word in
            let hasNumber = word.contains(where: \.isNumber)
            let isName = index > 0 && (word.first?.isUppercase ?? false)
            return !(hasNumber || isName) || known.contains(word.lowercased())
        }
    }
}

/// What stands for something that only the owner knows: `{{ID}}`, `{ID}` or `[ID]`.
enum Placeholders {
    private static func forms(_ id: String) -> [String] { ["{{\(id)}}", "{\(id)}", "[\(id)]"] }

    static func filled(_ text: String, with values: [String: String]) -> String {
        values.keys.sorted().reduce(text) { text, id in
            forms(id).reduce(text) { $0.replacing($1, with: values[id] ?? "") }
        }
    }

    /// The IDs of those that a text still has, of the given ones.
    static func open(in text: String, of ids: [String]) -> [String] {
        ids.filter { id in forms(id).contains { text.contains($0) } }
    }

    static func removed(from text: String) -> String {
        text.replacing(/\{\{[A-Z_]+\}\}|\{[A-Z_]+\}|\[[A-Z_ ]+\]/, with: "")
    }
}
