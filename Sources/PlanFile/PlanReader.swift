package import MigrationCore
package import Yams

/// Reads a plan out of YAML's nodes, and collects everything that is wrong on the way.
package struct PlanReader {
    package var problems: [PlanError.Problem] = []

    package init() {}

    /// The keys of a mapping that may be there, by name; every other key is a problem.
    package mutating func mapping(_ node: Node?, _ what: String, keys: [String]?, required: [String] = []) -> [(
        String, Node, Node
    )] {
        guard let node else { return [] }
        guard case .mapping(let mapping) = node else {
            report(node, "\(what) is a mapping: keys and values")
            return []
        }
        var pairs: [(String, Node, Node)] = []
        for (key, value) in mapping {
            guard case .scalar(let scalar) = key else {
                report(key, "a key of \(what) is a word")
                continue
            }
            if let keys, !keys.contains(scalar.string) {
                report(key, "\(what) has no key “\(scalar.string)”", Suggestion.mend(scalar.string, among: keys))
            } else {
                pairs.append((scalar.string, key, value))
            }
        }
        for name in required where !pairs.contains(where: { $0.0 == name }) {
            report(node, "\(what) lacks “\(name)”", "add: \(name): …")
        }
        return pairs
    }

    package mutating func sequence(_ node: Node, _ what: String, largest: Int) -> [Node] {
        guard case .sequence(let sequence) = node else {
            report(node, "\(what) is a list")
            return []
        }
        if sequence.isEmpty { report(node, "\(what) is empty", "give at least one") }
        if sequence.count > largest { report(node, "\(what) has more than \(largest) entries") }
        return Array(sequence.prefix(largest))
    }

    /// - Parameter longest: how many bytes it may have.
    package mutating func text(_ node: Node, _ what: String, longest: Int = 1_000) -> String? {
        guard case .scalar(let scalar) = node, !scalar.string.isEmpty else {
            report(node, "\(what) is a text")
            return nil
        }
        guard scalar.string.utf8.count <= longest else {
            report(node, "\(what) is too long")
            return nil
        }
        guard !scalar.string.utf8.contains(0) else {
            report(node, "\(what) has a zero byte")
            return nil
        }
        return scalar.string
    }

    /// A name that may stand in a URL, a file name and a command line.
    package mutating func name(_ node: Node, _ what: String) -> String? {
        guard let text = text(node, what) else { return nil }
        let isName =
            text.count <= 63 && text.allSatisfy { $0.isASCII && ($0.isLetter || $0.isNumber || "-_.".contains($0)) }
            && (text.first?.isLetter ?? false)
        guard isName else {
            report(
                node,
                "“\(text.prefix(40))” is not a name for \(what)",
                "use up to 63 letters, digits, “-”, “_” and “.”, a letter first"
            )
            return nil
        }
        return text
    }

    package mutating func duration(_ node: Node, _ what: String, atLeast least: TimeSpan = .milliseconds(1))
        -> TimeSpan?
    {
        guard let text = text(node, what) else { return nil }
        do {
            let span = try Quantity.duration(text)
            guard span >= least else {
                report(node, "\(what) is at least \(least)")
                return nil
            }
            return span
        } catch {
            report(node, "\(what): \(error.message)", error.mend)
            return nil
        }
    }

    package mutating func weight(_ node: Node, _ what: String) -> Weight? {
        guard let text = text(node, what) else { return nil }
        do {
            return try Quantity.weight(text)
        } catch {
            report(node, "\(what): \(error.message)", error.mend)
            return nil
        }
    }

    package mutating func count(_ node: Node, _ what: String, _ range: ClosedRange<Int>) -> Int? {
        guard let text = text(node, what) else { return nil }
        guard let count = Int(text), range.contains(count) else {
            report(node, "\(what) is a whole number between \(range.lowerBound) and \(range.upperBound)")
            return nil
        }
        return count
    }

    package mutating func report(_ node: Node, _ message: String, _ mend: String? = nil, offset: Int = 0) {
        problems.append(
            PlanError.Problem(
                line: node.mark?.line,
                column: node.mark.map { $0.column + offset },
                message: message,
                mend: mend
            )
        )
    }
}
