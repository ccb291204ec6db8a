import Crypto
import Foundation
import MigrationCore

/// A text that a person wrote, or that a check printed, kept beside the log: the commit has its token in the text's place, so that the content can be dropped and
/// every hash stays what it was.
///
/// The token is `text:` and SHA-256(tag ‖ salt ‖ content) in hexadecimal digits. Once salt and content are dropped, nobody can try out
/// whether a text was the one.
package struct KeptText: Hashable, Sendable {
    package static let prefix = "text:"
    static let saltLength = 16
    private static let tag = Array("migrate/text/1".utf8)

    package var token: String
    /// Nil once it was dropped, like the content.
    package var salt: [UInt8]?
    package var content: String?

    package init(token: String, salt: [UInt8]?, content: String?) {
        self.token = token
        self.salt = salt
        self.content = content
    }

    /// A new text, with a salt of its own.
    init(_ content: String) {
        var generator = SystemRandomNumberGenerator()
        let salt = (0..<Self.saltLength).map { _ in UInt8.random(in: .min ... .max, using: &generator) }
        self.init(token: Self.token(salt, content), salt: salt, content: content)
    }

    /// The token of a content with a salt.
    package static func token(_ salt: [UInt8], _ content: String) -> String {
        prefix + Hex.text(Array(SHA256.hash(data: tag + salt + Array(content.utf8))))
    }

    /// Whether the content is the one that the token was made of; true for one that was dropped.
    package var isWhole: Bool {
        switch (salt, content) {
        case (nil, nil): true
        case (let salt?, let content?): Self.token(salt, content) == token
        default: false
        }
    }

    /// Whether a text has the form of a token.
    package static func isToken(_ text: some StringProtocol) -> Bool {
        text.utf8.count == prefix.utf8.count + 64 && text.hasPrefix(prefix)
            && text.utf8.dropFirst(prefix.utf8.count).allSatisfy {
                (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0)
                    || (UInt8(ascii: "a")...UInt8(ascii: "f")).contains($0)
            }
    }

    /// Takes the words out of a command.
    ///
    /// - Returns: the command with tokens, and what they stand for.
    static func takeApart(_ command: Command) -> (command: Command, texts: [KeptText]) {
        var texts: [KeptText] = []
        let apart = command.replacingTexts { text in
            guard !text.isEmpty else { return text }
            let kept = KeptText(text)
            texts.append(kept)
            return kept.token
        }
        return (apart, texts)
    }
}
