import Postgres

/// The order as it was read so far: the head of the tree over it, and the last commit of each stream. Every row is held against its number, its leaf, and its version in its stream.
package struct OrderReading: Sendable {
    struct Row: Sendable {
        var n: Int64
        var leaf: [UInt8]
        var hash: [UInt8]?
        var stream: String
        var version: Int64
    }

    static let pageSize: Int64 = 4096

    private var frontier = MerkleFrontier()
    package private(set) var heads = StreamHeads()

    package init() {}

    /// What a checkpoint says, where what stands there makes up its roots; nil where it does not.
    init?(signed checkpoint: Checkpoint, in log: MigrationLog) async throws {
        guard let streams = checkpoint.streams else { return nil }
        let prover = log.prover(size: checkpoint.size)
        var (roots, start) = ([[UInt8]](), Int64(0))
        do {
            for level in (0..<63).reversed() where checkpoint.size >> Int64(level) & 1 == 1 {
                roots.append(try await prover.subtree(level, start >> Int64(level)))
                start += 1 << Int64(level)
            }
        } catch let error as LogError where error.code == .damaged {
            return nil
        }
        frontier = MerkleFrontier(size: checkpoint.size, roots: roots)
        heads = try await log.streamHeads(at: checkpoint.size)
        guard frontier.root == checkpoint.root, heads.root() == streams else { return nil }
    }

    var size: Int64 { frontier.size }
    var root: [UInt8] { frontier.root }

    /// The tree over the streams' last commits.
    mutating func streams() -> StreamHeads.Root { heads.root() }

    /// The next rows up to a size; none at the end.
    func page(of log: MigrationLog, upTo size: Int64) async throws -> [Row] {
        let n = self.size
        return try await log.guarded {
            try await log.pool.run { connection in
                try connection.query(Self.query, [.int(n), .int(size)]).rows.map { row in
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

    private static let query = """
        select s.n, s.leaf, c.hash, coalesce(c.stream, '') as stream, coalesce(c.version, 0) as version
        from migrate.seal s left join migrate.commit c on c.id = s.id
        where s.n > $1::bigint and s.n <= $2::bigint order by s.n limit \(pageSize)
        """

    /// Takes the next row.
    ///
    /// - Parameter whole: sees every subtree that it made whole (``MerkleFrontier/add(_:whole:)``).
    /// - Throws: a ``Replay/Divergence`` for one that does not hold.
    mutating func admit(_ row: Row, whole: (Int, Int64, [UInt8]) -> Void = { _, _, _ in }) throws {
        guard row.n == size + 1 else { throw Self.broken("number \(size + 1) of the order is missing") }
        guard let hash = row.hash else { throw Self.broken("the commit of number \(row.n) of the order is missing") }
        guard row.leaf == MerkleTree.leaf(hash) else {
            throw Self.broken("number \(row.n) of the order is not the leaf of its commit")
        }
        guard row.version == (heads[row.stream]?.version ?? 0) + 1 else {
            throw Self.broken(
                "number \(row.n) of the order is version \(row.version) of \(row.stream), and not the next one"
            )
        }
        frontier.add(row.leaf, whole: whole)
        heads.set(StreamHeads.Head(stream: row.stream, version: row.version, hash: hash))
    }

    /// Reads on to a size, and holds each commit's bytes against its hash and that against the one before in its stream.
    ///
    /// - Throws: a ``LogError/Code/damaged`` where something does not hold; a `CancellationError`.
    mutating func readOn(in log: MigrationLog, upTo size: Int64) async throws {
        var incarnations = try await log.incarnations()
        do {
            while self.size < size {
                try Task.checkCancellation()
                let page = try await log.sealed(after: self.size, limit: min(1000, size - self.size))
                guard !page.isEmpty else { throw Self.broken("number \(self.size + 1) of the order is missing") }
                for commit in page {
                    let row = commit.row, last = heads[commit.stream]
                    if incarnations.id(of: row.incarnation) == nil { incarnations = try await log.incarnations() }
                    try row.verify(
                        log: incarnations,
                        stream: commit.stream,
                        version: (last?.version ?? 0) + 1,
                        prev: last?.hash ?? []
                    )
                    try admit(
                        Row(n: commit.n, leaf: commit.leaf, hash: row.hash, stream: commit.stream, version: row.version)
                    )
                }
            }
        } catch let broken as Replay.Divergence {
            throw LogError(.damaged, broken.message, mend: "find out who changed it: migrate replay --all")
        }
    }

    static func broken(_ message: String) -> Replay.Divergence { Replay.Divergence(nil, message) }
}
