import Foundation
package import MigrationCore

/// A stream as a file: its rows to the byte, and what vouches for them, checked without a database.
///
/// Lines of canonical JSON (sorted keys, nothing that could be left out): a head that says whose it is and how many lines follow; a row for
/// each commit of the log's keys; a row for each commit of the migration; the texts that people wrote in it, each with its token, which the
/// commits have in its place; and, where the order has a checkpoint over them, the evidence: the checkpoint's signed note, and the path from the last commit that it covers to its root, with what shows that it was the migration's last one by then. Whoever changes a byte changes a value that is
/// hashed or signed, or the shape that is demanded.
package enum LogBundle {
    /// The first line.
    package struct Head: Codable, Hashable, Sendable {
        package var format: Int
        /// The incarnations of the log that the rows were appended in.
        package var logs: [Log]
        package var stream: String
        package var commits: Int64
        /// How many rows of the keys' stream come first.
        package var trust: Int64
        /// How many texts follow on the commits; nil in format 2, which has none.
        package var texts: Int64?
        /// Whether the last line is evidence.
        package var hasEvidence: Bool
        /// The hash of the last commit, in hexadecimal digits.
        package var head: String
    }

    package struct Log: Codable, Hashable, Sendable {
        package var number: Int64
        /// In lower case.
        package var id: String
    }

    /// The last line.
    package struct Evidence: Codable, Hashable, Sendable {
        /// The signed note of a checkpoint.
        package var note: String
        /// The last version of the migration that the checkpoint covers, and its number in the order.
        package var version: Int64
        package var n: Int64
        /// The path from its leaf to the root, in hexadecimal digits.
        package var proof: [String]
        /// The same of the last commit of the keys that the checkpoint covers; nil where there are none.
        package var trust: Place?
        /// An earlier checkpoint that somebody had kept, and what shows that this one goes on from it.
        package var since: Since?
        /// What shows that those were the last commits of the migration and of the keys by then; nil where the checkpoint does not say which were.
        package var heads: Heads?

        package init(note: String, commit: Place, trust: Place?, since: Since?, heads: Heads?) {
            self.note = note
            self.heads = heads
            version = commit.version
            n = commit.n
            proof = commit.proof
            self.trust = trust
            self.since = since
        }
    }

    /// A commit's place in the tree: its version in its stream, its number in the order, and the path to the root.
    package struct Place: Codable, Hashable, Sendable {
        package var version: Int64
        package var n: Int64
        package var proof: [String]

        package init(version: Int64, n: Int64, proof: [String]) {
            self.version = version
            self.n = n
            self.proof = proof
        }
    }

    /// The places of the migration and of the keys in the tree over the streams' last commits.
    package struct Heads: Codable, Hashable, Sendable {
        package var stream: Branch
        package var trust: Branch

        package init(stream: Branch, trust: Branch) {
            self.stream = stream
            self.trust = trust
        }
    }

    /// A place in that tree, from 0, and the path to its root, in hexadecimal digits.
    package struct Branch: Codable, Hashable, Sendable {
        package var index: Int64
        package var proof: [String]

        package init(index: Int64, proof: [String]) {
            self.index = index
            self.proof = proof
        }
    }

    package struct Since: Codable, Hashable, Sendable {
        package var note: String
        package var proof: [String]

        package init(note: String, proof: [String]) {
            self.note = note
            self.proof = proof
        }
    }

    /// Everything that a bundle says.
    package struct Content: Sendable {
        package var log: Incarnations
        package var stream: String
        package var trust: [CommitRow]
        package var texts: Texts
        package var evidence: Evidence?
        package var last: CommitRow
        package var incarnations: Set<Int64>

        package init(
            log: Incarnations,
            stream: String,
            trust: [CommitRow],
            texts: Texts,
            evidence: Evidence?,
            last: CommitRow,
            incarnations: Set<Int64>
        ) {
            self.log = log
            self.stream = stream
            self.trust = trust
            self.texts = texts
            self.evidence = evidence
            self.last = last
            self.incarnations = incarnations
        }
    }

    struct Line: Codable {
        var version: Int64
        var incarnation: Int64
        var id: String
        var actor: String
        var at: Int64
        /// The command and its events, as the exact text that was hashed.
        var body: String
        var prev: String
        var hash: String
    }

    struct TextLine: Codable {
        /// Nil once it was dropped, like the salt.
        var content: String?
        var salt: String?
        var token: String
    }

    /// What a bundle shows.
    package struct Report: Sendable {
        package var head: Head
        package var state: MigrationState
        /// The checkpoint that vouches for the commits up to ``covered``, and the owner's name and ID of its key.
        package var checkpoint: Checkpoint?
        package var signer: TrustedKey?
        package var covered: Int64
        /// Whether they were all that the migration had when the checkpoint was made, and the keys all that there were; false where it does not say.
        package var isComplete = false
        /// The earlier checkpoint that this one was shown to go on from.
        package var since: Checkpoint?
        /// What people wrote.
        package var texts = Texts([])
    }

    /// What is wrong with a bundle, and in which line.
    package struct Broken: Error, Hashable, Sendable {
        /// Counted from 1.
        package var line: Int
        package var message: String

        package init(line: Int, message: String) {
            self.line = line
            self.message = message
        }
    }

    /// 2: without texts. 3: without the last commits of the streams. 4: with them, where the checkpoint says which they are.
    package static let format = 4
    /// No line is longer, in bytes.
    static let longest = 64 << 20

    // MARK: - Writing

    /// The lines before the migration's rows.
    package static func beginning(_ content: Content) throws -> [UInt8] {
        let used = content.incarnations.union(content.trust.map(\.incarnation))
        let head = Head(
            format: format,
            logs: content.log.all.filter { used.contains($0.number) }.map {
                Log(number: $0.number, id: $0.id.uuidString.lowercased())
            },
            stream: content.stream,
            commits: content.last.version,
            trust: Int64(content.trust.count),
            texts: Int64(content.texts.all.count),
            hasEvidence: content.evidence != nil,
            head: Hex.text(content.last.hash)
        )
        return try content.trust.reduce(line(head)) { try $0 + line($1) }
    }

    package static func line(_ row: CommitRow) throws -> [UInt8] {
        try line(
            Line(
                version: row.version,
                incarnation: row.incarnation,
                id: row.commandID.uuidString.lowercased(),
                actor: row.actor,
                at: row.at.rawValue,
                body: String(decoding: row.body, as: UTF8.self),
                prev: Hex.text(row.prev),
                hash: Hex.text(row.hash)
            )
        )
    }

    /// The lines after the migration's rows.
    package static func end(_ content: Content) throws -> [UInt8] {
        let texts = content.texts.all.values.sorted { $0.token < $1.token }
        let lines = try texts.reduce([UInt8]()) { lines, text in
            let salt = text.salt.map { Hex.text($0) }
            return try lines + line(TextLine(content: text.content, salt: salt, token: text.token))
        }
        return try lines + (content.evidence.map { try line($0) } ?? [])
    }

    private static func line(_ evidence: Evidence) throws -> [UInt8] { try line(evidence as any Encodable) }

    private static func line(_ value: any Encodable) throws -> [UInt8] {
        Array(try CommitCodec.canonical(value)) + [UInt8(ascii: "\n")]
    }
}
