import Foundation
package import MigrationCore

/// The texts of a stream by their tokens: puts people's words where the log has their hashes.
package struct Texts: Sendable {
    /// What stands in place of a text that was dropped.
    package static let dropped = "[redacted]"

    package private(set) var all: [String: KeptText]

    package init(_ texts: [KeptText]) {
        all = Dictionary(texts.map { ($0.token, $0) }) { first, _ in first }
    }

    /// A text with every token in it replaced by its content. What only looks like a token stays.
    package func tell(_ text: String) -> String { tell(text) { $0 } }

    private func tell(_ text: String, _ word: (String) throws -> String) rethrows -> String {
        var told = ""
        var rest = Substring(text)
        while let found = rest.range(of: KeptText.prefix) {
            told += rest[..<found.lowerBound]
            let candidate = rest[found.lowerBound...].prefix(KeptText.prefix.count + 64)
            if KeptText.isToken(candidate), let kept = all[String(candidate)] {
                told += try word(kept.content ?? Self.dropped)
                rest = rest[candidate.endIndex...]
            } else {
                told += rest[found]
                rest = rest[found.upperBound...]
            }
        }
        return told + rest
    }

    /// A value with every token in its texts replaced.
    package func tell<T: Codable>(_ value: T) throws -> T {
        guard !all.isEmpty else { return value }
        let json = String(decoding: try CommitCodec.canonical(value), as: UTF8.self)
        guard json.contains(KeptText.prefix) else { return value }
        let told = try tell(json) { content in
            // As it stands between a JSON text's quotation marks.
            String(decoding: try CommitCodec.canonical([content]), as: UTF8.self).dropFirst(2).dropLast(2).description
        }
        return try JSONDecoder().decode(T.self, from: Data(told.utf8))
    }

    /// A commit in people's words.
    package func tell(_ commit: Commit) throws -> Commit {
        guard !all.isEmpty else { return commit }
        var told = commit
        told.command = try tell(commit.command)
        told.events = try tell(commit.events)
        return told
    }

    /// Whether a command that stands in the log is the one that is given in people's words. A text that was dropped is taken to be the same.
    func isSame(_ recorded: Command, as given: Command) -> Bool {
        var tokens = recorded.texts
        tokens.reverse()
        let kept = given.replacingTexts { text in
            guard let token = tokens.popLast(), !text.isEmpty else { return text }
            guard let kept = all[token] else { return text }
            guard let salt = kept.salt else { return token }
            return KeptText.token(salt, text)
        }
        return kept == recorded
    }
}
