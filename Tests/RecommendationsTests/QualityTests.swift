import Callable
import JSON
import Randomness
import Recommendations
import Resumes
import TestSupport
import Testing

@Suite("The quality of answers", .database)
struct QualityTests {
    @Test("sound answers of both implementations, of every operation, are good in every part")
    func sound() async throws {
        let shop = try await TestShop()
        var judged = 0
        for number in stride(from: 0, to: SeededResume.count, by: 8) {
            let job = "job-\(number)"
            try await shop.store.put(SeededResume.all[number].resume, into: job, of: "ana")
            for legacy in [false, true] {
                let answer = try await shop.ask(
                    .getRecommendations,
                    ["jobId": .string(job), "targetRole": "Team Lead", "industryKeywords": ["Kafka", "COBOL", "C++"]],
                    legacy: legacy
                )
                #expect(answer.quality?.score == 1, "\(number): \(String(describing: answer.quality))")
                for recommendation in answer.data["recommendations"]?.array ?? [] {
                    let id = recommendation["id"] ?? ""
                    let preview = try await shop.ask(
                        .previewImprovement,
                        ["jobId": .string(job), "recommendationId": id],
                        legacy: legacy
                    )
                    #expect(preview.quality?.score == 1, "\(number) \(id): \(String(describing: preview.quality))")
                    guard recommendation["placeholders"] == nil else { continue }
                    let applied = try await shop.ask(
                        .applyImprovements,
                        ["jobId": .string(job), "selectedRecommendationIds": [id]],
                        legacy: legacy
                    )
                    #expect(applied.quality?.score == 1, "\(number) \(id): \(String(describing: applied.quality))")
                    judged += 1
                }
            }
        }
        #expect(judged > 50)
        try await shop.store.put(TestShop.resume, into: "job", of: "ana")
        _ = try await shop.ask(.getRecommendations, ["jobId": "job"])
        let custom = try await shop.ask(
            .customizePlaceholders,
            [
                "jobId": "job", "recommendationId": "weak_opener-work-0-highlights-0",
                "placeholderValues": ["ACTION_VERB": "Ran"],
            ]
        )
        #expect(custom.quality?.score == 1)
    }

    private static let keywords = ["Swift", "COBOL"]
    private static let role = "Senior Engineer"

    /// What a bad release would answer: how a sound answer is spoilt, and which part of its quality suffers.
    private static let spoilt:
        [(
            name: String, part: any KeyPath<AnswerQuality, Double> & Sendable,
            spoil: @Sendable (inout [String: JSONValue]) -> Void
        )] = [
            ("an invented number", \.grounded, { suggest(&$0) { $0 + " by 83%" } }),
            ("an invented number in words", \.grounded, { suggest(&$0) { $0 + " for twelve countries" } }),
            ("an invented employer", \.grounded, { suggest(&$0) { $0 + " at Zyxelon" } }),
            ("an invented degree", \.grounded, { suggest(&$0) { $0 + " with an MBA" } }),
            ("an invented skill", \.grounded, { suggest(&$0) { $0 + " with kubernetes" } }),
            ("a number that is another by its grouping", \.grounded, { suggest(&$0) { $0 + " and 1,440 more" } }),
            ("of another résumé", \.relevant, { change(&$0) { $0["currentContent"] = "Baked bread for a village" } }),
            (
                "changes what does not stand there", \.relevant,
                {
                    change(&$0) {
                        $0["changes"] = [["pointer": "/work/0/highlights/0", "before": "Baked bread", "after": "x"]]
                    }
                }
            ),
            (
                "changes what is nowhere", \.relevant,
                {
                    change(&$0) { $0["changes"] = [["pointer": "/work/9/highlights/0", "before": "x", "after": "y"]] }
                }
            ),
            ("for another role", \.relevant, { compatibility(&$0) { $0["targetRole"] = "Baker" } }),
            ("for no role", \.relevant, { $0["roleCompatibility"] = nil }),
            (
                "a keyword that nobody has", \.relevant,
                {
                    compatibility(&$0) {
                        $0["matchedKeywords"] = ["Swift", "COBOL"]; $0["missingKeywords"] = []
                    }
                }
            ),
            ("a keyword left out", \.relevant, { compatibility(&$0) { $0["missingKeywords"] = [] } }),
            (
                "one over and over", \.distinct,
                {
                    let first = $0["recommendations"]?[0] ?? .null
                    $0["recommendations"] = .array(Array(repeating: first, count: 4))
                }
            ),
            (
                "one over again under other IDs", \.distinct,
                {
                    let first = $0["recommendations"]?[0]?.object ?? [:]
                    $0["recommendations"] = .array(
                        (0..<4).map { number in .object(first.merging(["id": .string("x\(number)")]) { $1 }) }
                    )
                }
            ),
            (
                "more than fifteen", \.complete,
                {
                    let first = $0["recommendations"]?[0]?.object ?? [:]
                    $0["recommendations"] = .array(
                        (0..<16).map { number in .object(first.merging(["title": .string("\(number)")]) { $1 }) }
                    )
                }
            ),
            ("a priority of 11", \.complete, { change(&$0) { $0["priority"] = 11 } }),
            ("without a title", \.complete, { change(&$0) { $0["title"] = "" } }),
            ("a placeholder that cannot be filled in", \.complete, { suggest(&$0) { $0 + " {{NOWHERE}}" } }),
            ("a score of 120", \.complete, { $0["overallScore"] = 120 }),
            (
                "without scores", \.complete,
                {
                    $0["overallScore"] = nil; $0["sectionScores"] = nil
                }
            ),
        ]

