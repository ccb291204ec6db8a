import Crypto

/// The hashes of RFC 6962's tree, and the checks of its proofs (RFC 9162, 2.1; the two have the same tree).
package enum MerkleTree {
    /// The root of a tree without leaves.
    package static let empty = Array(SHA256.hash(data: [UInt8]()))

    /// The leaf of an entry: SHA-256(0x00 ‖ entry).
    package static func leaf(_ entry: some Sequence<UInt8>) -> [UInt8] { hash([0] + entry) }

    /// The node over two: SHA-256(0x01 ‖ left ‖ right).
    package static func node(_ left: [UInt8], _ right: [UInt8]) -> [UInt8] { hash([1] + left + right) }

    private static func hash(_ bytes: [UInt8]) -> [UInt8] { Array(SHA256.hash(data: bytes)) }

    /// The root over perfect subtrees, the largest first, such as 8, 4 and 1 leaves.
    package static func root(of frontier: [[UInt8]]) -> [UInt8] {
        guard var root = frontier.last else { return empty }
        for left in frontier.dropLast().reversed() { root = node(left, root) }
        return root
    }

    /// Whether a proof shows that a leaf stands at an index of the tree of a size with that root (RFC 9162, 2.1.3.2).
    package static func verify(inclusionOf leaf: [UInt8], at index: Int64, size: Int64, proof: [[UInt8]], root: [UInt8])
        -> Bool
    {
        guard index >= 0, index < size else { return false }
        var (place, last) = (index, size - 1)
        var hash = leaf
        for step in proof {
            guard last > 0 else { return false }
            if place & 1 == 1 || place == last {
                hash = node(step, hash)
                while place & 1 == 0, place != 0 { (place, last) = (place >> 1, last >> 1) }
            } else {
                hash = node(hash, step)
            }
            (place, last) = (place >> 1, last >> 1)
        }
        return last == 0 && hash == root
    }

    /// Whether a proof shows that the tree of the first size is the beginning of that of the second (RFC 9162, 2.1.4.2).
    package static func verify(
        consistencyOf first: Int64,
        root firstRoot: [UInt8],
        with second: Int64,
        root secondRoot: [UInt8],
        proof: [[UInt8]]
    ) -> Bool {
        guard first >= 0, first <= second else { return false }
        if first == second { return proof.isEmpty && firstRoot == secondRoot }
        if first == 0 { return proof.isEmpty && firstRoot == empty }
        // Where the first tree is perfect, its root is the path's beginning, which the proof leaves out.
        var path = (first & (first - 1) == 0 ? [firstRoot] : []) + proof
        guard !path.isEmpty else { return false }
        var (place, last) = (first - 1, second - 1)
        while place & 1 == 1 { (place, last) = (place >> 1, last >> 1) }
        var old = path.removeFirst()
        var new = old
        for step in path {
            guard last > 0 else { return false }
            if place & 1 == 1 || place == last {
                old = node(step, old)
                new = node(step, new)
                while place & 1 == 0, place != 0 { (place, last) = (place >> 1, last >> 1) }
            } else {
                new = node(new, step)
            }
            (place, last) = (place >> 1, last >> 1)
        }
        return last == 0 && old == firstRoot && new == secondRoot
    }
}

/// The tree's head as leaves come one by one: the roots of the perfect subtrees that they make up.
package struct MerkleFrontier: Hashable, Sendable {
    package private(set) var size: Int64 = 0
    /// The largest first.
    package private(set) var roots: [[UInt8]] = []

    package init() {}

    /// - Parameter roots: of the perfect subtrees of so many leaves.
    init(size: Int64, roots: [[UInt8]]) {
        self.size = size
        self.roots = roots
    }

    package var root: [UInt8] { MerkleTree.root(of: roots) }

    /// Adds a leaf.
    ///
    /// - Parameter whole: sees every subtree that it made whole: its level (0 for one leaf) and its index at that level.
    package mutating func add(_ leaf: [UInt8], whole: (Int, Int64, [UInt8]) -> Void = { _, _, _ in }) {
        size += 1
        var (node, level, rest) = (leaf, 0, size)
        whole(0, size - 1, leaf)
        while rest & 1 == 0, let left = roots.popLast() {
            node = MerkleTree.node(left, node)
            (level, rest) = (level + 1, rest >> 1)
            whole(level, rest - 1, node)
        }
        roots.append(node)
    }
}

/// Makes the proofs of a tree from the roots of its perfect subtrees (RFC 9162, 2.1.3.1 and 2.1.4.1).
package struct MerkleProver: Sendable {
    /// How many leaves the tree has.
    let size: Int64
    /// The root of the perfect subtree of 2^level leaves at an index of that level.
    let subtree: @Sendable (_ level: Int, _ index: Int64) async throws -> [UInt8]

    package init(size: Int64, subtree: @escaping @Sendable (_ level: Int, _ index: Int64) async throws -> [UInt8]) {
        self.size = size
        self.subtree = subtree
    }

    package func root() async throws -> [UInt8] {
        size == 0 ? MerkleTree.empty : try await root(from: 0, count: size)
    }

    /// The path from a leaf to the root; `index` counts from 0 and is less than ``size``.
    package func inclusion(of index: Int64) async throws -> [[UInt8]] {
        try await path(of: index, from: 0, count: size)
    }

    /// What shows that the tree of a smaller size is the beginning of this one.
    package func consistency(with first: Int64) async throws -> [[UInt8]] {
        first <= 0 || first >= size ? [] : try await subproof(first, from: 0, count: size, isWhole: true)
    }

    private func path(of index: Int64, from start: Int64, count: Int64) async throws -> [[UInt8]] {
        guard count > 1 else { return [] }
        let left = Self.split(count)
        return index < left
            ? try await path(of: index, from: start, count: left) + [root(from: start + left, count: count - left)]
            : try await path(of: index - left, from: start + left, count: count - left) + [
                root(from: start, count: left)
            ]
    }

    private func subproof(_ first: Int64, from start: Int64, count: Int64, isWhole: Bool) async throws -> [[UInt8]] {
        if first == count { return isWhole ? [] : [try await root(from: start, count: count)] }
        let left = Self.split(count)
        return first <= left
            ? try await subproof(first, from: start, count: left, isWhole: isWhole)
                + [root(from: start + left, count: count - left)]
            : try await subproof(first - left, from: start + left, count: count - left, isWhole: false)
                + [root(from: start, count: left)]
    }

    private func root(from start: Int64, count: Int64) async throws -> [UInt8] {
        if count & (count - 1) == 0 {
            let level = count.trailingZeroBitCount
            return try await subtree(level, start >> Int64(level))
        }
        let left = Self.split(count)
        return MerkleTree.node(
            try await root(from: start, count: left),
            try await root(from: start + left, count: count - left)
        )
    }

    /// The largest power of two that is less than a count of two or more.
    private static func split(_ count: Int64) -> Int64 { 1 << Int64(63 - (count - 1).leadingZeroBitCount) }
}
