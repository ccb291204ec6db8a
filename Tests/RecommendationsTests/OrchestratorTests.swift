import Cache
import Callable
import JSON
import Recommendations
import Resumes
import Synchronization
import TestSupport
import Testing

/// Every part of the candidate in place of the shipped one: it writes down what it was asked.
final class PartsOfATest: Validation, AnswerKeeping, ResumeWork, SuggestionRewriting, PerformanceMetrics {
    private let said = Mutex<[String]>([])
    /// Whether the cache has the answer.
    private let isKept: Bool
    private let refusal: CallableError?

    init(isKept: Bool = false, refusal: CallableError? = nil) {
        self.isKept = isKept
        self.refusal = refusal
    }

    var told: [String] { said.withLock { $0 } }
    func tell(_ text: String) { said.withLock { $0.append(text) } }

    func admit<Request: JobRequest>(_ call: Call, as: Request.Type) async throws -> Admitted<Request> {
        tell("admit \(Request.self)")
        if let refusal { throw refusal }
        return Admitted(user: "ana", request: try Request(call), version: 7)
    }

    func answer(
        at place: AnswerPlace,
        waiting: @escaping @Sendable (_ cacheStatus: String) -> Void,
        make: @escaping @Sendable () async throws -> Answer
    ) async throws -> Answer {
        tell("look up \(place.job) \(place.version) \(place.recommendation ?? "-") \(place.parts) \(place.isForced)")
        guard !isKept else { return Answer(data: ["kept": true]) }
        waiting("parts; fwd=miss")
        return try await make()
    }
    func forget(job: String) async { tell("forget \(job)") }
    func forgetPreviews(of job: String) async { tell("forget previews of \(job)") }

    func analyze(_ request: RecommendationsRequest, rewriting: any SuggestionRewriting) async throws -> Answer {
        tell("analyze")
        _ = await rewriting.rewrite([])
        return Answer(data: [:])
    }
    func preview(_ request: PreviewRequest) async throws -> Answer {
        tell("preview")
        return Answer(data: [:])
    }
    func apply(_ request: ApplyRequest) async throws -> Answer {
        tell("apply")
        throw CallableError(.notFound, "there is nothing to apply")
    }
    func customize(_ request: CustomizeRequest, rewriting: any SuggestionRewriting) async throws -> Answer {
        tell("customize")
        return Answer(data: [:])
    }

    func wants(_ recommendation: Recommendation) -> Bool { true }
    func rewrite(_ found: [Recommendation]) async -> ([Recommendation], [String: JSONValue]) {
        tell("rewrite")
        return (found, [:])
    }
    func polish(_ text: String, _ values: [String], _ recommendation: Recommendation) async
        -> (String?, [String: JSONValue])
    { (nil, [:]) }

    func record(_ stage: Stage, of operation: Operation, took: Duration, hasFailed: Bool) {
        tell("\(stage.rawValue) \(hasFailed ? "failed" : "took \(took >= .zero)")")
    }
}

@Suite("The candidate's orchestrator, over other parts")
struct OrchestratorTests {
    private func told(_ operation: Operation, _ data: JSONValue, _ parts: PartsOfATest) async -> [String] {
        let service = CandidateService(validation: parts, cache: parts, work: parts, rewriting: parts, metrics: parts)
        let call = Call(
            caller: "ana",
            request: CallableRequest(data: data),
            tell: { parts.tell("caller: \($0.text)") },
            announce: { parts.tell("head: \($0)") }
        )
        _ = try? await service.answer(operation, call)
        return parts.told
    }

    @Test("a miss goes the whole way, in this order, and each part's time is taken down")
    func miss() async {
        let told = await told(
            .getRecommendations,
            ["jobId": "j", "targetRole": "Baker", "industryKeywords": ["b", "a"]],
            PartsOfATest()
        )
        #expect(
            told == [
                "admit RecommendationsRequest", "validation took true", #"look up j 7 - ["Baker", "b", "a"] false"#,
                #"head: ["Cache-Status": "parts; fwd=miss"]"#, #"caller: {"stage":"analyzing"}"#, "analyze", "rewrite",
                "forget previews of j", "work took true", "cache took true",
            ]
        )
    }

    @Test("what is kept is given without any work; what is made anew is of the next version")
    func kept() async {
        #expect(
            await told(.getRecommendations, ["jobId": "j", "forceRegenerate": true], PartsOfATest(isKept: true)) == [
                "admit RecommendationsRequest", "validation took true", #"look up j 8 - [""] true"#, "cache took true",
            ]
        )
        #expect(
            await told(.previewImprovement, ["jobId": "j", "recommendationId": "r"], PartsOfATest(isKept: true)) == [
                "admit PreviewRequest", "validation took true", "look up j 7 r [] false", "cache took true",
            ]
        )
    }

    @Test("what is not admitted touches nothing else, whatever it is", arguments: Operation.allCases)
    func refused(_ operation: Operation) async {
        let data: JSONValue = [
            "jobId": "j", "recommendationId": "r", "selectedRecommendationIds": ["r"], "placeholderValues": [:],
        ]
        let told = await told(operation, data, PartsOfATest(refusal: CallableError(.permissionDenied, "no")))
        #expect(told.count == 2 && told.last == "validation failed", "\(told)")
    }

    @Test("what changes is not kept, what was kept of it is forgotten, and a failure is one of its part")
    func changes() async {
        #expect(
            await told(
                .customizePlaceholders,
                ["jobId": "j", "recommendationId": "r", "placeholderValues": [:]],
                PartsOfATest()
            )
                == ["admit CustomizeRequest", "validation took true", "customize", "work took true", "forget j"]
        )
        #expect(
            await told(.applyImprovements, ["jobId": "j", "selectedRecommendationIds": ["r"]], PartsOfATest())
                == ["admit ApplyRequest", "validation took true", "apply", "work failed"]
        )
    }
}
