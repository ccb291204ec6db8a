import JSON

/// What a stub model says, as its name tells: `stub`, or `stub-` and a behaviour.
///
/// | name | what it does |
/// |---|---|
/// | `stub` | gives every line's draft |
/// | `stub-reword` | says each in other words, and nothing more |
/// | `stub-hallucinate` | puts a number, an employer, a degree or a skill into each that nobody has |
/// | `stub-swap` | puts into each a number that another line has, and is true there; where there is none, what nobody has |
/// | `stub-500-2-x`, `stub-429-1-x`, … | fails so many times with this status, and then answers; `x` tells one series from another |
/// | `stub-quota` | the account's spend limit |
/// | `stub-truncated`, `stub-refusal` | stops too soon, or does not want to |
/// | `stub-garbage`, `stub-prose`, `stub-cut` | a stream that is none, an answer that is no JSON, a stream that ends in the middle |
/// | `stub-shapeless` | JSON that is not of the schema that it promised |
/// | `stub-stall` | begins, and says nothing more |
enum StubBehaviour: Equatable {
    case draft, reword, hallucinate, swap, quota, truncated, refusal, garbage, prose, cut, stall, shapeless
    case failing(status: Int, times: Int)

    init(model: String) {
        let parts = model.split(separator: "-").map(String.init)
        switch parts.count > 1 ? parts[1] : "" {
        case "reword": self = .reword
        case "hallucinate": self = .hallucinate
        case "swap": self = .swap
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
            let text = line["draft"]?.string ?? ""
            let seed = (line["id"]?.string ?? "").utf8.reduce(index) { $0 &* 31 &+ Int($1) }
            let invention = inventions[(seed % inventions.count + inventions.count) % inventions.count]
            let answer =
                switch behaviour {
                case .reword: reworded(text)
                case .hallucinate: text + invention
                case .swap: text + (borrowed(for: line, of: lines) ?? invention)
                default: text
                }
            return ["id": line["id"] ?? "", "text": .string(answer)]
        }
        return JSONValue.object(["lines": .array(said)]).text
    }

    /// What is the same in other words.
    private static let synonyms = [
        ("Led", "Headed"), ("Built", "Created"), ("Managed", "Directed"), ("Wrote", "Drafted"), ("every", "each"),
        ("across", "in"), ("full", "whole"), ("keep", "hold"), ("with", "along with"), ("and", "as well as"),
    ]

    private static func reworded(_ text: String) -> String {
        text.split(separator: " ", omittingEmptySubsequences: false).map { word in
            synonyms.first { $0.0 == word }?.1 ?? String(word)
        }.joined(separator: " ")
    }

    /// The first number of another line that this one has not, with the word after it.
    private static func borrowed(for line: JSONValue, of lines: [JSONValue]) -> String? {
        func words(_ line: JSONValue) -> [Substring] {
            ((line["text"]?.string ?? "") + " " + (line["draft"]?.string ?? "")).split(separator: " ")
        }
        let own = Set(words(line))
        for other in lines where other["id"] != line["id"] {
            let words = words(other)
            for (number, noun) in zip(words, words.dropFirst())
            where number.allSatisfy(\.isNumber) && !own.contains(number) && noun.allSatisfy(\.isLetter) {
                return ", for \(number) \(noun)"
            }
        }
        return nil
    }

    /// A text in pieces, as a model tells it.
    static func pieces(_ text: String) -> [String] {
        let characters = Array(text)
        return stride(from: 0, to: characters.count, by: 11).map {
            String(characters[$0..<min(characters.count, $0 + 11)])
        }
    }
}
