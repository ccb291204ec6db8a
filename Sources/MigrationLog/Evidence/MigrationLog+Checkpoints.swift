import Foundation
import MigrationCore
import Postgres

extension MigrationLog {
    /// What shows that a stream and the keys ended where a checkpoint covers them; nil for one that does not say where.
    ///
    /// - Throws: a ``LogError/Code/damaged`` where they do not end as it says.
    package func heads(of stream: String, by checkpoint: Checkpoint) async throws -> LogBundle.Heads? {
        guard let root = checkpoint.streams else { return nil }
        var heads = try await streamHeads(at: checkpoint.size)
        guard heads.root() == root, let own = heads.place(of: stream), let keys = heads.place(of: TrustHistory.stream)
        else {
            throw LogError(
                .damaged,
                "the checkpoint of \(checkpoint.size) commits says other last commits of the streams than there were",
                mend: "see: migrate replay --all"
            )
        }
        func branch(_ place: (index: Int64, proof: [[UInt8]])) -> LogBundle.Branch {
            LogBundle.Branch(index: place.index, proof: place.proof.map { Hex.text($0) })
        }
        return LogBundle.Heads(stream: branch(own), trust: branch(keys))
    }

    /// What stands there as the last commits of the streams among the first so many of the order; whoever goes by it holds it against a checkpoint.
    func streamHeads(at size: Int64) async throws -> StreamHeads {
        try await guarded {
            try await pool.run { connection in
                StreamHeads(
                    try connection.query(Self.streamHeadsQuery, [.int(size)]).rows.map { row in
                        StreamHeads.Head(
                            stream: try row.text("stream"),
                            version: try row.int("version"),
                            hash: try row.bytes("hash")
                        )
                    }
                )
            }
        }
    }

    private static let streamHeadsQuery = """
        select h.stream, l.version, l.hash from migrate.stream h cross join lateral (
            select c.version, c.hash from migrate.commit c join migrate.seal s on s.id = c.id
            where c.stream = h.stream and s.n <= $1::bigint order by c.version desc limit 1
        ) l
        """

    /// The number of a version of the keys in the order; nil before it has one.
    package func place(ofKeys version: Int64) async throws -> Int64? {
        try await guarded { try await pool.run { try Self.place(ofKeys: version, $0) } }
    }

    private static func place(ofKeys version: Int64, _ connection: isolated PostgresConnection) throws -> Int64? {
        try connection.query(
            """
            select s.n from migrate.commit c join migrate.seal s on s.id = c.id
            where c.stream = $1::text and c.version = $2::bigint
            """,
            [.text(TrustHistory.stream), .int(version)]
        ).first?.int("n")
    }

    /// The checkpoints of the log from a size on, in the order of their sizes, as they stand there.
    ///
    /// - Parameters:
    ///   - last: up to this size; nil without end.
    ///   - limit: at most so many; nil for all.
    package func checkpoints(
        from size: Int64 = 0,
        upTo last: Int64? = nil,
        limit: Int64? = nil
    ) async throws -> [(size: Int64, note: String)] {
        try await guarded {
            try await pool.run { connection in
                try connection.query(
                    """
                    select n, note from migrate.checkpoint where n >= $1::bigint and n <= coalesce($2::bigint, n)
                    order by n limit $3::bigint
                    """,
                    [.int(size), .int(last), .int(limit)]
                ).rows.map { (try $0.int("n"), try $0.text("note")) }
            }
        }
    }

    /// The size of the largest one; 0 where there is none.
    ///
    /// - Parameter size: of those up to this size.
    package func largestCheckpoint(upTo size: Int64 = .max) async throws -> Int64 {
        try await guarded {
            try await pool.run { connection in
                try connection.query(
                    "select coalesce(max(n), 0) as n from migrate.checkpoint where n <= $1::bigint",
                    [.int(size)]
                ).first?.int("n") ?? 0
            }
        }
    }

    /// The newest one.
    package func latestCheckpoint() async throws -> String? {
        try await guarded {
            try await pool.run { connection in
                try connection.query("select note from migrate.checkpoint order by n desc limit 1").first?.text("note")
            }
        }
    }

    /// Why the log is not the one that a checkpoint was made of; nil when its order begins as that one was.
    package func flaw(of checkpoint: Checkpoint) async throws -> String? {
        let origins = try await incarnations().all.map { Checkpoint.origin(of: $0.id) }
        guard origins.contains(checkpoint.origin) else {
            return "it is of \(checkpoint.origin), which this log never was"
        }
        let head = try await orderHead()
        guard checkpoint.size <= head.size else {
            return "it says \(checkpoint.size) commits, and the order of this log has \(head.size): its end was cut off"
        }
        let proof = try await prover(size: head.size).consistency(with: checkpoint.size)
        let holds = MerkleTree.verify(
            consistencyOf: checkpoint.size,
            root: checkpoint.root,
            with: head.size,
            root: head.root,
            proof: proof
        )
        return holds
            ? nil : "the first \(checkpoint.size) commits of this log’s order are not those that it was made of"
    }
}