    private static func change(_ data: inout [String: JSONValue], _ body: (inout [String: JSONValue]) -> Void) {
        data["recommendations"] = .array(
            (data["recommendations"]?.array ?? []).map { recommendation in
                var fields = recommendation.object ?? [:]
                body(&fields)
                return .object(fields)
            }
        )
    }

    private static func suggest(_ data: inout [String: JSONValue], _ body: (String) -> String) {
        change(&data) { fields in
            if let text = fields["suggestedContent"]?.string { fields["suggestedContent"] = .string(body(text)) }
        }
    }

    private static func compatibility(_ data: inout [String: JSONValue], _ body: (inout [String: JSONValue]) -> Void) {
        var fields = data["roleCompatibility"]?.object ?? [:]
        body(&fields)
        data["roleCompatibility"] = .object(fields)
    }

    @Test("a bad answer is judged as one, and by what is bad in it", arguments: spoilt.indices)
    func bad(_ index: Int) async throws {
        let (name, part, spoil) = Self.spoilt[index]
        let shop = try await TestShop()
        try await shop.store.put(TestShop.resume, into: "job", of: "ana")
        let answer = try await shop.ask(
            .getRecommendations,
            [
                "jobId": "job", "targetRole": .string(Self.role),
                "industryKeywords": .array(Self.keywords.map { .string($0) }),
            ]
        )
        let judge = QualityJudge(TestShop.resume, role: Self.role, keywords: Self.keywords)
        #expect(judge.judge(answer.data, of: .getRecommendations).score == 1)
        var data = answer.data
        spoil(&data)
        #expect(data != answer.data, "\(name)")
        let quality = judge.judge(data, of: .getRecommendations)
        #expect(quality[keyPath: part] < AnswerQuality.good && !quality.isGood, "\(name): \(quality)")
    }

    @Test(
        "what an answer delivers is judged: the improved résumé, the preview, the filled-in line; its owner's own words are not inventions"
    )
    func delivered() async throws {
        let shop = try await TestShop()
        try await shop.store.put(TestShop.resume, into: "job", of: "ana")
        _ = try await shop.ask(.getRecommendations, ["jobId": "job"])
        let opener: JSONValue = "weak_opener-work-0-highlights-0", line = JSONPointer(["work", "0", "highlights", "0"])
        let filled = try await shop.ask(
            .customizePlaceholders,
            ["jobId": "job", "recommendationId": opener, "placeholderValues": ["ACTION_VERB": "Kubernetized"]]
        )
        let preview = try await shop.ask(.previewImprovement, ["jobId": "job", "recommendationId": opener])
        let applied = try await shop.ask(.applyImprovements, ["jobId": "job", "selectedRecommendationIds": [opener]])
        for answer in [filled, preview, applied] { #expect(answer.quality?.score == 1) }
        let invention = "Ran 4,711 servers at Initech"
        for (answer, operation, field) in [
            (filled, Operation.customizePlaceholders, "customizedContent"),
            (preview, .previewImprovement, "afterContent"),
            (preview, .previewImprovement, "previewCV"), (applied, .applyImprovements, "improvedCV"),
        ] {
            var data = answer.data
            data[field] =
                field.hasSuffix("CV") ? data[field]?.setting(line, to: .string(invention)) : .string(invention)
            let judge = QualityJudge(TestShop.resume, said: operation == .customizePlaceholders ? ["Kubernetized"] : [])
            #expect(judge.judge(answer.data, of: operation).isGood)
            #expect(judge.judge(data, of: operation).grounded < AnswerQuality.good, "\(field)")
        }
    }

    @Test("no part makes up for another, and a judgement outlives its coding and both tiers of the cache")
    func parts() async throws {
        let worse = AnswerQuality(grounded: 0.7, relevant: 1, distinct: 1, complete: 1)
        #expect(worse.score > 0.9 && !worse.isGood)
        #expect(AnswerQuality(json: worse.json) == worse)
        let shop = try await TestShop()
        try await shop.store.put(TestShop.resume, into: "job", of: "ana")
        let quality = try await shop.ask(.getRecommendations, ["jobId": "job"]).quality
        #expect(try await shop.ask(.getRecommendations, ["jobId": "job"]).quality == quality)
        #expect(try await TestShop().ask(.getRecommendations, ["jobId": "job"]).quality == quality)
    }

    @Test("a rehearsal's inventions are judged as they are sent, are kept nowhere, and end with it")
    func rehearsal() async throws {
        let shop = try await TestShop()
        try await shop.store.put(TestShop.resume, into: "job", of: "ana")
        let faults = RehearsedFaults()
        let service = RehearsedService(shop.candidate, store: shop.store, faults: faults)
        func ask() async throws -> Answer {
            try await service.answer(
                .getRecommendations,
                Call(caller: "ana", request: CallableRequest(data: ["jobId": "job"]))
            )
        }
        #expect(try await ask().quality?.isGood == true)
        faults.inventions = 1_000
        let spoilt = try await ask()
        #expect((spoilt.quality?.grounded ?? 1) < 0.6 && spoilt.quality?.isGood == false)
        #expect(JSONValue.object(spoilt.data).text.contains("Initech"))
        faults.inventions = 0
        let after = try await ask()
        #expect(after.quality?.isGood == true && !JSONValue.object(after.data).text.contains("Initech"))
        faults.failures = 1_000
        await #expect(throws: CallableError.self) { try await ask() }
    }
}
