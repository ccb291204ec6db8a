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
        var frontier = MerkleFrontier()
        var report = Report(size: head.size, checkpoints: 0)
        // Sizes of those that nobody vouches for; the last to be complained of, as they say nothing wrong of the order.
        var unsigned: (first: Int64, count: Int)?
        do {
            if largest > head.size {
                throw Self.broken("there is a checkpoint of \(largest) commits, and the order has \(head.size)")
            }
            var trust = try await log.trustHistory()
            let origins = Set(try await log.incarnations().all.map { Checkpoint.origin(of: $0.id) })
            var last: [String: StreamHeads.Head] = [:]
            while frontier.size < head.size {
                let page = try await page(after: frontier.size, upTo: head.size)
                guard !page.isEmpty else { throw Self.broken("number \(frontier.size + 1) of the order is missing") }
                let end = frontier.size + Int64(page.count)
                let nodes = try await nodes(over: end)
                // There may be one for every minute of years: never all of them at once.
                var waiting = try await log.checkpoints(from: frontier.size + 1, upTo: end)[...]
                var isFresh = false
                for row in page {
                    try Self.add(row, to: &frontier, nodes)
                    try Self.follow(row, &last)
                    if let kept, kept.size == frontier.size, kept.root == frontier.root {
                        try Self.check(kept, StreamHeads(last.values))
                    }
                    while let next = waiting.first, next.size == frontier.size {
                        waiting.removeFirst()
                        let checkpoint = try Self.check(next, frontier.root, origins)
                        try Self.check(checkpoint, StreamHeads(last.values))
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
                didRead(frontier.size)
            }
            try await compare(last)
            guard frontier.root == head.root else {
                throw Self.broken("the head of the tree over the order is not the one that its leaves make up")
            }
            if let kept, let flaw = try await log.flaw(of: kept) {
                throw Self.broken("against the checkpoint of \(kept.size) commits: \(flaw)")
            }
            if let (first, count) = unsigned {
                let others = count == 1 ? "" : ", as \(count - 1) more,"
                throw Self.broken(
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

    private struct Row: Sendable {
        var n: Int64
        var leaf: [UInt8]
        var hash: [UInt8]?
        var stream: String
        var version: Int64
    }

    private struct Node: Hashable {
        var level: Int
        var index: Int64
    }

    private static let pageSize: Int64 = 4096

    private func page(after n: Int64, upTo size: Int64) async throws -> [Row] {
        try await log.guarded {
            try await log.pool.run { connection in
                try connection.query(
                    """
                    select s.n, s.leaf, c.hash, coalesce(c.stream, '') as stream, coalesce(c.version, 0) as version
                    from migrate.seal s left join migrate.commit c on c.id = s.id
                    where s.n > $1::bigint and s.n <= $2::bigint order by s.n limit \(Self.pageSize)
                    """,
                    [.int(n), .int(size)]
                ).rows.map { row in
                    Row(
                        n: try row.int("n"),
                        leaf: try row.bytes("leaf"),
                        hash: try row.optionalBytes("hash"),
                        stream: try row.text("stream"),
                        version: try row.int("version")
                    )
                }
            }
        }
    }

    /// The stored subtrees that end within the last page before a size.
    private func nodes(over size: Int64) async throws -> [Node: [UInt8]] {
        try await log.guarded {
            try await log.pool.run { connection in
                var nodes: [Node: [UInt8]] = [:]
                for level in stride(from: 8, through: 56, by: 8) {
                    let first = (size - min(size, Self.pageSize)) >> Int64(level)
                    for row in try connection.query(
                        """
                        select index, hash from migrate.node where level = \(level) and index >= $1::bigint
                        order by index limit \(Self.pageSize)
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

    /// Every stream has its versions in their order, and begins with the first.
    private static func follow(_ row: Row, _ last: inout [String: StreamHeads.Head]) throws {
        guard row.version == (last[row.stream]?.version ?? 0) + 1 else {
            throw broken(
                "number \(row.n) of the order is version \(row.version) of \(row.stream), and not the next one"
            )
        }
        last[row.stream] = StreamHeads.Head(stream: row.stream, version: row.version, hash: row.hash ?? [])
    }

    /// Every stream of the order has its head, so that it is replayed as far as the order goes; the hashes are the replay's to verify.
    private func compare(_ last: [String: StreamHeads.Head]) async throws {
        let heads = try await log.guarded {
            try await log.pool.run { connection in
                try connection.query("select stream, version from migrate.stream").rows.map {
                    (try $0.text("stream"), try $0.int("version"))
                }
            }
        }
        let known = Dictionary(uniqueKeysWithValues: heads)
        for (stream, head) in last.sorted(by: { $0.key < $1.key }) where known[stream] ?? 0 < head.version {
            throw Self.broken(
                "the order has version \(head.version) of \(stream), whose head says \(known[stream] ?? 0)"
            )
        }
    }

    private static func add(_ row: Row, to frontier: inout MerkleFrontier, _ nodes: [Node: [UInt8]]) throws {
        guard row.n == frontier.size + 1 else { throw broken("number \(frontier.size + 1) of the order is missing") }
        guard let hash = row.hash else { throw broken("the commit of number \(row.n) of the order is missing") }
        guard row.leaf == MerkleTree.leaf(hash) else {
            throw broken("number \(row.n) of the order is not the leaf of its commit")
        }
        var wrong: Node?
        frontier.add(row.leaf) { level, index, hash in
            guard level > 0, level % 8 == 0 else { return }
            let node = Node(level: level, index: index)
            if nodes[node] != hash { wrong = node }
        }
        if let wrong {
            throw broken(
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
            throw broken("the checkpoint of \(stored.size) commits is none: \(error.message)")
        }
        guard checkpoint.size == stored.size, checkpoint.root == root, origins.contains(checkpoint.origin) else {
            throw broken("the checkpoint of \(stored.size) commits was not made of this order")
        }
        return checkpoint
    }

    /// - Parameter heads: the last commits of the streams where the order had that checkpoint's size.
    private static func check(_ checkpoint: Checkpoint, _ heads: @autoclosure () -> StreamHeads) throws {
        guard let streams = checkpoint.streams, streams != heads().root else { return }
        throw broken(
            "the checkpoint of \(checkpoint.size) commits says other last commits of the streams than there were"
        )
    }

    private static func broken(_ message: String) -> Replay.Divergence { Replay.Divergence(nil, message) }
}
