/// Takes the numbers that a stream's commits have in the order: rising, and none missing before the end.
struct StreamOrder {
    /// The last commit that has one.
    private(set) var last: (version: Int64, n: Int64, leaf: [UInt8])?
    private var unsealed: Int64?

    /// - Throws: a ``Replay/Divergence`` for the first commit whose place is wrong.
    mutating func admit(_ row: CommitRow) throws {
        guard let seal = row.seal else {
            unsealed = unsealed ?? row.version
            return
        }
        if let unsealed {
            throw Replay.Divergence(unsealed, "it has no number in the order, and version \(row.version) after it has")
        }
        guard seal.n > last?.n ?? 0 else {
            throw Replay.Divergence(row.version, "it has number \(seal.n) in the order, before its predecessor’s")
        }
        guard seal.leaf == MerkleTree.leaf(row.hash) else {
            throw Replay.Divergence(row.version, "its leaf in the tree over the order is another commit’s")
        }
        last = (row.version, seal.n, seal.leaf)
    }
}
