package import Foundation
package import MigrationCore

/// A stream as a file: its rows to the byte, checked without a database.
///
/// Lines of canonical JSON (sorted keys, nothing that could be left out): a head that says whose it is, how many commits there are and the
/// last one's hash, then a row for each. Whoever changes a byte changes a value that is hashed, or the shape that is demanded.
package enum LogBundle {
    /// The first line.
    package struct Head: Codable, Hashable, Sendable {
        package var format: Int
        /// The IDs of the log's incarnations in the order of their numbers, from 1, in lower case.
        package var logs: [String]
        package var stream: String
        package var commits: Int64
        /// The hash of the last commit, in hexadecimal digits.
        package var head: String
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

    /// What a bundle shows.
    package struct Report: Sendable {
        package var head: Head
        package var state: MigrationState
    }

    /// What is wrong with a bundle, and in which line.
    package struct Broken: Error, Hashable, Sendable {
        /// Counted from 1.
        package var line: Int
        package var message: String
    }

    package static let format = 2
    /// No line is longer, in bytes.
    private static let longest = 64 << 20

    package static func head(log: Incarnations, stream: String, commits: Int64, last: [UInt8]) throws -> [UInt8] {
        try line(
            Head(
                format: format,
                logs: log.all.map { $0.id.uuidString.lowercased() },
                stream: stream,
                commits: commits,
                head: Hex.text(last)
            )
        )
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

    private static func line(_ value: some Encodable) throws -> [UInt8] {
        Array(try CommitCodec.canonical(value)) + [UInt8(ascii: "\n")]
    }

    /// Verifies versions, hashes and their chain, decides every command again, and folds.
    ///
    /// - Parameter each: sees every verified commit.
    /// - Throws: ``Broken`` for the first line that does not hold.
    package static func verify(_ data: Data, each: (Replay.Step) -> Void = { _ in }) throws -> Report {
        guard data.last == UInt8(ascii: "\n") else {
            throw Broken(line: 1, message: "the file does not end with a whole line")
        }
        let lines = data.dropLast().split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
        let head = try read(Head.self, lines[lines.startIndex], 1)
        guard head.format == format else {
            throw Broken(line: 1, message: "the format \(head.format) is not known here")
        }
        let log = try incarnations(head.logs)
        guard Int64(lines.count - 1) == head.commits, head.commits > 0 else {
            throw Broken(
                line: lines.count,
                message: "\(lines.count - 1) commits are here, and the head says \(head.commits)"
            )
        }
        var state = MigrationState.initial
        var last: [UInt8] = []
        var incarnation: Int64 = 0
        for (index, text) in lines.dropFirst().enumerated() {
            let line = try read(Line.self, text, index + 2)
            let step = try step(line, state, log, head.stream, last, incarnation, index + 2)
            (state, last, incarnation) = (step.after, step.hash, step.row.incarnation)
            each(step)
        }
        guard Hex.text(last) == head.head else {
            throw Broken(line: 1, message: "the last commit’s hash is not the one that the head says")
        }
        guard state.migration?.plan.name == head.stream else {
            throw Broken(line: 1, message: "the migration’s name is not the stream’s")
        }
        return Report(head: head, state: state)
    }

    private static func incarnations(_ texts: [String]) throws -> Incarnations {
        var ids: [Int64: UUID] = [:]
        for (index, text) in texts.enumerated() {
            guard let id = UUID(uuidString: text), id.uuidString.lowercased() == text else {
                throw Broken(line: 1, message: "an ID of the log is none")
            }
            ids[Int64(index + 1)] = id
        }
        do {
            return try Incarnations(ids)
        } catch {
            throw Broken(line: 1, message: error.message)
        }
    }

    private static func step(
        _ line: Line,
        _ state: MigrationState,
        _ log: Incarnations,
        _ stream: String,
        _ prev: [UInt8],
        _ incarnation: Int64,
        _ number: Int
    ) throws -> Replay.Step {
        guard let id = UUID(uuidString: line.id), id.uuidString.lowercased() == line.id,
            let before = Hex.bytes(line.prev), let hash = Hex.bytes(line.hash)
        else {
            throw Broken(line: number, message: "an ID or a hash is none")
        }
        let row = CommitRow(
            version: line.version,
            incarnation: line.incarnation,
            commandID: id,
            actor: line.actor,
            at: Timestamp(rawValue: line.at),
            body: Array(line.body.utf8),
            prev: before,
            hash: hash
        )
        do {
            try row.verify(log: log, stream: stream, version: state.version + 1, prev: prev)
            let commit = try CommitCodec.decode(row.body, version: row.version, actor: row.actor)
            let after = try Replay.step(state, commit, row, after: incarnation)
            return Replay.Step(commit: commit, row: row, before: state, after: after)
        } catch let error as LogError {
            throw Broken(line: number, message: error.message)
        } catch let error as Replay.Divergence {
            throw Broken(line: number, message: "version \(row.version): \(error.message)")
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
