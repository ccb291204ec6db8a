import AsyncHTTPClient
package import Foundation
import Logging
package import MigrationCore
package import MigrationLog
import NIOCore
import NIOHTTP1
import Routing
import Signals

/// When checkpoints are signed, with what, and where they are written to: at least one place that the database's owner cannot edit.
package struct CheckpointPolicy: Sendable {
    /// A place for checkpoints.
    package enum Sink: Hashable, Sendable {
        /// A folder: each in a file of its own, named by its size, and the newest in `latest`.
        case folder(URL)
        /// Each is sent by POST; any 2xx takes it.
        case http(String)
    }

    package var key: SigningKey
    package var every: TimeSpan
    package var sinks: [Sink]

    package init(key: SigningKey, every: TimeSpan, sinks: [Sink]) {
        self.key = key
        self.every = every
        self.sinks = sinks
    }
}

/// Signs checkpoints on a schedule and takes them to their sinks; a sink that is away gets what it missed, the newest first. Where the log does
/// not go on from one that is kept, it quarantines every migration.
actor CheckpointPublisher {
    private let worker: String
    private let policy: CheckpointPolicy
    private let log: MigrationLog
    private let logger: Logger
    private var lastLook: TimeSpan?
    private var isBusy = false
    private var signed: Checkpoint?
    /// What each address was sent last.
    private var sent: [String: String] = [:]

    /// At most so many are taken to a sink at once.
    private static let batch: Int64 = 100

    init(worker: String, policy: CheckpointPolicy, log: MigrationLog, logger: Logger) {
        self.worker = worker
        self.policy = policy
        self.log = log
        self.logger = logger
    }

    /// Whether something is due and nobody does it; whoever hears so does it: ``publish()``.
    func begin() -> Bool {
        let now = SystemClock.steady
        if isBusy { return false }
        if let lastLook, now - lastLook < policy.every { return false }
        lastLook = now
        isBusy = true
        return true
    }

    /// Signs where the order stands, and takes to each sink what it lacks.
    func publish() async {
        defer { isBusy = false }
        do {
            guard try await isContinued() else { return }
            if let checkpoint = try await log.sign(with: policy.key) {
                logger.debug("checkpoint", metadata: ["size": "\(checkpoint.size)"])
                signed = checkpoint
            }
        } catch {
            if Task.isCancelled { return }
            logger.warning("no checkpoint was signed", metadata: ["reason": "\(error)"])
            return
        }
        for sink in policy.sinks {
            do {
                switch sink {
                case .folder(let folder): try await fill(folder)
                case .http(let address): try await fill(address)
                }
            } catch {
                if Task.isCancelled { return }
                logger.warning("a checkpoint was not taken", metadata: ["sink": "\(sink)", "reason": "\(error)"])
            }
        }
    }

    /// Whether the log goes on from what this worker signed last, and from what each folder keeps: nothing else is vouched for.
    private func isContinued() async throws -> Bool {
        if let kept = signed, let flaw = try await log.flaw(of: kept) {
            await distrust(
                "what \(worker) signed last",
                kept,
                flaw,
                mend: try await isSuperseded(kept) ? "if you know of the rewind: start the workers anew" : nil
            )
            return false
        }
        for case .folder(let folder) in policy.sinks {
            guard let kept = try Self.latest(in: folder), let flaw = try await log.flaw(of: kept) else { continue }
            let latest = folder.appendingPathComponent("latest").path
            await distrust(
                latest,
                kept,
                flaw,
                mend: try await isSuperseded(kept)
                    ? "if you know of the rewind: migrate checkpoint --keep \(latest) --accept-rewind" : nil
            )
            return false
        }
        return true
    }

    /// Whether a checkpoint is of an incarnation before the newest, which people began when the log had gone back in time.
    private func isSuperseded(_ checkpoint: Checkpoint) async throws -> Bool {
        let all = try await log.incarnations()
        return all.all.contains { $0.number < all.newest && Checkpoint.origin(of: $0.id) == checkpoint.origin }
    }

    /// Says that the log is not the one that it was, and where people do not know that already holds every migration where it is.
    ///
    /// - Parameter mend: what there is to do for people who have declared the log rewound; nil where they have not.
    private func distrust(_ place: String, _ kept: Checkpoint, _ flaw: String, mend: String?) async {
        logger.error(
            "the log is not the one of which there is a checkpoint, and is not vouched for: see docs/audit.md",
            metadata: [
                "checkpoint": "\(place)", "kept": "\(kept.size)", "flaw": "\(flaw)",
                "mend": "\(mend ?? "find out who changed it")",
            ]
        )
        guard mend == nil else { return }
        do {
            for migration in try await log.unfinished() { await quarantine(migration, place, kept.size) }
        } catch {
            logger.warning("no migration was quarantined", metadata: ["reason": "\(error)"])
        }
    }

    /// One that cannot be read is held by that already.
    private func quarantine(_ migration: String, _ place: String, _ size: Int64) async {
        do {
            _ = try await log.perform(
                .quarantineByCheckpoint(place: place, size: size),
                on: migration,
                by: Command.workerPrefix + worker
            )
        } catch {
            logger.warning("not quarantined", metadata: ["migration": "\(migration)", "reason": "\(error)"])
        }
    }

    private func fill(_ folder: URL) async throws {
        let from = try Self.latest(in: folder)?.size ?? 0
        for checkpoint in try await log.checkpoints(from: from + 1, limit: Self.batch) {
            try Self.write(checkpoint, to: folder)
        }
    }

    /// An address does not say what it has; the log keeps that, as for those who read it. The newest comes first: it vouches for all before it.
    private func fill(_ address: String) async throws {
        guard let newest = try await log.latestCheckpoint().map({ try Checkpoint(note: $0) }) else { return }
        // Its name may be a secret.
        let name = String(XXHash64.hash(address), radix: 16)
        let place = Subscription("checkpoints to \(name)", of: log)
        let position = try await place.position()
        if position == newest.size, sent[address] ?? newest.note == newest.note { return }
        // After a rewind it may have had more than there is, or another of this size.
        let from = min(position, newest.size - 1)
        let missing = try await log.checkpoints(from: from + 1, limit: Self.batch)
        if missing.count > 1 { try await send(newest.note, to: address) }
        for checkpoint in missing {
            if missing.count == 1 || checkpoint.size != newest.size { try await send(checkpoint.note, to: address) }
            try await place.reach(checkpoint.size)
            sent[address] = checkpoint.note
        }
    }

    private static func latest(in folder: URL) throws -> Checkpoint? {
        guard let data = FileManager.default.contents(atPath: folder.appendingPathComponent("latest").path) else {
            return nil
        }
        return try Checkpoint(note: String(decoding: data, as: UTF8.self))
    }

    private static func write(_ checkpoint: (size: Int64, note: String), to folder: URL) throws {
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        let note = Data(checkpoint.note.utf8)
        let name = String(repeating: "0", count: max(0, 12 - "\(checkpoint.size)".count)) + "\(checkpoint.size)"
        var file = folder.appendingPathComponent("\(name).note")
        var copy = 1
        // After a rewind there is another of the same size: what was kept once stays.
        while let there = FileManager.default.contents(atPath: file.path), there != note {
            copy += 1
            file = folder.appendingPathComponent("\(name)-\(copy).note")
        }
        for file in [file, folder.appendingPathComponent("latest")] { try note.write(to: file, options: .atomic) }
    }

    private func send(_ note: String, to address: String) async throws {
        var request = HTTPClientRequest(url: address)
        request.method = .POST
        request.headers.add(name: "content-type", value: "text/plain; charset=utf-8")
        request.body = .bytes(ByteBuffer(string: note))
        let response = try await HTTPClient.shared.execute(request, timeout: .seconds(5))
        guard (200..<300).contains(response.status.code) else {
            throw SinkRefusal(status: Int(response.status.code))
        }
    }

    private struct SinkRefusal: Error, CustomStringConvertible {
        var status: Int
        var description: String { "it answered \(status)" }
    }
}
