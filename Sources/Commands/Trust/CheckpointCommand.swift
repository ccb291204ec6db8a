import ArgumentParser
import Foundation
import MigrationCore
import MigrationLog

struct CheckpointCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "checkpoint",
        abstract: "Shows the newest checkpoint, or holds the log against one that was kept outside.",
        discussion: """
            Run with --keep by somebody who is not the database's owner, now and then: it keeps the newest checkpoint in a file of his, and
            takes a newer one only where the log still begins as the kept one says. Exits 1 when it does not.

            Examples:
              migrate checkpoint
              migrate checkpoint --keep /var/lib/witness/recommendations.note
              migrate checkpoint --against monday.note
            """
    )
    @Option(help: "The file in which the newest is kept.") var keep: String?
    @Flag(
        help:
            "With --keep: you know that the log was declared rewound; its newest checkpoint takes the kept one’s place."
    )
    var acceptRewind = false
    @Option(help: "The file of one that was kept, which stays as it is.") var against: String?
    @OptionGroup var database: DatabaseOptions

    func validate() throws {
        if acceptRewind, keep == nil { throw ValidationError("--accept-rewind comes with --keep") }
        if keep != nil, against != nil { throw ValidationError("give one of --keep and --against") }
    }

    func run() async throws {
        let log = try await LogAccess(database).log
        if let against { return try await compare(CheckpointFile.read(against), log) }
        guard let keep else {
            guard let note = try await log.latestCheckpoint() else { throw Self.none }
            return try Output.raw(note)
        }
        switch try await Witness(file: URL(fileURLWithPath: keep), log: log, acceptsRewind: acceptRewind).look() {
        case .nothing: throw Self.none
        case .kept(let checkpoint): Output.line("kept: \(checkpoint.size) commits of \(checkpoint.origin)")
        case .unvouched(let kept):
            Output.line(
                "the log goes on from the kept checkpoint of \(kept.size) commits, which stays: its newest is by a key that it takes no longer"
            )
        case .begunAnew(let checkpoint, let before):
            throw Failure(
                .failed,
                "the log does not go on from the kept checkpoint of \(before.size) commits, and has begun a new incarnation since: \(checkpoint.origin)",
                mend:
                    "if people declared it rewound (migrate history), say so with --accept-rewind; the file was left as it is"
            )
        case .broken(let flaw, let kept):
            throw Failure(
                .failed,
                "BROKEN against the kept checkpoint of \(kept.size) commits: \(flaw)",
                mend: "the file was left as it is; find out who changed the log"
            )
        }
    }

    private func compare(_ checkpoint: Checkpoint, _ log: MigrationLog) async throws {
        if let flaw = try await log.flaw(of: checkpoint) { throw Failure(.failed, "BROKEN: \(flaw)") }
        let signer = try await log.trustHistory().signer(of: checkpoint)
        let words = signer.map { "signed by \($0.owner)’s key \($0.key.id)" } ?? "signed by no key that the log knows"
        Output.line("the log goes on from the checkpoint of \(checkpoint.size) commits, \(words)")
    }

    private static let none = Failure(
        .failed,
        "the log has no checkpoint yet",
        mend: "have a worker sign them: migrate worker --checkpoint-key FILE --checkpoint-to FOLDER"
    )
}

/// A checkpoint that somebody has kept.
enum CheckpointFile {
    static func read(_ path: String) throws -> Checkpoint {
        do {
            return try Checkpoint(note: TextFile.read(path, "checkpoint"))
        } catch let error as Checkpoint.Malformed {
            throw Failure(.failed, "\(path) is not a checkpoint: \(error.message)")
        }
    }
}
