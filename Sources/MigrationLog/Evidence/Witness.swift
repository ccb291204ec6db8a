package import Foundation
import MigrationCore

/// Keeps the last checkpoint that it saw of a log in a file that the log's owner cannot reach, and takes a newer one only where the log still
/// begins as the kept one says.
package struct Witness: Sendable {
    /// What a look has shown.
    package enum Sight: Hashable, Sendable {
        /// The log has no checkpoint yet.
        case nothing
        /// The log begins as the kept one says; this one is kept now.
        case kept(Checkpoint)
        /// The log does not begin as the kept one says, and has begun a new incarnation since, as after a declared rewind: whether that is
        /// what happened is for a person to say, and until then the kept one stays.
        case begunAnew(Checkpoint, before: Checkpoint)
        /// The log begins as the kept one says, and its newest checkpoint is by a key that was taken away after it: the kept one stays.
        case unvouched(Checkpoint)
        /// The log is not the one that it was.
        case broken(String, kept: Checkpoint)
    }

    private let file: URL
    private let log: MigrationLog
    private let acceptsRewind: Bool

    /// - Parameters:
    ///   - file: where the checkpoint is kept.
    ///   - acceptsRewind: a person knows that the log was rewound: its newest checkpoint takes the kept one's place.
    package init(file: URL, log: MigrationLog, acceptsRewind: Bool = false) {
        self.file = file
        self.log = log
        self.acceptsRewind = acceptsRewind
    }

    /// The checkpoint that is kept.
    ///
    /// - Throws: ``Checkpoint/Malformed`` for a file that holds something else; an error of the file's for one that cannot be read.
    package func kept() throws -> Checkpoint? { try Checkpoint.kept(at: file) }

    /// Looks at the log's newest checkpoint, and keeps it where it may.
    package func look() async throws -> Sight {
        let kept = try kept()
        guard let note = try await log.latestCheckpoint() else {
            if acceptsRewind, kept != nil {
                // The log went back to before its first: the next one is taken.
                try FileManager.default.removeItem(at: file)
                return .nothing
            }
            return kept.map { .broken("the log has no checkpoint any more", kept: $0) } ?? .nothing
        }
        let latest: Checkpoint
        do {
            latest = try Checkpoint(note: note)
        } catch {
            guard let kept else { throw error }
            return .broken("the log’s checkpoint is none: \(error.message)", kept: kept)
        }
        let signer = try await log.trustHistory().signer(of: latest)
        guard signer?.isActive == true else {
            // Its key may be another by now, and no worker have signed with that.
            if let kept, let revoked = signer?.revokedAt, latest.size >= kept.size,
                try await log.place(ofKeys: revoked).map({ latest.size < $0 }) ?? true,
                try await log.flaw(of: kept) == nil, try await log.flaw(of: latest) == nil
            {
                return .unvouched(kept)
            }
            let flaw = "the log’s checkpoint is not signed by a key that the log takes now"
            guard let kept else { throw LogError(.damaged, flaw, mend: "see: migrate keys list") }
            return .broken(flaw, kept: kept)
        }
        guard let kept else {
            try keep(latest)
            return .kept(latest)
        }
        if let flaw = try await log.flaw(of: kept) {
            // The newest checkpoint may still be one of before: none is signed of a new incarnation until people say that they know of it.
            let all = try await log.incarnations()
            // One of an incarnation that the log has lost as well is known to people alone.
            let isBegunAnew =
                all.all.contains { Checkpoint.origin(of: $0.id) == kept.origin }
                && all.id(of: all.newest).map { Checkpoint.origin(of: $0) } != kept.origin
            guard acceptsRewind || isBegunAnew else {
                return .broken(flaw, kept: kept)
            }
            guard acceptsRewind else { return .begunAnew(latest, before: kept) }
        }
        guard acceptsRewind || latest.size >= kept.size else {
            return .broken("the log’s newest checkpoint is of \(latest.size) commits only", kept: kept)
        }
        if let flaw = try await log.flaw(of: latest) {
            return .broken("the log’s newest checkpoint was not made of it: \(flaw)", kept: kept)
        }
        try keep(latest)
        return .kept(latest)
    }

    private func keep(_ checkpoint: Checkpoint) throws {
        try Data(checkpoint.note.utf8).write(to: file, options: .atomic)
    }
}
