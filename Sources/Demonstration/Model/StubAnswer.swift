import JSON
import Randomness

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
    private static let employers = ["Zyxelon Corporation", "Initech", "Globodyne", "Vandelay Industries", "Hooli"]
    private static let degrees = ["PhD", "master", "bachelor", "diploma", "doctorate", "degree"]
    private static let fields = ["astrology", "quantum chromodynamics", "computing", "alchemy", "numerology"]
    private static let skills = ["FortranML", "COBOL", "haskell", "blockchain", "Docker", "machine learning"]
    private static let titles = ["Vice President", "senior manager", "director", "CTO", "architect"]
    private static let licences = ["pilot license", "license to practice", "nursing license"]

    /// What a model without shame would add: each of it is nobody's.
    ///
    /// - Parameter seed: the same makes the same.
    static func invention(_ seed: UInt64) -> String {
        var random = SplitMix(seed: seed)
        func pick(_ list: [String]) -> String { list[random.below(list.count)] }
        // No résumé here has numbers as large.
        let number = 10_000 + random.below(80_000)
        return switch random.below(12) {
        case 0: ", saving \(number) hours"
        case 1: " at \(pick(employers))"
        case 2: " with a \(pick(degrees)) in \(pick(fields))"
        case 3: " using \(pick(skills))"
        case 4: ", by \(number).\(random.below(10))%"
        case 5: " as \(pick(titles))"
        case 6: ", winning the Golden Turnip award"
        case 7: " for $\(number)M"
        case 8: ", doubling everything"
        case 9: " in \(pick(skills)) and \(pick(skills))"
        case 10: " and hold a \(pick(degrees)) in \(pick(fields)) from Harvard"
        default: " with a \(pick(licences))"
        }
    }

    /// Whether something of a text can only come from ``invention(_:)``; of some inventions it cannot be told.
    static func isInvented(_ text: String) -> Bool {
        let marks = employers + fields + skills + licences + ["Golden Turnip", "doubling everything", "Vice President"]
        return marks.contains { text.contains($0) } || text.contains(/[0-9]{5}/)
    }

    /// The answer's text for a prompt of lines; of any other prompt an answer without lines.
    static func text(_ behaviour: StubBehaviour, prompt: String) -> String {
        if behaviour == .prose { return "Sure! Here is your résumé." }
        if behaviour == .shapeless { return #"{"lines":{"first":"Led everything"}}"# }
        let lines = (try? JSONValue(parsing: prompt))?["lines"]?.array ?? []
        let said = lines.enumerated().map { index, line -> JSONValue in
            let text = line["draft"]?.string ?? ""
            let seed = ((line["id"]?.string ?? "") + text).utf8.reduce(UInt64(index)) { $0 &* 31 &+ UInt64($1) }
            let invention = invention(seed)
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
