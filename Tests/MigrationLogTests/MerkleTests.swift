import MigrationLog
import Testing

/// The vectors of Certificate Transparency's own tests (merkle_tree_test.cc of google/certificate-transparency).
@Suite("The tree over the order")
struct MerkleTests {
    private static let entries = [
        "", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f",
    ]
    private static let roots = [
        "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
        "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
        "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
        "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
        "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
        "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
        "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
    ]
    private static let a = "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7"
    private static let b = "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e"
    private static let c = "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4"
    private static let d = "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b"
    private static let e = "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0"
    private static let f = "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a"

    private func bytes(_ text: String) throws -> [UInt8] { try #require(Hex.bytes(text)) }

    private func leaves() throws -> [[UInt8]] { try Self.entries.map { MerkleTree.leaf(try bytes($0)) } }

    /// A prover over leaves in memory.
    private func prover(_ leaves: [[UInt8]]) -> MerkleProver {
        MerkleProver(size: Int64(leaves.count)) { level, index in
            var row = Array(leaves[Int(index) << level..<(Int(index) + 1) << level])
            while row.count > 1 {
                row = stride(from: 0, to: row.count, by: 2).map { MerkleTree.node(row[$0], row[$0 + 1]) }
            }
            return row[0]
        }
    }

    @Test("has the published roots, leaf by leaf and at once")
    func publishedRoots() async throws {
        var frontier = MerkleFrontier()
        #expect(Hex.text(frontier.root) == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855")
        for (index, leaf) in try leaves().enumerated() {
            frontier.add(leaf)
            #expect(Hex.text(frontier.root) == Self.roots[index])
            #expect(Hex.text(try await prover(Array(leaves().prefix(index + 1))).root()) == Self.roots[index])
        }
    }

    @Test(
        "has the published inclusion proofs",
        arguments: [
            (0, 1, []), (0, 8, [a, b, c]), (5, 8, [d, e, roots[3]]), (2, 3, [roots[1]]), (1, 5, [roots[0], b, d]),
        ] as [(Int64, Int, [String])]
    )
    func publishedInclusions(_ index: Int64, _ size: Int, _ path: [String]) async throws {
        #expect(try await prover(Array(leaves().prefix(size))).inclusion(of: index).map { Hex.text($0) } == path)
    }

    @Test(
        "has the published consistency proofs",
        arguments: [(1, 1, []), (1, 8, [a, b, c]), (6, 8, [f, e, roots[3]]), (2, 5, [b, d])] as [(Int64, Int, [String])]
    )
    func publishedConsistencies(_ first: Int64, _ size: Int, _ path: [String]) async throws {
        #expect(try await prover(Array(leaves().prefix(size))).consistency(with: first).map { Hex.text($0) } == path)
    }

    @Test("has the paths of RFC 6962's own example of seven leaves (2.1.3), by its names of the nodes")
    func example() async throws {
        let leaves = try Array(leaves().prefix(7))
        var nodes = Dictionary(uniqueKeysWithValues: zip(["a", "b", "c", "d", "e", "f", "j"], leaves))
        for (name, left, right) in [
            ("g", "a", "b"), ("h", "c", "d"), ("i", "e", "f"), ("k", "g", "h"), ("l", "i", "j"),
        ] {
            nodes[name] = MerkleTree.node(try #require(nodes[left]), try #require(nodes[right]))
        }
        let prover = prover(leaves)
        func names(_ path: [[UInt8]]) -> [String] {
            path.map { hash in nodes.first { $0.value == hash }?.key ?? Hex.text(hash) }
        }
        for (index, path) in [0: ["b", "h", "l"], 3: ["c", "g", "l"], 4: ["f", "j", "k"], 6: ["i", "k"]] {
            #expect(try await names(prover.inclusion(of: Int64(index))) == path)
        }
        for (size, path) in [3: ["c", "d", "g", "l"], 4: ["l"], 6: ["i", "j", "k"]] {
            #expect(try await names(prover.consistency(with: Int64(size))) == path)
        }
    }

    @Test("every proof of every tree up to 40 leaves is taken, and none that was changed")
    func proofs() async throws {
        let leaves = (0..<40).map { MerkleTree.leaf([UInt8($0)]) }
        var frontier = MerkleFrontier()
        var roots = [frontier.root]
        for leaf in leaves {
            frontier.add(leaf)
            roots.append(frontier.root)
        }
        var wrong: [String] = []
        for size in 1...40 {
            let prover = prover(Array(leaves.prefix(size)))
            for index in 0..<size {
                let proof = try await prover.inclusion(of: Int64(index))
                func takes(_ leaf: [UInt8], _ place: Int, _ proof: [[UInt8]]) -> Bool {
                    MerkleTree.verify(
                        inclusionOf: leaf,
                        at: Int64(place),
                        size: Int64(size),
                        proof: proof,
                        root: roots[size]
                    )
                }
                if !takes(leaves[index], index, proof) { wrong.append("inclusion \(index) in \(size) is refused") }
                let isWrongTaken =
                    takes(leaves[(index + 1) % 40], index, proof) || takes(leaves[index], index, proof + [roots[0]])
                    || takes(leaves[index], size, proof)
                    || size > 1 && takes(leaves[index], index, Array(proof.dropLast()))
                    || size > 1 && takes(leaves[index], (index + 1) % size, proof)
                if isWrongTaken { wrong.append("a wrong inclusion of \(index) in \(size) is taken") }
            }
            for first in 0...size {
                let proof = try await prover.consistency(with: Int64(first))
                func takes(_ root: [UInt8], _ proof: [[UInt8]]) -> Bool {
                    MerkleTree.verify(
                        consistencyOf: Int64(first),
                        root: root,
                        with: Int64(size),
                        root: roots[size],
                        proof: proof
                    )
                }
                if !takes(roots[first], proof) { wrong.append("consistency \(first) with \(size) is refused") }
                let isWrongTaken = takes(roots[(first + 1) % 41], proof) || takes(roots[first], proof + [roots[0]])
                if isWrongTaken { wrong.append("a wrong consistency of \(first) with \(size) is taken") }
            }
        }
        #expect(wrong.isEmpty, "\(wrong)")
    }

    @Test("the tree over the streams' last commits is the same tree, however it came about, and shows each of them")
    func streams() throws {
        var heads = StreamHeads()
        let empty = heads.root(), nowhere = heads.place(of: "m")
        #expect(empty.count == 0 && empty.hash == MerkleTree.empty && nowhere == nil)
        // Names in an order that is not theirs, and another last commit now and then.
        for turn in 0..<60 as Range<Int64> {
            let name = "m\(turn * 7 % 40)"
            heads.set(StreamHeads.Head(stream: name, version: turn + 1, hash: MerkleTree.leaf([UInt8(turn)])))
            let leaves = heads.all.sorted { Array($0.stream.utf8).lexicographicallyPrecedes(Array($1.stream.utf8)) }
            var frontier = MerkleFrontier()
            for head in leaves { frontier.add(head.leaf) }
            let root = heads.root()
            #expect(root.count == frontier.size && root.hash == frontier.root)
            for head in leaves {
                let place = heads.place(of: head.stream)
                let (index, proof) = try #require(place)
                #expect(root.has(head, at: index, proof))
                var other = head
                other.version -= 1
                #expect(!root.has(other, at: index, proof))
            }
        }
        #expect(heads.all.count == 40 && heads["m0"]?.version == 41)
    }
}
