import Postgres

/// A commit at its place in the order of the whole log.
package struct SealedCommit: Sendable {
    /// Its number: dense, from 1.
    package var n: Int64
    package var stream: String
    package var row: CommitRow
    package var leaf: [UInt8]
}

extension MigrationLog {
    /// The name of the sealer's lease.
    package static let sealerLease = "sealer"

    /// How far the order reaches.
    package struct OrderHead: Hashable, Sendable {
        package var size: Int64
        package var root: [UInt8]

        package init(size: Int64, root: [UInt8]) {
            self.size = size
            self.root = root
        }
    }

    /// Gives the next commits their numbers, in one transaction: those before which nothing can come any more.
    ///
    /// - Parameter limit: at most so many.
    /// - Returns: how many.
    package func sealNext(limit: Int64 = 1000) async throws -> Int64 {
        try await guarded {
            try await pool.run { connection in
                try connection.query("select migrate.seal_next($1::bigint::integer) as sealed", [.int(limit)]).first?
                    .int("sealed") ?? 0
            }
        }
    }

    /// Seals everything after a logical restore, which keeps transaction IDs of another cluster; appends wait meanwhile.
    ///
    /// - Returns: how many commits it sealed.
    package func sealRestored() async throws -> Int64 {
        try await guarded {
            try await pool.run { connection in
                try connection.query("select migrate.seal_restored() as sealed").first?.int("sealed") ?? 0
            }
        }
    }

    /// The order's size and the root of the tree over it.
    package func orderHead() async throws -> OrderHead {
        try await guarded {
            try await pool.run { connection in try Self.orderHead(connection) }
        }
    }

    static func orderHead(_ connection: isolated PostgresConnection) throws -> OrderHead {
        let rows = try connection.query(
            """
            select s.n, f.root from migrate.sealer s left join lateral unnest(s.frontier) with ordinality f (root, place) on true
            order by f.place
            """
        ).rows
        guard let first = rows.first else {
            throw LogError(.damaged, "the sealer's row is missing", mend: "see: migrate doctor")
        }
        let roots = try rows.compactMap { try $0.optionalBytes("root") }
        return OrderHead(size: try first.int("n"), root: MerkleTree.root(of: roots))
    }

    /// Reads commits by their numbers.
    ///
    /// - Parameters:
    ///   - n: the number after which to read; 0 for the beginning.
    ///   - limit: at most so many.
    package func sealed(after n: Int64, limit: Int64 = 1000) async throws -> [SealedCommit] {
        try await guarded {
            try await pool.run { connection in try Self.sealed(after: n, limit: limit, connection) }
        }
    }

    static func sealed(after n: Int64, limit: Int64, _ connection: isolated PostgresConnection) throws
        -> [SealedCommit]
    {
        try connection.query(sealedQuery, [.int(n), .int(limit)]).rows.enumerated().map { index, row in
            // Numbers are dense: where one is missing its commit is, and nobody passes it by.
            let expected = n + Int64(index) + 1
            guard try row.int("n") == expected else {
                throw LogError(
                    .damaged,
                    "number \(expected) of the order has no commit",
                    mend: "see: migrate replay --all"
                )
            }
            return SealedCommit(
                n: expected,
                stream: try row.text("stream"),
                row: try CommitRow(row),
                leaf: try row.bytes("leaf")
            )
        }
    }

    /// The first number, up to a size, of which the commit is gone, or another; nil where all are there.
    package func missing(upTo size: Int64) async throws -> Int64? {
        try await guarded {
            try await pool.run { connection in
                try connection.query(
                    """
                    select min(s.n) as n from migrate.seal s
                    where s.n <= $1::bigint and not exists (
                        select from migrate.commit c where c.id = s.id and sha256('\\x00'::bytea || c.hash) = s.leaf
                    )
                    """,
                    [.int(size)]
                ).first?.optionalInt("n")
            }
        }
    }

    package static let sealedQuery = """
        select s.n, s.leaf, c.stream, \(CommitRow.columns.split(separator: ", ").map { "c.\($0)" }.joined(separator: ", "))
        from migrate.seal s join migrate.commit c on c.id = s.id
        where s.n > $1::bigint order by s.n limit $2::bigint
        """

    /// Makes proofs of the tree as it was at a size.
    package func prover(size: Int64) -> MerkleProver {
        let tiles = MerkleTiles(log: self)
        return MerkleProver(size: size) { level, index in try await tiles.subtree(level, index) }
    }
}

/// Reads the stored subtrees of the tree in runs of 256, and makes those between from them.
private actor MerkleTiles {
    private let log: MigrationLog
    private var tiles: [Tile: [[UInt8]]] = [:]

    private struct Tile: Hashable {
        var level: Int
        var index: Int64
    }

    init(log: MigrationLog) { self.log = log }

    func subtree(_ level: Int, _ index: Int64) async throws -> [UInt8] {
        let stored = level / 8 * 8
        let depth = level - stored
        let first = index << Int64(depth)
        let hashes = try await tile(Tile(level: stored, index: first >> 8))
        let start = Int(first & 255)
        guard start + 1 << depth <= hashes.count else {
            throw LogError(
                .damaged,
                "the tree over the order has a hole at level \(stored), index \(first)",
                mend: "somebody has changed it: see migrate doctor"
            )
        }
        var row = Array(hashes[start..<start + 1 << depth])
        while row.count > 1 {
            row = stride(from: 0, to: row.count, by: 2).map { MerkleTree.node(row[$0], row[$0 + 1]) }
        }
        return row[0]
    }

    private func tile(_ tile: Tile) async throws -> [[UInt8]] {
        if let hashes = tiles[tile] { return hashes }
        let sql =
            tile.level == 0
            ? "select n - 1 as index, leaf as hash from migrate.seal where n > $1::bigint and n <= $1::bigint + 256 order by n"
            : """
            select index, hash from migrate.node
            where level = \(tile.level) and index >= $1::bigint and index < $1::bigint + 256 order by index
            """
        let first = tile.index << 8
        let rows = try await log.guarded {
            try await log.pool.run { connection in try connection.query(sql, [.int(first)]).rows }
        }
        var hashes: [[UInt8]] = []
        for row in rows where try row.int("index") == first + Int64(hashes.count) {
            hashes.append(try row.bytes("hash"))
        }
        tiles[tile] = hashes
        return hashes
    }
}
