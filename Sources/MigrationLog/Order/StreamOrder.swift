/// Takes the numbers that a stream's commits have in the order: rising, and none missing before the end.
///
/// Rows are read page by page while others are given numbers: only those count that the order had when the reading began.
struct StreamOrder {
    private let size: Int64
    /// The last commit that has one.
    private(set) var last: (version: Int64, n: Int64, leaf: [UInt8])?
    /// The highest number that any of its commits has.
    private(set) var highest: Int64 = 0
    private var unsealed: Int64?

    /// - Parameter size: of the order, read before the first row.
    init(size: Int64) { self.size = size }

    /// - Throws: a ``Replay/Divergence`` for the first commit whose place is wrong.
    mutating func admit(_ row: CommitRow) throws {
        highest = max(highest, row.seal?.n ?? 0)
        guard let seal = row.seal, seal.n <= size else {
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
