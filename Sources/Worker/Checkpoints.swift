import AsyncHTTPClient
package import Foundation
import Logging
package import MigrationCore
package import MigrationLog
import NIOCore
import NIOHTTP1
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

/// Signs checkpoints on a schedule and takes them to their sinks; a sink that is away gets what it missed.
struct CheckpointPublisher {
    private let policy: CheckpointPolicy
    private let log: MigrationLog
    private let logger: Logger
    private var lastLook: TimeSpan?
    private var signed: Checkpoint?
    /// The size of the last checkpoint that each sink has.
    private var reached: [CheckpointPolicy.Sink: Int64] = [:]

    /// At most so many are taken to a sink at once.
    private static let batch = 100

    init(policy: CheckpointPolicy, log: MigrationLog, logger: Logger) {
        self.policy = policy
        self.log = log
        self.logger = logger
    }

    /// Does what is due.
    mutating func step() async throws {
        let now = SystemClock.steady
        if let lastLook, now - lastLook < policy.every { return }
        lastLook = now
        guard try await isContinued() else { return }
        if let checkpoint = try await log.sign(with: policy.key) {
            logger.debug("checkpoint", metadata: ["size": "\(checkpoint.size)"])
            signed = checkpoint
        }
        for sink in policy.sinks {
            do {
                try await fill(sink)
            } catch {
                logger.warning("a checkpoint was not taken", metadata: ["sink": "\(sink)", "reason": "\(error)"])
            }
        }
    }

    /// Whether the log goes on from what this worker signed last, and from what each folder keeps: nothing else is vouched for.
    private func isContinued() async throws -> Bool {
        if let signed, let flaw = try await log.flaw(of: signed) {
            tell("what this worker signed last", signed, flaw)
            return false
        }
        for case .folder(let folder) in policy.sinks {
            guard let kept = try Self.latest(in: folder), let flaw = try await log.flaw(of: kept) else { continue }
            tell(folder.path, kept, flaw)
            return false
        }
        return true
    }

    private func tell(_ what: String, _ kept: Checkpoint, _ flaw: String) {
        logger.error(
            "the log is not the one of which there is a checkpoint, and is not vouched for: see docs/audit.md",
            metadata: ["checkpoint": "\(what)", "kept": "\(kept.size)", "flaw": "\(flaw)"]
        )
    }

    private mutating func fill(_ sink: CheckpointPolicy.Sink) async throws {
        let from = try reached[sink] ?? Self.begin(sink)
        for checkpoint in try await log.checkpoints(from: from + 1).prefix(Self.batch) {
            switch sink {
            case .folder(let folder): try Self.write(checkpoint, to: folder)
            case .http(let address): try await send(checkpoint.note, to: address)
            }
            reached[sink] = checkpoint.size
        }
    }

    private static func latest(in folder: URL) throws -> Checkpoint? {
        guard let data = FileManager.default.contents(atPath: folder.appendingPathComponent("latest").path) else {
            return nil
        }
        return try Checkpoint(note: String(decoding: data, as: UTF8.self))
    }

    /// Where a sink stands: a folder says so itself.
    private static func begin(_ sink: CheckpointPolicy.Sink) throws -> Int64 {
        guard case .folder(let folder) = sink else { return 0 }
        return try latest(in: folder)?.size ?? 0
    }

    private static func write(_ checkpoint: (size: Int64, note: String), to folder: URL) throws {
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        let name = String(repeating: "0", count: max(0, 12 - "\(checkpoint.size)".count)) + "\(checkpoint.size).note"
        for name in [name, "latest"] {
            try Data(checkpoint.note.utf8).write(to: folder.appendingPathComponent(name), options: .atomic)
        }
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
