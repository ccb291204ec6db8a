/// The last commit of each stream of an order, as a tree of its own: a checkpoint says its root, so that whoever is shown one stream sees whether its end was left out.
///
/// Its leaves are the streams in the order of their names' bytes; leaf and nodes are hashed as in the tree over the order (``MerkleTree``).
package struct StreamHeads: Sendable {
    package struct Head: Hashable, Sendable {
        package var stream: String
        package var version: Int64
        package var hash: [UInt8]

        package init(stream: String, version: Int64, hash: [UInt8]) {
            self.stream = stream
            self.version = version
            self.hash = hash
        }

        /// SHA-256 over 0x00, a tag, and the fields, each after its length in eight bytes, big-endian.
        var leaf: [UInt8] {
            let fields = [Array(stream.utf8), CommitHash.bytes(version), hash]
            return MerkleTree.leaf(
                fields.reduce(Array("migrate/head/1".utf8)) { $0 + CommitHash.bytes(Int64($1.count)) + $1 }
            )
        }
    }

    /// How many there are, and the root of the tree over them: what a checkpoint says.
    package struct Root: Hashable, Sendable {
        package var count: Int64
        package var hash: [UInt8]

        /// Whether a proof shows that a stream ends with a commit.
        func has(_ head: Head, at index: Int64, _ proof: [[UInt8]]) -> Bool {
            MerkleTree.verify(inclusionOf: head.leaf, at: index, size: count, proof: proof, root: hash)
        }
    }

    private let heads: [Head]

    package init(_ heads: some Sequence<Head>) {
        self.heads = heads.sorted { $0.stream.utf8.lexicographicallyPrecedes($1.stream.utf8) }
    }

    package var root: Root {
        var frontier = MerkleFrontier()
        for head in heads { frontier.add(head.leaf) }
        return Root(count: frontier.size, hash: frontier.root)
    }

    /// A stream's place in the tree, from 0, and the path from it to the root; nil for one that is not there.
    package func place(of stream: String) async throws -> (index: Int64, proof: [[UInt8]])? {
        guard let index = heads.firstIndex(where: { $0.stream == stream }) else { return nil }
        let heads = heads
        let prover = MerkleProver(size: Int64(heads.count)) { level, index in
            var frontier = MerkleFrontier()
            for head in heads[Int(index) << level..<(Int(index) + 1) << level] { frontier.add(head.leaf) }
            return frontier.root
        }
        return (Int64(index), try await prover.inclusion(of: Int64(index)))
    }
}
