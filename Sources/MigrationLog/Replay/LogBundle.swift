package import Foundation
package import MigrationCore

/// A stream as a file: its rows to the byte, and what vouches for them, checked without a database.
///
/// Lines of canonical JSON (sorted keys, nothing that could be left out): a head that says whose it is and how many lines follow; a row for
/// each commit of the log's keys; a row for each commit of the migration; the texts that people wrote in it, each with its token, which the
/// commits have in its place; and, where the order has a checkpoint over them, the evidence: the checkpoint's signed note, and the path from the last commit that it covers to its root. Whoever changes a byte changes a value that is
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

        package init(note: String, commit: Place, trust: Place?, since: Since?) {
            self.note = note
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

    private struct Line: Codable {
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

    private struct TextLine: Codable {
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

    package static let format = 3
    /// No line is longer, in bytes.
    private static let longest = 64 << 20

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

    // MARK: - Verifying

    /// Verifies versions, hashes and their chain, signatures, the evidence, decides every command again, and folds.
    ///
    /// - Parameter each: sees every verified commit of the migration.
    /// - Throws: ``Broken`` for the first line that does not hold.
    package static func verify(_ data: Data, each: (Replay.Step) -> Void = { _ in }) throws -> Report {
        guard data.last == UInt8(ascii: "\n") else {
            throw Broken(line: 1, message: "the file does not end with a whole line")
        }
        let lines = data.dropLast().split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
        let head = try read(Head.self, lines[lines.startIndex], 1)
        guard head.format == format || head.format == 2, (head.texts == nil) == (head.format == 2) else {
            throw Broken(line: 1, message: "the format \(head.format) is not known here")
        }
        let texts = head.texts ?? 0
        guard head.commits > 0, head.trust >= 0, texts >= 0, max(head.commits, head.trust, texts) < .max / 4,
            Int64(lines.count) == 1 + head.trust + head.commits + texts + (head.hasEvidence ? 1 : 0)
        else {
            throw Broken(line: lines.count, message: "there are \(lines.count) lines, and the head says another number")
        }
        let log = try incarnations(head.logs)
        var trust = TrustVerifier(log: log)
        var used: Set<Int64> = []
        let evidence = head.hasEvidence ? try read(Evidence.self, lines[lines.count - 1], lines.count) : nil
        var covered = Covered()
        for number in 1..<1 + Int(head.trust) {
            let row = try row(lines[number], number + 1)
            try named(number + 1) { try trust.admit(row) }
            used.insert(row.incarnation)
            if row.version == evidence?.trust?.version { covered.trust = row.hash }
        }
        var verifier = StreamVerifier(head.stream, log: log, trust: trust.history)
        var audit = TextAudit()
        for number in 1 + Int(head.trust)..<1 + Int(head.trust + head.commits) {
            let row = try row(lines[number], number + 1)
            try named(number + 1) {
                let step = try verifier.admit(row)
                audit.take(step)
                if row.version <= evidence?.version ?? 0 { covered.keys = max(covered.keys, step.trust ?? 0) }
                each(step)
            }
            used.insert(row.incarnation)
            if row.version == evidence?.version { covered.commit = row.hash }
        }
        guard Hex.text(verifier.head) == head.head else {
            throw Broken(line: 1, message: "the last commit’s hash is not the one that the head says")
        }
        guard verifier.state.migration?.plan.name == head.stream else {
            throw Broken(line: 1, message: "the migration’s name is not the stream’s")
        }
        let origins = [evidence?.note, evidence?.since?.note].compactMap(\.self).compactMap {
            try? Checkpoint(note: $0).origin
        }
        used.formUnion(log.all.filter { origins.contains(Checkpoint.origin(of: $0.id)) }.map(\.number))
        guard used == Set(head.logs.map(\.number)), used.count == head.logs.count else {
            throw Broken(line: 1, message: "the head names an incarnation that no row and no checkpoint is of")
        }
        var report = Report(head: head, state: verifier.state, covered: 0)
        report.texts = try self.texts(
            lines[1 + Int(head.trust + head.commits)..<lines.count - (head.hasEvidence ? 1 : 0)]
        )
        if let flaw = audit.flaw(of: report.texts) {
            throw Broken(line: 1, message: (flaw.version.map { "version \($0): " } ?? "") + flaw.message)
        }
        if let evidence {
            try check(
                evidence,
                of: covered,
                lines.count,
                trust.history,
                Set(log.all.map { Checkpoint.origin(of: $0.id) }),
                &report
            )
        }
        return report
    }

    /// A verified bundle's rows: the keys', and the migration's.
    static func rows(of data: Data) throws -> (report: Report, trust: [CommitRow], rows: [CommitRow]) {
        var rows: [CommitRow] = []
        let report = try verify(data) { rows.append($0.row) }
        let lines = data.split(separator: UInt8(ascii: "\n")).dropFirst().prefix(Int(report.head.trust))
        let trust = try lines.enumerated().map { try row($0.element, $0.offset + 2) }
        return (report, trust, rows)
    }

    /// What the evidence has to be of.
    private struct Covered {
        /// The hashes of the migration's and of the keys' last commit that it names.
        var commit: [UInt8]?
        var trust: [UInt8]?
        /// The newest version of the keys that a covered commit went by.
        var keys: Int64 = 0
    }

    private static func check(
        _ evidence: Evidence,
        of covered: Covered,
        _ line: Int,
        _ trust: TrustHistory,
        _ origins: Set<String>,
        _ report: inout Report
    ) throws {
        func broken(_ message: String) -> Broken { Broken(line: line, message: message) }
        func checkpoint(_ note: String) throws -> (Checkpoint, TrustedKey) {
            do {
                let checkpoint = try Checkpoint(note: note)
                guard let signer = trust.signer(of: checkpoint) else {
                    throw broken("the checkpoint is not signed by a key of the log that may")
                }
                return (checkpoint, signer)
            } catch let error as Checkpoint.Malformed {
                throw broken("the checkpoint is none: \(error.message)")
            }
        }
        func path(_ texts: [String]) throws -> [[UInt8]] {
            try texts.map { text in
                guard let bytes = Hex.bytes(text), bytes.count == 32 else {
                    throw broken("a hash of the proof is none")
                }
                return bytes
            }
        }
        let (latest, signer) = try checkpoint(evidence.note)
        func isIn(_ hash: [UInt8]?, _ n: Int64, _ proof: [String]) throws -> Bool {
            guard let hash, n > 0 else { return false }
            return MerkleTree.verify(
                inclusionOf: MerkleTree.leaf(hash),
                at: n - 1,
                size: latest.size,
                proof: try path(proof),
                root: latest.root
            )
        }
        guard try isIn(covered.commit, evidence.n, evidence.proof) else {
            throw broken("version \(evidence.version) is not in the tree that the checkpoint was made of")
        }
        // The key that signed it, and those that its commits went by, were there before: the keys up to them are in the tree too.
        let keys = max(signer.addedAt, covered.keys)
        guard let place = evidence.trust, place.version >= keys, try isIn(covered.trust, place.n, place.proof) else {
            throw broken("the keys up to version \(keys) are not in the tree that the checkpoint was made of")
        }
        if let since = evidence.since {
            let (earlier, _) = try checkpoint(since.note)
            guard origins.contains(earlier.origin), origins.contains(latest.origin),
                MerkleTree.verify(
                    consistencyOf: earlier.size,
                    root: earlier.root,
                    with: latest.size,
                    root: latest.root,
                    proof: try path(since.proof)
                )
            else { throw broken("the checkpoint does not go on from the earlier one") }
            report.since = earlier
        }
        report.checkpoint = latest
        report.signer = signer
        report.covered = evidence.version
    }

    private static func incarnations(_ logs: [Log]) throws -> Incarnations {
        var ids: [Int64: UUID] = [:]
        for log in logs {
            guard let id = UUID(uuidString: log.id), id.uuidString.lowercased() == log.id else {
                throw Broken(line: 1, message: "an ID of the log is none")
            }
            ids[log.number] = id
        }
        do {
            return try Incarnations(ids)
        } catch {
            throw Broken(line: 1, message: error.message)
        }
    }

    private static func row(_ text: Data, _ number: Int) throws -> CommitRow {
        let line = try read(Line.self, text, number)
        guard let id = UUID(uuidString: line.id), id.uuidString.lowercased() == line.id,
            let before = Hex.bytes(line.prev), let hash = Hex.bytes(line.hash)
        else { throw Broken(line: number, message: "an ID or a hash is none") }
        return CommitRow(
            version: line.version,
            incarnation: line.incarnation,
            commandID: id,
            actor: line.actor,
            at: Timestamp(rawValue: line.at),
            body: Array(line.body.utf8),
            prev: before,
            hash: hash
        )
    }

    /// Each once, in the order of their tokens.
    private static func texts(_ lines: ArraySlice<Data>) throws -> Texts {
        var texts: [KeptText] = []
        for (index, line) in zip(lines.indices, lines) {
            let line = try read(TextLine.self, line, index + 1)
            let text = KeptText(token: line.token, salt: line.salt.flatMap { Hex.bytes($0) }, content: line.content)
            guard KeptText.isToken(text.token), text.isWhole, line.salt.map({ Hex.bytes($0) != nil }) ?? true,
                texts.last.map({ $0.token < text.token }) ?? true
            else { throw Broken(line: index + 1, message: "this text is not the one that its token was made of") }
            texts.append(text)
        }
        return Texts(texts)
    }

    /// Puts what does not hold beside its line.
    private static func named(_ number: Int, _ body: () throws -> Void) throws {
        do {
            try body()
        } catch let error as LogError {
            throw Broken(line: number, message: error.message)
        } catch let error as Replay.Divergence {
            throw Broken(line: number, message: "version \(error.version ?? 0): \(error.message)")
        }
    }

    /// A line that says exactly what it has to: written again it is the same, to the byte.
    private static func read<T: Codable>(_ type: T.Type, _ text: Data, _ number: Int) throws -> T {
        guard text.count <= longest, let value = try? JSONDecoder().decode(type, from: text),
            let again = try? CommitCodec.canonical(value), again == text
        else { throw Broken(line: number, message: "this is no line of a bundle, or it was changed") }
        return value
    }
}
