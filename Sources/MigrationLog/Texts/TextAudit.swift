import MigrationCore

/// Holds the texts of a stream against its commits: each that was written is there, whole, or was dropped by a person's redaction.
package struct TextAudit: Sendable {
    private var writtenAt: [String: Int64] = [:]
    private var redactedAt: [String: Int64] = [:]

    package init() {}

    package mutating func take(_ step: Replay.Step) {
        let commit = step.commit
        guard step.hasTexts else { return }
        for text in commit.command.texts where KeptText.isToken(text) { writtenAt[text] = commit.version }
        for case .redacted(let texts) in commit.events {
            for text in texts { redactedAt[text] = commit.version }
        }
    }

    /// The first text that is not as the commits have it, with the version that it was written in.
    package func flaw(of texts: Texts) -> (version: Int64?, message: String)? {
        var flaws: [(version: Int64, message: String)] = []
        for (token, version) in writtenAt {
            guard let kept = texts.all[token] else {
                flaws.append((version, "a text of it is not there, and no redaction of it is recorded"))
                continue
            }
            if !kept.isWhole {
                flaws.append((version, "a text of it was changed after it was written: its content has another hash"))
            } else if kept.content == nil, redactedAt[token] == nil {
                flaws.append((version, "a text of it was dropped, and no redaction of it is recorded"))
            } else if kept.content != nil, let redacted = redactedAt[token] {
                flaws.append((version, "a text of it is there again, which version \(redacted) redacted"))
            }
        }
        let unknown = texts.all.keys.filter { writtenAt[$0] == nil }
        guard let first = flaws.min(by: { $0.version < $1.version }) else {
            return unknown.isEmpty ? nil : (nil, "\(unknown.count) texts are there that no commit has")
        }
        return first
    }
}
