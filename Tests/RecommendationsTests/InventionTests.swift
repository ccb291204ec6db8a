import Foundation
import JSON
import LanguageModel
import Randomness
import Recommendations
import Resumes
import TestSupport
import Testing

/// Résumés in which nearly every bullet is one that the rules find something in, the same for the same seed.
enum WeakResume {
    static func make(_ seed: Int) -> JSONValue {
        var random = SplitMix(seed: UInt64(seed))
        func roles() -> [JSONValue] {
            (0..<3).map { index in
                let bullets = (0..<6).map { _ -> JSONValue in
                    switch random.below(6) {
                    case 0: .string("\(random.pick(SeededLines.weakOpeners)) \(random.pick(SeededLines.tails))")
                    case 1: .string(random.pick(SeededLines.firstPerson))
                    case 2: .string(random.pick(SeededLines.present))
                    case 3: .string(random.pick(SeededLines.buzz))
                    case 4: .string(random.pick(SeededLines.doubled))
                    default: .string(random.pick(SeededLines.withoutVerb))
                    }
                }
                let start = 2020 - index * 3
                return .object([
                    "name": .string(random.pick(SeededLines.companies)),
                    "position": .string(random.pick(SeededLines.positions)), "startDate": .string("\(start)-01"),
                    "endDate": .string("\(start + 2)-12"), "highlights": .array(bullets),
                ])
            }
        }
        return [
            "basics": [
                "name": .string(random.pick(SeededLines.people)),
                "summary": .string(random.pick(SeededLines.buzzSummaries)),
            ],
            "work": .array(roles()),
            "skills": .array(
                SeededLines.skills.shuffled(using: &random).prefix(6).map { .object(["name": .string($0)]) }
            ),
        ]
    }
}

/// What a reader who has never seen the engine would hold against a suggestion: by lists of this test's own.
struct SuspiciousReader {
    private static let employers = [
        "Google", "Zyxelon", "Initech", "Microsoft", "Amazon", "Harvard", "Corporation", "Inc", "GmbH", "Ltd",
    ]
    private static let degrees = [
        "phd", "mba", "bachelor", "bachelors", "master", "masters", "msc", "bsc", "doctorate", "diploma", "certified",
        "degree",
    ]
    private static let skills = [
        "java", "fortranml", "cobol", "haskell", "quantum", "chromodynamics", "astrology", "machine", "blockchain",
        "docker",
        "aws", "azure", "excel", "sap", "react",
    ]
    private static let titles = ["president", "vice", "ceo", "cto", "director", "award", "turnip"]
    private static let quantities = [
        "doubling", "doubled", "tripled", "halved", "dozen", "hundred", "hundreds", "thousand", "thousands", "million",
        "millions", "billion", "twice", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten",
        "twelve",
    ]

    private let words: Set<String>
    private let numbers: Set<String>

    init(_ resume: JSONValue) {
        words = Set(resume.text.lowercased().split { !$0.isLetter }.map(String.init))
        numbers = Set(resume.text.matches(of: /[0-9]+(?:[.,][0-9]+)*/).map { String($0.output) })
    }

    /// The first thing that the résumé does not say; nil where there is none.
    func objection(to suggestion: String) -> String? {
        let plain = suggestion.replacing(/\{\{[A-Z_]+\}\}/, with: " ")
        for number in plain.matches(of: /[0-9]+(?:[.,][0-9]+)*/) where !numbers.contains(String(number.output)) {
            return "number \(number.output)"
        }
        let said = plain.split { !$0.isLetter }.map(String.init)
        let suspicious = Set(Self.degrees + Self.skills + Self.titles + Self.quantities).union(
            Self.employers.map { $0.lowercased() }
        )
        for (index, word) in said.enumerated() {
            let lower = word.lowercased()
            if suspicious.contains(lower), !words.contains(lower) { return "“\(word)”" }
            // A name within the sentence: an employer, a product, a place.
            if index > 0, word.first?.isUppercase ?? false, !words.contains(lower) { return "name “\(word)”" }
        }
        return nil
    }
}

@Suite("Ten thousand suggestions", .database)
struct InventionTests {
    @Test(
        "of the rules, and of a model over the wire that invents something in every line: nothing ungrounded gets through"
    )
    func tenThousand() async throws {
        try await withStubModel { address in
            let wires: [any ModelWire] = [AnthropicWire(), OpenAIWire()]
            var checked = 0, rules = 0, offered = 0, dropped = 0, job = 0
            let budget = ModelBudget(requests: 1_000_000, tokens: 1_000_000_000)
            let models = wires.map { wire in
                HTTPModel(
                    wire,
                    HTTPModel.Settings(
                        address: address,
                        model: "stub-hallucinate",
                        key: { "stub-key" },
                        budget: budget,
                        breaker: ModelBreaker()
                    )
                )
            }
            let shops = [
                try await TestShop(model: models[0], tier: false), try await TestShop(model: models[1], tier: false),
                try await TestShop(tier: false),
            ]
            while checked < 10_000 {
                job += 1
                let resume = WeakResume.make(job)
                let reader = SuspiciousReader(resume)
                let shop = shops[job % 3]
                try await shop.store.put(resume, into: "job-\(job)", of: "ana")
                let answer = try await shop.ask(
                    .getRecommendations,
                    ["jobId": .string("job-\(job)"), "industryKeywords": ["Rust", "Kafka", "Java"]]
                )
                for recommendation in answer.data["recommendations"]?.array ?? [] {
                    for text in [recommendation["suggestedContent"]?.string].compactMap({ $0 }) {
                        checked += 1
                        if job % 3 == 2 { rules += 1 }
                        if let objection = reader.objection(to: text) {
                            Issue.record("\(job): \(objection) in: \(text)")
                        }
                    }
                }
                guard job % 3 < 2 else { continue }
                try #require(answer.data["metadata"]?["modelError"] == nil, "\(answer.data["metadata"] ?? .null)")
                let verdicts = answer.data["metadata"]?["guardDropped"]?.array ?? []
                dropped += verdicts.count
                offered += verdicts.count + (answer.data["metadata"]?["modelSuggestions"]?.int ?? 0)
            }
            print(
                "\(checked) suggestions for \(job) résumés, \(rules) of the rules alone; of the model's \(offered) lines \(dropped) were dropped"
            )
            #expect(rules > 2_000 && offered > 4_000)
            // The stub invents in every line.
            #expect(dropped == offered)
        }
    }

    @Test("the reader objects to what the stub says")
    func reader() {
        let reader = SuspiciousReader(WeakResume.make(1))
        for invention in [
            ", saving 7319 hours", " at Zyxelon Corporation", " with a PhD in astrology", " using FortranML",
            ", by 83.7%",
            " as Vice President", " with quantum chromodynamics", ", winning the Golden Turnip award", " for $94M",
            ", doubling everything", " in COBOL and Haskell", " after an MBA from Harvard",
        ] { #expect(reader.objection(to: "Led the work" + invention) != nil, "\(invention)") }
        #expect(reader.objection(to: "Led the work, by {{ADD_PERCENTAGE}}%") == nil)
    }
}
