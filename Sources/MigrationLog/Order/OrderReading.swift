import Postgres

/// The order as it was read so far: the head of the tree over it, and the last commit of each stream. Every commit is held against its number, its leaf, and the one before it in its
/// stream.
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
        frontier.add(row.leaf, whole: whole)
        guard row.version == (heads[row.stream]?.version ?? 0) + 1 else {
            throw Self.broken(
                "number \(row.n) of the order is version \(row.version) of \(row.stream), and not the next one"
            )
        }
        heads.set(StreamHeads.Head(stream: row.stream, version: row.version, hash: hash))
    }

    /// Reads on to a size.
    ///
    /// - Throws: a ``LogError/Code/damaged`` where something does not hold.
    mutating func readOn(in log: MigrationLog, upTo size: Int64) async throws {
        do {
            while self.size < size {
                let page = try await page(of: log, upTo: size)
                guard !page.isEmpty else { throw Self.broken("number \(self.size + 1) of the order is missing") }
                for row in page { try admit(row) }
            }
        } catch let broken as Replay.Divergence {
            throw LogError(.damaged, broken.message, mend: "find out who changed it: migrate replay --all")
        }
    }

    static func broken(_ message: String) -> Replay.Divergence { Replay.Divergence(nil, message) }
}
