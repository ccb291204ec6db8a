import Foundation
import JSON
import LanguageModel
import Randomness
import Recommendations
import Resumes
import TestSupport
import Testing

/// Résumés in which nearly every bullet is one that the rules find something in, the same for the same seed; hardly a bullet stands in two of them.
enum WeakResume {
    private static func bullet(_ random: inout SplitMix) -> String {
        switch random.below(6) {
        case 0: SeededSlots.weakOpener(&random)
        case 1: SeededSlots.firstPerson(&random)
        case 2: SeededSlots.tense(&random)
        case 3: SeededSlots.buzz(&random)
        case 4: SeededSlots.doubled(&random)
        default: SeededSlots.withoutVerb(&random)
        }
    }

    static func make(_ seed: Int) -> JSONValue {
        var random = SplitMix(seed: UInt64(seed))
        let roles = (0..<3).map { index -> JSONValue in
            let bullets = (0..<6).map { _ in JSONValue.string(bullet(&random)) }
            let start = 2020 - index * 3
            return [
                "name": .string(random.pick(SeededLines.companies)),
                "position": .string(random.pick(SeededLines.positions)), "startDate": .string("\(start)-01"),
                "endDate": .string("\(start + 2)-12"), "highlights": .array(bullets),
            ]
        }
        return [
            "basics": [
                "name": .string(random.pick(SeededLines.people)),
                "summary": .string(random.pick(SeededLines.buzzSummaries)),
            ],
            "work": .array(roles),
            "skills": .array(
                SeededLines.skills.shuffled(using: &random).prefix(6).map { .object(["name": .string($0)]) }
            ),
        ]
    }
}

/// What a reader who has never seen the engine would hold against a suggestion: by lists of this test's own.
struct SuspiciousReader {
    private static let employers = [
        "Google", "Zyxelon", "Initech", "Globodyne", "Vandelay", "Hooli", "Microsoft", "Amazon", "Harvard",
        "Corporation",
        "Inc", "GmbH", "Ltd",
    ]
    private static let degrees = [
        "phd", "mba", "bachelor", "bachelors", "master", "masters", "msc", "bsc", "doctorate", "diploma", "certified",
        "degree", "license", "licensed", "alchemy", "numerology",
    ]
    private static let skills = [
        "java", "fortranml", "cobol", "computing", "learning", "pilot", "nursing", "haskell", "quantum",
        "chromodynamics", "astrology", "machine", "blockchain",
        "docker",
        "aws", "azure", "excel", "sap", "react",
    ]
    private static let titles = [
        "president", "vice", "ceo", "cto", "director", "senior", "architect", "award", "turnip",
    ]
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
    /// How many lines a model said, and how many of them the guard took.
    struct Tally {
        var said = 0
        var taken = 0
    }

    @Test(
        "of the rules, and of models over the wire that invent, borrow from other lines, or only reword: what is ungrounded is dropped, what is honest is taken"
    )
    func tenThousand() async throws {
        try await withStubModel { address in
            let budget = ModelBudget(requests: 1_000_000, tokens: 1_000_000_000)
            func model(_ wire: any ModelWire, _ name: String) -> HTTPModel {
                HTTPModel(
                    wire,
                    HTTPModel.Settings(
                        address: address,
                        model: name,
                        key: { "stub-key" },
                        budget: budget,
                        breaker: ModelBreaker()
                    )
                )
            }
            let names = ["hallucinate", "hallucinate", "swap", "swap", "reword", "reword"]
            var shops: [TestShop] = []
            for (index, name) in names.enumerated() {
                let wire: any ModelWire = index % 2 == 0 ? AnthropicWire() : OpenAIWire()
                shops.append(try await TestShop(model: model(wire, "stub-\(name)"), tier: false))
            }
            shops.append(try await TestShop(tier: false))
            var checked = 0, rules = 0, job = 0, different: Set<String> = [], tallies: [String: Tally] = [:]
            while checked < 10_000 {
                job += 1
                let resume = WeakResume.make(job), reader = SuspiciousReader(resume)
                let name = names.indices.contains(job % shops.count) ? names[job % shops.count] : nil
                let shop = shops[job % shops.count]
                try await shop.store.put(resume, into: "job-\(job)", of: "ana")
                let answer = try await shop.ask(
                    .getRecommendations,
                    ["jobId": .string("job-\(job)"), "industryKeywords": ["Rust", "Kafka", "Java"]]
                )
                for recommendation in answer.data["recommendations"]?.array ?? [] {
                    guard let text = recommendation["suggestedContent"]?.string else { continue }
                    checked += 1
                    different.insert(text)
                    if name == nil { rules += 1 }
                    var objection = reader.objection(to: text)
                    if recommendation["metadata"]?["source"] == "model", let line = recommendation["currentContent"] {
                        // What stands elsewhere in the résumé is not true of this line.
                        objection = objection ?? SuspiciousReader(line).objection(to: text)
                    }
                    if let objection { Issue.record("\(job): \(objection) in: \(text)") }
                }
                guard let name else { continue }
                let metadata = answer.data["metadata"]
                try #require(metadata?["modelError"] == nil, "\(metadata ?? .null)")
                let taken = metadata?["modelSuggestions"]?.int ?? 0
                tallies[name, default: Tally()].taken += taken
                tallies[name, default: Tally()].said += taken + (metadata?["guardDropped"]?.array?.count ?? 0)
            }
            print(
                "\(checked) suggestions, \(different.count) different, for \(job) résumés; \(rules) of the rules alone"
            )
            #expect(different.count > 7_000)
            for (name, tally) in tallies.sorted(by: { $0.key < $1.key }) {
                print("stub-\(name): \(tally.said) lines said, \(tally.taken) taken")
            }
            #expect(rules > 1_000)
            for name in ["hallucinate", "swap"] {
                let tally = try #require(tallies[name])
                #expect(tally.said > 1_000 && tally.taken == 0, "\(name)")
            }
            let honest = try #require(tallies["reword"])
            #expect(honest.said > 1_000 && honest.taken * 100 >= honest.said * 95)
        }
    }

    @Test("the reader objects to what the stub says")
    func reader() {
        let reader = SuspiciousReader(WeakResume.make(1))
        for invention in [
            ", saving 73190 hours", " at Zyxelon Corporation", " with a PhD in astrology", " using FortranML",
            ", by 83.7%",
            " as Vice President", " as senior manager", " with quantum chromodynamics",
            ", winning the Golden Turnip award",
            " for $94M", ", doubling everything", " in COBOL and haskell", " after an MBA from Harvard",
            " with a pilot license", " and hold a master in computing",
        ] { #expect(reader.objection(to: "Led the work" + invention) != nil, "\(invention)") }
        #expect(reader.objection(to: "Led the work, by {{ADD_PERCENTAGE}}%") == nil)
    }
}
