import MigrationCore

/// A breadth-first search through everything that can happen in a small world.
package struct Search: Sendable {
    package struct Report: Sendable {
        package var world: String
        /// Different worlds that were reached.
        package var states = 0
        /// Moves that were tried.
        package var moves = 0
        /// The longest shortest way to a world.
        package var depth = 0
        /// Worlds from which it was tried whether everything comes right once nothing goes wrong any more.
        package var livenessChecks = 0
        /// Whether every reachable world was seen, within the limits of the small world.
        package var isExhausted = false
        package var violation: Violation?
        /// The shortest way to it, as a story.
        package var story: [String] = []
    }

    private struct Node: Sendable {
        var world: World
        var index: Int32
    }

    private struct Found: Sendable {
        var world: World
        var fingerprint: UInt64
        var parent: Int32
        var move: Move
    }

    private struct Chunk: Sendable {
        var found: [Found] = []
        var moves = 0
        var liveness = 0
        var violation: (parent: Int32, move: Move?, violation: Violation)?
    }

    package let small: SmallWorld
    package let mutant: Mutant?
    /// No more worlds are looked at.
    package let most: Int
    /// Liveness is tried in one world of so many.
    package let livenessEvery: UInt64
    package let threads: Int

    package init(_ small: SmallWorld, mutant: Mutant? = nil, most: Int, livenessEvery: UInt64 = 64, threads: Int = 2) {
        self.small = small
        self.mutant = mutant
        self.most = most
        self.livenessEvery = livenessEvery
        self.threads = max(1, threads)
    }

    /// Searches until everything was seen, a world is not as it must be, or the bound is reached.
    ///
    /// - Parameter progress: told the number of worlds and the depth after every level.
    package func run(_ progress: @Sendable (Int, Int) -> Void = { _, _ in }) async -> Report {
        var report = Report(world: small.name)
        var seen: Set<UInt64> = []
        var parents: [Int32] = [], moves: [Move?] = []
        let start: World
        do {
            start = try World(small)
        } catch {
            report.violation = error
            return report
        }
        seen.insert(start.fingerprint)
        parents.append(-1)
        moves.append(nil)
        var level = [Node(world: start, index: 0)]
        while !level.isEmpty {
            let chunks = await expand(level, seen)
            level = []
            for chunk in chunks {
                report.moves += chunk.moves
                report.livenessChecks += chunk.liveness
                if let bad = chunk.violation, report.violation == nil {
                    report.violation = bad.violation
                    report.states = seen.count
                    report.story = story(to: bad.parent, bad.move, parents, moves)
                }
                for found in chunk.found where seen.insert(found.fingerprint).inserted {
                    level.append(Node(world: found.world, index: Int32(parents.count)))
                    parents.append(found.parent)
                    moves.append(found.move)
                }
            }
            if report.violation != nil { return report }
            if !level.isEmpty { report.depth += 1 }
            report.states = seen.count
            progress(seen.count, report.depth)
            if seen.count >= most { return report }
        }
        report.isExhausted = true
        return report
    }

    private func expand(_ level: [Node], _ seen: Set<UInt64>) async -> [Chunk] {
        let size = max(1, (level.count + threads * 4 - 1) / (threads * 4))
        return await withTaskGroup(of: (Int, Chunk).self) { group in
            for (number, first) in stride(from: 0, to: level.count, by: size).enumerated() {
                group.addTask { (number, expand(level[first..<min(first + size, level.count)], seen)) }
            }
            var chunks: [(Int, Chunk)] = []
            for await chunk in group { chunks.append(chunk) }
            return chunks.sorted { $0.0 < $1.0 }.map(\.1)
        }
    }

    private func expand(_ nodes: ArraySlice<Node>, _ seen: Set<UInt64>) -> Chunk {
        var chunk = Chunk()
        var fresh: Set<UInt64> = []
        for node in nodes {
            for move in node.world.moves(mutant) {
                chunk.moves += 1
                do {
                    guard let next = try node.world.after(move, mutant) else { continue }
                    let fingerprint = next.fingerprint
                    guard !seen.contains(fingerprint), fresh.insert(fingerprint).inserted else { continue }
                    if fingerprint % livenessEvery == 0 {
                        chunk.liveness += 1
                        try Liveness.check(next, mutant)
                    }
                    chunk.found.append(Found(world: next, fingerprint: fingerprint, parent: node.index, move: move))
                } catch {
                    chunk.violation = (node.index, move, error)
                    return chunk
                }
            }
        }
        return chunk
    }

    /// Plays the moves again from the beginning and tells each.
    private func story(to index: Int32, _ last: Move?, _ parents: [Int32], _ moves: [Move?]) -> [String] {
        var path = [last].compactMap(\.self)
        var node = index
        while node >= 0, let move = moves[Int(node)] {
            path.append(move)
            node = parents[Int(node)]
        }
        guard var world = try? World(small) else { return [] }
        var lines: [String] = []
        for move in path.reversed() {
            lines.append(Story.line(move, in: world))
            guard let next = try? world.after(move, mutant) else { break }
            world = next
        }
        return lines
    }
}
