package import Foundation
import MigrationCore

extension LogBundle {
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
        guard (2...format).contains(head.format), (head.texts == nil) == (head.format == 2) else {
            throw Broken(line: 1, message: "the format \(head.format) is not known here")
        }
        let texts = head.texts ?? 0
        guard head.commits > 0, head.trust >= 0, texts >= 0, max(head.commits, head.trust, texts) < .max / 4,
            Int64(lines.count) == 1 + head.trust + head.commits + texts + (head.hasEvidence ? 1 : 0)
        else {
            throw Broken(line: lines.count, message: "there are \(lines.count) lines, and the head says another number")
        }
        guard isName(head.stream) else { throw Broken(line: 1, message: "the stream’s name has 1 to 200 characters") }
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
        report.isComplete = latest.streams != nil
        switch (latest.streams, evidence.heads) {
        case (nil, nil): break
        case (let streams?, let heads?):
            let ends = [
                (report.head.stream, evidence.version, covered.commit, heads.stream),
                (TrustHistory.stream, place.version, covered.trust, heads.trust),
            ]
            for (stream, version, hash, branch) in ends {
                let head = StreamHeads.Head(stream: stream, version: version, hash: hash ?? [])
                guard streams.has(head, at: branch.index, try path(branch.proof)) else {
                    throw broken(
                        "version \(version) of \(stream) was not its last one when the checkpoint was made: later ones are left out"
                    )
                }
            }
        case (nil, _?), (_?, nil):
            throw broken("the checkpoint and the proof of the last commits do not belong together")
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

    /// What the log takes as the name of a stream or of who acts.
    private static func isName(_ text: String) -> Bool { (1...200).contains(text.unicodeScalars.count) }

    private static func row(_ text: Data, _ number: Int) throws -> CommitRow {
        let line = try read(Line.self, text, number)
        guard let id = UUID(uuidString: line.id), id.uuidString.lowercased() == line.id,
            let before = Hex.bytes(line.prev), let hash = Hex.bytes(line.hash)
        else { throw Broken(line: number, message: "an ID or a hash is none") }
        guard isName(line.actor) else {
            throw Broken(line: number, message: "the name of whoever acts has 1 to 200 characters")
        }
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
