import JSON

/// What a stub model says, as its name tells: `stub`, or `stub-` and a behaviour.
///
/// | name | what it does |
/// |---|---|
/// | `stub` | gives every line's draft |
/// | `stub-hallucinate` | puts a number, an employer, a degree or a skill into each that nobody has |
/// | `stub-500-2-x`, `stub-429-1-x`, … | fails so many times with this status, and then answers; `x` tells one series from another |
/// | `stub-quota` | the account's spend limit |
/// | `stub-truncated`, `stub-refusal` | stops too soon, or does not want to |
/// | `stub-garbage`, `stub-prose`, `stub-cut` | a stream that is none, an answer that is no JSON, a stream that ends in the middle |
/// | `stub-shapeless` | JSON that is not of the schema that it promised |
/// | `stub-stall` | begins, and says nothing more |
enum StubBehaviour: Equatable {
    case draft, hallucinate, quota, truncated, refusal, garbage, prose, cut, stall, shapeless
    case failing(status: Int, times: Int)

    init(model: String) {
        let parts = model.split(separator: "-").map(String.init)
        switch parts.count > 1 ? parts[1] : "" {
        case "hallucinate": self = .hallucinate
        case "quota": self = .quota
        case "truncated": self = .truncated
        case "refusal": self = .refusal
        case "garbage": self = .garbage
        case "prose": self = .prose
        case "cut": self = .cut
        case "stall": self = .stall
        case "shapeless": self = .shapeless
        case let status:
            if let status = Int(status), parts.count > 2, let times = Int(parts[2]) {
                self = .failing(status: status, times: times)
            } else {
                self = .draft
            }
        }
    }
}

enum StubAnswer {
    /// What a model without shame would add: each of it is nobody's.
    static let inventions = [
        ", saving 7319 hours", " at Zyxelon Corporation", " with a PhD in astrology", " using FortranML", ", by 83.7%",
        " as Vice President",
        " with quantum chromodynamics", ", winning the Golden Turnip award", " for $94M", ", doubling everything",
        " in COBOL and Haskell",
        " after an MBA from Harvard",
    ]

    /// The answer's text for a prompt of lines; of any other prompt an answer without lines.
    static func text(_ behaviour: StubBehaviour, prompt: String) -> String {
        if behaviour == .prose { return "Sure! Here is your résumé." }
        if behaviour == .shapeless { return #"{"lines":{"first":"Led everything"}}"# }
        let lines = (try? JSONValue(parsing: prompt))?["lines"]?.array ?? []
        let said = lines.enumerated().map { index, line -> JSONValue in
            var text = line["draft"]?.string ?? ""
            if behaviour == .hallucinate {
                let seed = (line["id"]?.string ?? "").utf8.reduce(index) { $0 &* 31 &+ Int($1) }
                text += inventions[(seed % inventions.count + inventions.count) % inventions.count]
            }
            return ["id": line["id"] ?? "", "text": .string(text)]
        }
        return JSONValue.object(["lines": .array(said)]).text
    }

    /// A text in pieces, as a model tells it.
    static func pieces(_ text: String) -> [String] {
        let characters = Array(text)
        return stride(from: 0, to: characters.count, by: 11).map {
            String(characters[$0..<min(characters.count, $0 + 11)])
        }
    }
}
