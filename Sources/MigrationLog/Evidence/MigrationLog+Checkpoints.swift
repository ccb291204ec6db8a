import Foundation
import MigrationCore
import Postgres

extension MigrationLog {
    /// Signs where the order stands, and keeps that beside it: what was read of it, commit by commit, and nothing that only stands there.
    ///
    /// - Parameter order: what was read before, and is read on.
    /// - Returns: the checkpoint; nil when nothing has been sealed since the last, and before the key itself has its place in the order.
    /// - Throws: a ``LogError/Code/damaged`` when the key is not one that may sign checkpoints, or the order or its tree does not hold.
    package func sign(with key: SigningKey, reading order: inout OrderReading) async throws -> Checkpoint? {
        let trust = try await trustHistory()
        guard let own = trust.latest.key(key.publicKey.id), own.has(.checkpoint) else {
            throw LogError(
                .damaged,
                "key \(key.publicKey.id) is not one that may sign checkpoints of this log",
                mend: "add it: migrate keys add --role checkpoint"
            )
        }
        let head = try await orderHead()
        // What it vouches for has to show who it is.
        guard head.size > 0, let place = try await place(ofKeys: own.addedAt), place <= head.size else { return nil }
        if order.size > head.size { order = OrderReading() }
        try await order.readOn(in: self, upTo: head.size)
        if order.root != head.root {
            // The order may have gone another way since it was read.
            order = OrderReading()
            try await order.readOn(in: self, upTo: head.size)
        }
        guard order.root == head.root else {
            throw LogError(
                .damaged,
                "the head of the tree over the order is not the one that its leaves make up",
                mend: "find out who changed it: migrate replay --all"
            )
        }
        let incarnations = try await incarnations()
        guard let log = incarnations.id(of: incarnations.newest) else { return nil }
        var checkpoint = Checkpoint(log: log, head: head, streams: order.streams())
        try checkpoint.sign(with: key)
        let made = checkpoint
        return try await guarded {
            try await pool.run { connection in
                let row = try connection.query(
                    "select migrate.keep_checkpoint($1::bigint, $2::bytea, $3::text) as is_kept",
                    [.int(head.size), .bytes(head.root), .text(made.note)]
                ).first
                if try row?.bool("is_kept") ?? false { return made }
                // The order has gone on; or somebody has kept one of this size before, and may have been somebody who has no key.
                let other = try connection.query(
                    "select note from migrate.checkpoint where n = $1::bigint",
                    [.int(head.size)]
                ).first?.text("note")
                if let other, (try? Checkpoint(note: other)).map({ trust.signer(of: $0) == nil }) ?? true {
                    throw LogError(
                        .damaged,
                        "what is kept as the checkpoint of \(head.size) commits is not signed by a key of the log",
                        mend: "find out who may append: the next one is signed when there are more commits"
                    )
                }
                return nil
            }
        }
    }

    /// The same by whoever has read nothing before.
    package func sign(with key: SigningKey) async throws -> Checkpoint? {
        var order = OrderReading()
        return try await sign(with: key, reading: &order)
    }

    /// What shows that a stream and the keys ended where a checkpoint covers them; nil for one that does not say where.
    ///
    /// - Throws: a ``LogError/Code/damaged`` where they do not end as it says.
    package func heads(of stream: String, by checkpoint: Checkpoint) async throws -> LogBundle.Heads? {
        guard let root = checkpoint.streams else { return nil }
        var heads = try await guarded { try await pool.run { try Self.streamHeads(at: checkpoint.size, $0) } }
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

    private static func streamHeads(at size: Int64, _ connection: isolated PostgresConnection) throws -> StreamHeads {
        let rows = try connection.query(streamHeadsQuery, [.int(size)]).rows
        return StreamHeads(
            try rows.map { row in
                StreamHeads.Head(
                    stream: try row.text("stream"),
                    version: try row.int("version"),
                    hash: try row.bytes("hash")
                )
            }
        )
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
