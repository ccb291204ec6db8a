import Foundation
import MigrationCore

/// The versions of what commands and events look like in a commit's bytes, and how an older one is read.
///
/// Bytes are never rewritten: a commit is read as the release that wrote it meant it, by one step from each format to the next.
package struct CommitFormat: Sendable {
    /// Rewrites a commit's JSON of one format as the next has it.
    package typealias Upcast = @Sendable (_ body: inout [String: Any]) throws -> Void

    /// What is written.
    /// 1: as it began; a commit of it does not say so.
    /// 2: people's texts are kept apart, and have tokens in their places.
    /// 3: looks as 2 does; decided by stricter rules (``Rules``).
    /// 4: what a check has printed that a worker ran is kept apart too.
    package let current: Int
    /// From the format of the key to the next; where there is none, it is read as it stands.
    package let upcasts: [Int: Upcast]

    package init(current: Int, upcasts: [Int: Upcast]) {
        self.current = current
        self.upcasts = upcasts
    }

    /// This release's. A text of format 1 stands for itself in format 2 too, so nothing is rewritten.
    package static let ours = CommitFormat(current: Rules.current.version, upcasts: [:])

    /// Whether the texts of a commit are kept apart; in older ones a worker's words stand in the commit, whatever they look like.
    ///
    /// - Parameter written: the commit's format.
    static func hasTexts(_ written: Int?, by actor: String) -> Bool {
        (written ?? 1) >= (actor.hasPrefix(Command.workerPrefix) ? 4 : 2)
    }

    private struct Head: Decodable {
        var format: Int?
    }

    /// Whether a commit of a format is read as it stands.
    func isPlain(_ written: Int?) -> Bool { (min(written ?? 1, current)..<current).allSatisfy { upcasts[$0] == nil } }

    /// A commit's bytes as the current format has them.
    ///
    /// - Throws: ``LogError/Code/damaged`` for a format that is newer than the current one.
    func upcast(_ bytes: Data, version: Int64) throws -> Data {
        let written = try JSONDecoder().decode(Head.self, from: bytes).format ?? 1
        guard (1...current).contains(written) else {
            throw LogError(
                .damaged,
                "version \(version) is of format \(written), and this release reads formats 1 to \(current)",
                mend: "read it with the release that wrote it, or a later one",
                version: version
            )
        }
        let steps = (written..<current).compactMap { upcasts[$0] }
        guard !steps.isEmpty, var body = try JSONSerialization.jsonObject(with: bytes) as? [String: Any] else {
            return bytes
        }
        for step in steps { try step(&body) }
        return try JSONSerialization.data(withJSONObject: body)
    }
}
