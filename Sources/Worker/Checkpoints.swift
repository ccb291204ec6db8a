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
/// not go on from one that is kept, it quarantines every migration that is not over.
actor CheckpointPublisher {
    private let worker: String
    private let policy: CheckpointPolicy
    private let log: MigrationLog
    private let logger: Logger
    private var lastLook: TimeSpan?
    private var isBusy = false
    private var signed: Checkpoint?
    /// What was read of the order so far.
    private var order = OrderReading()
    /// What the last look has found that the log does not go on from.
    private var doubted: Checkpoint?
    /// What each address was sent last.
    private var sent: [String: String] = [:]

    /// How soon a doubt is looked into again.
    private static let second = TimeSpan.seconds(5)
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
            var reading = order
            defer { order = reading }
            if let checkpoint = try await log.sign(with: policy.key, reading: &reading) {
                logger.debug("checkpoint", metadata: ["size": "\(checkpoint.size)"])
                signed = checkpoint
            }
        } catch {
            if Task.isCancelled { return }
            // A database that is away comes back; what is kept and cannot be read is for people.
            let level: Logger.Level = (error as? LogError)?.code == .database ? .warning : .error
            logger.log(level: level, "no checkpoint was signed", metadata: ["reason": "\(error)"])
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

    /// Whether the log goes on from what each folder keeps, and from what this worker signed last: nothing else is vouched for.
    private func isContinued() async throws -> Bool {
        for case .folder(let folder) in policy.sinks {
            let latest = folder.appendingPathComponent("latest")
            guard let kept = try Checkpoint.kept(at: latest), let flaw = try await flaw(of: kept) else { continue }
            let isOurs = try await isOurs(kept, in: folder)
            let accept = "migrate checkpoint --keep \(latest.path) --accept-rewind"
            tell(
                latest.path,
                kept,
                flaw,
                isOurs ? "if you know of the rewind: \(accept)" : "give each log a folder of its own"
            )
            if isOurs { try await doubt(latest.path, kept) }
            return false
        }
        if let kept = signed, let flaw = try await flaw(of: kept) {
            let isKnown = try await isSuperseded(kept)
            let place = "what \(worker) signed last"
            tell(place, kept, flaw, "if you know of the rewind: start the workers anew")
            if !isKnown { try await doubt(place, kept) }
            return false
        }
        doubted = nil
        return true
    }

    /// A log whose order or tree cannot be read is not the one that it was either.
    private func flaw(of kept: Checkpoint) async throws -> String? {
        do {
            return try await log.flaw(of: kept)
        } catch let error as LogError where error.code == .damaged {
            return error.message
        }
    }

    /// Whether a checkpoint was ever made of this log: somebody who may has signed it, and it is of an incarnation of this log's, or is kept among
    /// others that are. Another log's says nothing of this one.
    private func isOurs(_ kept: Checkpoint, in folder: URL) async throws -> Bool {
        guard try await isSigned(kept) else { return false }
        let origins = try await log.incarnations().all.map { Checkpoint.origin(of: $0.id) }
        if origins.contains(kept.origin) { return true }
        // The log went back to before an incarnation that people had begun: the oldest are of those before.
        let names = try FileManager.default.contentsOfDirectory(atPath: folder.path).filter { $0.hasSuffix(".note") }
        return names.sorted().prefix(Int(Self.batch)).contains { name in
            let note = try? Checkpoint.kept(at: folder.appendingPathComponent(name))
            return (note ?? nil).map { origins.contains($0.origin) } ?? false
        }
    }

    private func isSigned(_ kept: Checkpoint) async throws -> Bool {
        if kept.isSigned(by: policy.key.publicKey) { return true }
        do {
            return try await log.trustHistory().signer(of: kept) != nil
        } catch let error as LogError where error.code == .damaged {
            // Who changed the log may have changed its keys, and is not to be believed for that.
            return true
        }
    }

    /// Whether a checkpoint is of an incarnation before the newest, which people began when the log had gone back in time.
    private func isSuperseded(_ checkpoint: Checkpoint) async throws -> Bool {
        let all = try await log.incarnations()
        return all.all.contains { $0.number < all.newest && Checkpoint.origin(of: $0.id) == checkpoint.origin }
    }

    private func tell(_ place: String, _ kept: Checkpoint, _ flaw: String, _ mend: String) {
        logger.error(
            "the log is not the one of which there is a checkpoint, and is not vouched for: see docs/audit.md",
            metadata: ["checkpoint": "\(place)", "kept": "\(kept.size)", "flaw": "\(flaw)", "mend": "\(mend)"]
        )
    }

    /// Holds every migration where it is, at the second look that shows the same: what has no number yet is not cut off, and a server that
    /// lags behind another may have been asked.
    private func doubt(_ place: String, _ kept: Checkpoint) async throws {
        if try await isOnlyLate(kept) { return }
        guard doubted == kept else {
            doubted = kept
            lastLook = SystemClock.steady - policy.every + min(policy.every, Self.second)
            return
        }
        for migration in try await log.movable() { await quarantine(migration, place, kept) }
    }

    /// Whether what a checkpoint has and the order has not may be what has no number yet. An order that cannot be read is not late.
    private func isOnlyLate(_ kept: Checkpoint) async throws -> Bool {
        do {
            let missing = try await kept.size - log.orderHead().size
            guard missing > 0 else { return false }
            return try await log.horizon().unsealed >= missing
        } catch let error as LogError where error.code == .damaged {
            return false
        }
    }

    /// One that cannot be read is held by that already.
    private func quarantine(_ migration: String, _ place: String, _ kept: Checkpoint) async {
        do {
            let root = Data(kept.root).base64EncodedString()
            _ = try await log.perform(
                .quarantineByCheckpoint(place: place, size: kept.size, root: root),
                on: migration,
                by: Command.workerPrefix + worker
            )
        } catch {
            logger.warning("not quarantined", metadata: ["migration": "\(migration)", "reason": "\(error)"])
        }
    }

    /// What the log keeps as its checkpoints from a size on and is: whoever may write to it may have written something else.
    private func checkpoints(from size: Int64) async throws -> [(size: Int64, note: String)] {
        let head = try await log.orderHead().size
        var size = size
        while true {
            let rows = try await log.checkpoints(from: size, upTo: head, limit: Self.batch)
            guard let last = rows.last else { return [] }
            var sound: [(size: Int64, note: String)] = []
            for row in rows { if try await isSound(row) { sound.append(row) } }
            if !sound.isEmpty || rows.count < Self.batch { return sound }
            size = last.size + 1
        }
    }

    private func isSound(_ row: (size: Int64, note: String)) async throws -> Bool {
        if let checkpoint = try? Checkpoint(note: row.note), checkpoint.size == row.size,
            try await log.trustHistory().signer(of: checkpoint) != nil, try await flaw(of: checkpoint) == nil
        {
            return true
        }
        logger.error(
            "what the log keeps as a checkpoint is none of it, and is not passed on: see docs/audit.md",
            metadata: ["size": "\(row.size)"]
        )
        return false
    }

    private func fill(_ folder: URL) async throws {
        let from = try Checkpoint.kept(at: folder.appendingPathComponent("latest"))?.size ?? 0
        for checkpoint in try await checkpoints(from: from + 1) { try Self.write(checkpoint, to: folder) }
    }

    /// An address does not say what it has; the log keeps that, as for those who read it. The newest comes first: it vouches for all before it.
    private func fill(_ address: String) async throws {
        guard let newest = try await newest() else { return }
        // Its name may be a secret.
        let name = String(XXHash64.hash(address), radix: 16)
        let place = Subscription("checkpoints to \(name)", of: log)
        let position = try await place.position()
        if position == newest.size, sent[address] ?? newest.note == newest.note { return }
        // After a rewind it may have had more than there is, or another of this size.
        let from = min(position, newest.size - 1)
        if from < position { try await place.goBack(to: from) }
        let missing = try await checkpoints(from: from + 1)
        if missing.count > 1 { try await send(newest.note, to: address) }
        for checkpoint in missing {
            if missing.count == 1 || checkpoint.size != newest.size { try await send(checkpoint.note, to: address) }
            try await place.reach(checkpoint.size)
            sent[address] = checkpoint.note
        }
    }

    /// The newest that is one; somebody may have kept others after it.
    private func newest() async throws -> Checkpoint? {
        var size = try await log.orderHead().size
        for _ in 0..<Self.batch {
            size = try await log.largestCheckpoint(upTo: size)
            guard let row = try await log.checkpoints(from: size, upTo: size).first else { return nil }
            if try await isSound(row) { return try Checkpoint(note: row.note) }
            size -= 1
        }
        return nil
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
