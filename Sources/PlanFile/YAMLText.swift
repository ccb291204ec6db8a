package import Yams

/// Turns YAML's text into nodes with places, under limits that keep hostile text harmless.
package enum YAMLText {
    package static let largest = 256 * 1024
    package static let deepest = 32

    /// - Throws: the first thing that makes the text none that is read here.
    package static func compose(_ text: String) throws(PlanError.Problem) -> Node {
        guard text.utf8.count <= largest else {
            throw PlanError.Problem(message: "the file is larger than \(largest / 1024) KiB")
        }
        try refuseReferences(text)
        let root: Node?
        do {
            root = try Yams.compose(yaml: text, .default, .default, .utf8)
        } catch {
            throw problem(error)
        }
        guard let root else { throw PlanError.Problem(line: 1, column: 1, message: "the file is empty") }
        try requireDepth(root, 1)
        return root
    }

    private static func requireDepth(_ node: Node, _ depth: Int) throws(PlanError.Problem) {
        guard depth <= deepest else { throw tooDeep(node.mark?.line, node.mark?.column) }
        switch node {
        case .scalar, .alias: return
        case .sequence(let sequence): for child in sequence { try requireDepth(child, depth + 1) }
        case .mapping(let mapping):
            for (key, value) in mapping {
                try requireDepth(key, depth + 1)
                try requireDepth(value, depth + 1)
            }
        }
    }

    private static func tooDeep(_ line: Int?, _ column: Int?) -> PlanError.Problem {
        PlanError.Problem(line: line, column: column, message: "the file is nested more than \(deepest) deep")
    }

    /// Refuses anchors and aliases, and nesting that would exhaust the stack, before the parser sees them.
    private static func refuseReferences(_ text: String) throws(PlanError.Problem) {
        var quote: Character?
        var brackets = 0
        for (number, line) in text.split(separator: "\n", omittingEmptySubsequences: false).enumerated() {
            var before: Character = " "
            var isEscaped = false
            var openings = 0
            let characters = Array(line)
            for (column, character) in characters.enumerated() {
                let next = column + 1 < characters.count ? characters[column + 1] : " "
                if let open = quote {
                    if isEscaped {
                        isEscaped = false
                    } else if open == "\"", character == "\\" {
                        isEscaped = true
                    } else if character == open {
                        quote = nil
                    }
                } else {
                    let begins = " \t[{,".contains(before)
                    if character == "#", before == " " || before == "\t" || column == 0 { break }
                    switch character {
                    case "\"", "'": if begins { quote = character }
                    case "&", "*":
                        if begins, !next.isWhitespace {
                            throw PlanError.Problem(
                                line: number + 1,
                                column: column + 1,
                                message: "a plan has no anchors and aliases",
                                mend: "write the value out, or put it in quotes"
                            )
                        }
                    case "[", "{": if begins { brackets += 1 }
                    case "]", "}": brackets = max(0, brackets - 1)
                    case "-", "?": if begins, next == " " { openings += 1 }
                    default: break
                    }
                }
                if brackets > deepest || openings > deepest { throw tooDeep(number + 1, column + 1) }
                before = character
            }
        }
    }

    private static func problem(_ error: any Error) -> PlanError.Problem {
        switch error {
        case YamlError.scanner(_, let problem, let mark, _), YamlError.parser(_, let problem, let mark, _),
            YamlError.composer(_, let problem, let mark, _):
            PlanError.Problem(line: mark.line, column: mark.column, message: "this is not YAML: \(problem)")
        case YamlError.duplicatedKeysInMapping(let duplicates, let context):
            PlanError.Problem(
                line: context.mark.line,
                column: context.mark.column,
                message: "the key “\(duplicates.first ?? "")” stands here twice",
                mend: "keep one of the two"
            )
        case YamlError.reader(let problem, _, _, _): PlanError.Problem(message: "this is not text: \(problem)")
        default: PlanError.Problem(message: "this is not YAML: \(error)")
        }
    }
}

extension PlanError.Problem: Error {}
