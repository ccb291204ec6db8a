import Foundation
import Postgres

/// Verifies the order of the whole log: its numbers, its leaves, the tree over them, and every checkpoint that was made of it.
package struct OrderAudit: Sendable {
    /// What it has shown.
    package struct Report: Sendable {
        package var size: Int64
        package var checkpoints: Int
        package var divergence: Replay.Divergence?
    }

    private let log: MigrationLog

    package init(_ log: MigrationLog) { self.log = log }

    /// Reads the whole order.
    ///
    /// - Parameters:
    ///   - kept: a checkpoint that was kept outside, of which the order has to be the continuation.
    ///   - didRead: is told now and then up to which number it has come.
    /// - Throws: a ``LogError`` when the log cannot be read at all.
    package func run(against kept: Checkpoint? = nil, didRead: (Int64) -> Void = { _ in }) async throws -> Report {
        // Before the head, which others go on from meanwhile: a checkpoint that is signed later is not of this order yet.
        let largest = try await log.largestCheckpoint()
        let head = try await log.orderHead()
        var order = OrderReading()
        var report = Report(size: head.size, checkpoints: 0)
        // Sizes of those that nobody vouches for; the last to be complained of, as they say nothing wrong of the order.
        var unsigned: (first: Int64, count: Int)?
        do {
            if largest > head.size {
                throw OrderReading.broken("there is a checkpoint of \(largest) commits, and the order has \(head.size)")
            }
            var trust = try await log.trustHistory()
            let origins = Set(try await log.incarnations().all.map { Checkpoint.origin(of: $0.id) })
            while order.size < head.size {
                let page = try await order.page(of: log, upTo: head.size)
                guard !page.isEmpty else {
                    throw OrderReading.broken("number \(order.size + 1) of the order is missing")
                }
                let end = order.size + Int64(page.count)
                let nodes = try await nodes(over: end)
                // There may be one for every minute of years: never all of them at once.
                var waiting = try await log.checkpoints(from: order.size + 1, upTo: end)[...]
                var isFresh = false
                for row in page {
                    try Self.add(row, to: &order, nodes)
                    if let kept, kept.size == order.size, kept.root == order.root {
                        try Self.check(kept, order.streams())
                    }
                    while let next = waiting.first, next.size == order.size {
                        waiting.removeFirst()
                        let checkpoint = try Self.check(next, order.root, origins)
                        try Self.check(checkpoint, order.streams())
                        // It may have been signed meanwhile, by a key that is newer than those that were read.
                        if trust.signer(of: checkpoint) == nil, !isFresh {
                            trust = try await log.trustHistory()
                            isFresh = true
                        }
                        if trust.signer(of: checkpoint) == nil {
                            unsigned = (unsigned?.first ?? next.size, (unsigned?.count ?? 0) + 1)
                        } else {
                            report.checkpoints += 1
                        }
                    }
                }
                didRead(order.size)
            }
            try await compare(order.heads)
            guard order.root == head.root else {
                throw OrderReading.broken("the head of the tree over the order is not the one that its leaves make up")
            }
            if let kept, let flaw = try await log.flaw(of: kept) {
                throw OrderReading.broken("against the checkpoint of \(kept.size) commits: \(flaw)")
            }
            if let (first, count) = unsigned {
                let others = count == 1 ? "" : ", as \(count - 1) more,"
                throw OrderReading.broken(
                    "the checkpoint of \(first) commits\(others) is not signed by a key of the log that may; the rest of the order is whole"
                )
            }
        } catch let divergence as Replay.Divergence {
            report.divergence = divergence
        } catch let error as LogError where error.code == .damaged {
            report.divergence = Replay.Divergence(error.version, error.message)
        }
        return report
    }

    private struct Node: Hashable {
        var level: Int
        var index: Int64
    }

    /// The stored subtrees that end within the last page before a size.
    private func nodes(over size: Int64) async throws -> [Node: [UInt8]] {
        try await log.guarded {
            try await log.pool.run { connection in
                var nodes: [Node: [UInt8]] = [:]
                for level in stride(from: 8, through: 56, by: 8) {
                    let first = (size - min(size, OrderReading.pageSize)) >> Int64(level)
                    for row in try connection.query(
                        """
                        select index, hash from migrate.node where level = \(level) and index >= $1::bigint
                        order by index limit \(OrderReading.pageSize)
                        """,
                        [.int(first)]
                    ).rows {
                        nodes[Node(level: level, index: try row.int("index"))] = try row.bytes("hash")
                    }
                    if size >> Int64(level) == 0 { break }
                }
                return nodes
            }
        }
    }

    /// Every stream of the order has its head, so that it is replayed as far as the order goes; the hashes are the replay's to verify.
    private func compare(_ last: StreamHeads) async throws {
        let heads = try await log.guarded {
            try await log.pool.run { connection in
                try connection.query("select stream, version from migrate.stream").rows.map {
                    (Array(try $0.text("stream").utf8), try $0.int("version"))
                }
            }
        }
        // By their bytes, as the database has them.
        let known = Dictionary(heads) { first, _ in first }
        for head in last.all {
            let version = known[Array(head.stream.utf8)] ?? 0
            guard version < head.version else { continue }
            throw OrderReading.broken(
                "the order has version \(head.version) of \(head.stream), whose head says \(version)"
            )
        }
    }

    /// Takes the next row, and holds the stored subtrees against those that it makes whole.
    private static func add(_ row: OrderReading.Row, to order: inout OrderReading, _ nodes: [Node: [UInt8]]) throws {
        var wrong: Node?
        try order.admit(row) { level, index, hash in
            guard level > 0, level % 8 == 0 else { return }
            let node = Node(level: level, index: index)
            if nodes[node] != hash { wrong = node }
        }
        if let wrong {
            throw OrderReading.broken(
                "the stored subtree at level \(wrong.level), index \(wrong.index), is not the one of its leaves"
            )
        }
    }

    private static func check(
        _ stored: (size: Int64, note: String),
        _ root: [UInt8],
        _ origins: Set<String>
    ) throws -> Checkpoint {
        let checkpoint: Checkpoint
        do {
            checkpoint = try Checkpoint(note: stored.note)
        } catch {
            throw OrderReading.broken("the checkpoint of \(stored.size) commits is none: \(error.message)")
        }
        guard checkpoint.size == stored.size, checkpoint.root == root, origins.contains(checkpoint.origin) else {
            throw OrderReading.broken("the checkpoint of \(stored.size) commits was not made of this order")
        }
        return checkpoint
    }

    /// - Parameter streams: the tree over the streams' last commits where the order had that checkpoint's size.
    private static func check(_ checkpoint: Checkpoint, _ streams: StreamHeads.Root) throws {
        guard let said = checkpoint.streams, said != streams else { return }
        throw OrderReading.broken(
            "the checkpoint of \(checkpoint.size) commits says other last commits of the streams than there were"
        )
    }
}
