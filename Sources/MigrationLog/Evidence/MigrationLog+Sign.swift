import MigrationCore
import Postgres

extension MigrationLog {
    /// How often a checkpoint is made anew while the order goes on.
    private static let signings = 3

    /// Signs where the order stands, and keeps that beside it: what was read of it, each commit by its bytes, and nothing that only stands there.
    ///
    /// - Parameters:
    ///   - key: the signer's. What it has signed before is read on from.
    ///   - order: what was read before, and is read on.
    /// - Returns: the checkpoint; nil when nothing has been sealed since the last, and before the key itself has its place in the order.
    /// - Throws: a ``LogError/Code/damaged`` when the key is not one that may sign checkpoints, or the order or its tree does not hold.
    package func sign(with key: SigningKey, reading order: inout OrderReading) async throws -> Checkpoint? {
        for _ in 0..<Self.signings {
            guard let own = try await trustHistory().latest.key(key.publicKey.id), own.has(.checkpoint) else {
                throw LogError(
                    .damaged,
                    "key \(key.publicKey.id) is not one that may sign checkpoints of this log",
                    mend: "add it: migrate keys add --role checkpoint"
                )
            }
            let head = try await orderHead()
            // What it vouches for has to show who it is.
            guard head.size > 0, let place = try await place(ofKeys: own.addedAt), place <= head.size else {
                return nil
            }
            try await readOn(&order, to: head, by: key)
            let incarnations = try await incarnations()
            guard let log = incarnations.id(of: incarnations.newest) else { return nil }
            var checkpoint = Checkpoint(log: log, head: head, streams: order.streams())
            try checkpoint.sign(with: key)
            if try await keep(checkpoint) { return checkpoint }
            if try await orderHead().size == head.size { return nil }
        }
        return nil
    }

    /// The same by whoever has read nothing before.
    package func sign(with key: SigningKey) async throws -> Checkpoint? {
        var order = OrderReading()
        return try await sign(with: key, reading: &order)
    }

    private func readOn(_ order: inout OrderReading, to head: OrderHead, by key: SigningKey) async throws {
        if order.size == 0 || order.size > head.size { order = try await signed(by: key, upTo: head.size) }
        do {
            try await order.readOn(in: self, upTo: head.size)
            if order.root == head.root { return }
        } catch let error as LogError where error.code == .damaged {
            // Where it begins as it was read, what comes after that does not hold; or else the order has gone another way since.
            if try await prover(size: order.size).root() == order.root { throw error }
        }
        order = OrderReading()
        try await order.readOn(in: self, upTo: head.size)
        guard order.root == head.root else {
            throw LogError(
                .damaged,
                "the head of the tree over the order is not the one that its leaves make up",
                mend: "find out who changed it: migrate replay --all"
            )
        }
    }

    /// The order as a key's own newest checkpoint has it; nothing where there is none.
    private func signed(by key: SigningKey, upTo size: Int64) async throws -> OrderReading {
        let largest = try await largestCheckpoint(upTo: size)
        guard let row = try await checkpoints(from: largest, upTo: largest).first,
            let checkpoint = try? Checkpoint(note: row.note), checkpoint.size == largest,
            checkpoint.isSigned(by: key.publicKey),
            try await incarnations().all.contains(where: { Checkpoint.origin(of: $0.id) == checkpoint.origin })
        else { return OrderReading() }
        return try await OrderReading(signed: checkpoint, in: self) ?? OrderReading()
    }

    /// - Returns: false where the order has gone on, or somebody has kept one of this size before.
    private func keep(_ checkpoint: Checkpoint) async throws -> Bool {
        let (isKept, other) = try await guarded {
            try await pool.run { connection -> (Bool, String?) in
                let row = try connection.query(
                    "select migrate.keep_checkpoint($1::bigint, $2::bytea, $3::text) as is_kept",
                    [.int(checkpoint.size), .bytes(checkpoint.root), .text(checkpoint.note)]
                ).first
                if try row?.bool("is_kept") ?? false { return (true, nil) }
                let other = try connection.query(
                    "select note from migrate.checkpoint where n = $1::bigint",
                    [.int(checkpoint.size)]
                ).first?.text("note")
                return (false, other)
            }
        }
        guard !isKept, let other else { return isKept }
        // Whoever has kept one of this size may have been somebody who has no key.
        let trust = try await trustHistory()
        guard let kept = try? Checkpoint(note: other), trust.signer(of: kept) != nil else {
            throw LogError(
                .damaged,
                "what is kept as the checkpoint of \(checkpoint.size) commits is not signed by a key of the log",
                mend: "find out who may append: the next one is signed when there are more commits"
            )
        }
        return false
    }
}
