/// The last commit of each stream of an order, as a tree of its own: a checkpoint says its root, so that whoever is shown one stream sees whether its end was left out.
///
/// Its leaves are the streams in the order of their names' bytes; leaves and nodes are hashed as in the tree over the order (``MerkleTree``).
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
        package var leaf: [UInt8] {
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
        package func has(_ head: Head, at index: Int64, _ proof: [[UInt8]]) -> Bool {
            MerkleTree.verify(inclusionOf: head.leaf, at: index, size: count, proof: proof, root: hash)
        }
    }

    /// By their names' bytes.
    private var heads: [Head]
    /// The tree from its leaves to its root; of an odd number the last goes up as it is, which makes RFC 6962's tree. Empty until somebody asks after a stream has come.
    private var levels: [[[UInt8]]] = []
    /// The leaves that have changed since.
    private var changed: Set<Int> = []

    package init(_ heads: some Sequence<Head> = []) {
        self.heads = heads.sorted { Self.precedes($0.stream, $1.stream) }
    }

    private static func precedes(_ name: String, _ other: String) -> Bool {
        name.utf8.lexicographicallyPrecedes(other.utf8)
    }

    /// The last commits, in the order of their streams' names.
    package var all: [Head] { heads }

    /// The last commit of a stream.
    package subscript(stream: String) -> Head? {
        let index = index(of: stream)
        return has(stream, at: index) ? heads[index] : nil
    }

    /// Takes another commit as the last one of its stream.
    package mutating func set(_ head: Head) {
        let index = index(of: head.stream)
        guard has(head.stream, at: index) else {
            heads.insert(head, at: index)
            levels = []
            changed = []
            return
        }
        heads[index] = head
        if !levels.isEmpty { changed.insert(index) }
    }

    package mutating func root() -> Root {
        grow()
        return Root(count: Int64(heads.count), hash: levels.last?.first ?? MerkleTree.empty)
    }

    /// A stream's place in the tree, from 0, and the path from it to the root; nil for one that is not there.
    package mutating func place(of stream: String) -> (index: Int64, proof: [[UInt8]])? {
        let index = index(of: stream)
        guard has(stream, at: index) else { return nil }
        grow()
        var (place, proof) = (index, [[UInt8]]())
        for level in levels.dropLast() {
            if place ^ 1 < level.count { proof.append(level[place ^ 1]) }
            place /= 2
        }
        return (Int64(index), proof)
    }

    private mutating func grow() {
        for index in changed {
            levels[0][index] = heads[index].leaf
            var place = index
            for level in levels.indices.dropFirst() {
                place /= 2
                levels[level][place] = Self.node(over: levels[level - 1], at: place)
            }
        }
        changed = []
        guard levels.isEmpty, !heads.isEmpty else { return }
        levels = [heads.map(\.leaf)]
        while let last = levels.last, last.count > 1 {
            levels.append((0..<(last.count + 1) / 2).map { Self.node(over: last, at: $0) })
        }
    }

    private static func node(over level: [[UInt8]], at place: Int) -> [UInt8] {
        let left = level[place * 2]
        return place * 2 + 1 < level.count ? MerkleTree.node(left, level[place * 2 + 1]) : left
    }

    /// Names are the same by their bytes, as the database has them.
    private func has(_ stream: String, at index: Int) -> Bool {
        index < heads.count && heads[index].stream.utf8.elementsEqual(stream.utf8)
    }

    /// Where a stream is, or would be.
    private func index(of stream: String) -> Int {
        var (low, high) = (0, heads.count)
        while low < high {
            let middle = (low + high) / 2
            if Self.precedes(heads[middle].stream, stream) { low = middle + 1 } else { high = middle }
        }
        return low
    }
}
