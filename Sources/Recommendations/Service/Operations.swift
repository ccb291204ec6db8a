import Foundation

/// What both implementations do alike: the work itself, once the job is known to be the caller's.
struct Operations: Sendable {
    let store: JobStore

    /// The job, which must be the caller's; ownership comes before everything.
    func job(_ request: CallableRequest) async throws -> (id: String, resume: Resume) {
        let id = try request.text("jobId")
        guard let job = try await store.job(id) else { throw CallableError(.notFound, "there is no such job") }
        guard job.owner == request.user else { throw CallableError(.permissionDenied, "the job is not yours") }
        return (id, Resume(job.resume))
    }

    func recommend(_ id: String, _ resume: Resume, _ request: CallableRequest) async throws -> [String: JSONValue] {
        let started = ContinuousClock.now
        let keywords = try request.texts("industryKeywords")
        var data = Engine.analysis(of: resume, role: try request.optionalText("targetRole"), keywords: keywords)
        let found = Engine.recommendations(for: resume, keywords: keywords)
        try await store.keep(found, of: id, replacing: request.data["forceRegenerate"]?.bool ?? false)
        data["generatedAt"] = .string(Self.now)
        data["processingTime"] = .int(Self.milliseconds(since: started))
        return data
    }

    func preview(_ id: String, _ resume: Resume, _ request: CallableRequest) async throws -> [String: JSONValue] {
        let recommendation = try await recommendation(try request.text("recommendationId"), of: id)
        let after = recommendation.suggestedContent ?? recommendation.currentContent ?? ""
        return [
            "recommendation": Engine.json(recommendation),
            "beforeContent": .string(recommendation.currentContent ?? ""),
            "afterContent": .string(after), "previewCV": Self.changed(resume.value, recommendation, after),
            "estimatedImpact": .int(recommendation.estimatedScoreImprovement),
        ]
    }

    func apply(_ id: String, _ resume: Resume, _ request: CallableRequest) async throws -> [String: JSONValue] {
        let ids = try request.texts("selectedRecommendationIds", atLeast: 1)
        let selected = try await store.recommendations(ids, of: id)
        if let missing = ids.first(where: { id in !selected.contains { $0.id == id } }) {
            throw CallableError(.notFound, "there is no recommendation “\(missing)”; ask for recommendations first")
        }
        var improved = resume.value
        for recommendation in selected {
            guard let text = recommendation.customizedContent ?? recommendation.suggestedContent else { continue }
            let required = (recommendation.placeholders ?? []).filter(\.required).map(\.id)
            let open = Placeholders.open(in: text, of: required)
            guard open.isEmpty else {
                throw CallableError(
                    .failedPrecondition,
                    "“\(recommendation.id)” has placeholders to fill in: \(open.joined(separator: ", "))"
                )
            }
            improved = Self.changed(improved, recommendation, text)
        }
        try await store.keep(improved: improved, of: id)
        return [
            "jobId": .string(id), "improvedCV": improved, "appliedRecommendations": .array(selected.map(Engine.json)),
            "transformationSummary": .string("\(selected.count) recommendations applied"),
            "comparisonReport": .object([
                "before": .int(Scores(Engine.recommendations(for: resume, keywords: [])).overall),
                "after": .int(Scores(Engine.recommendations(for: Resume(improved), keywords: [])).overall),
            ]),
            "improvementsApplied": .int(selected.count), "message": "done",
        ]
    }

    func customize(_ id: String, _ request: CallableRequest) async throws -> [String: JSONValue] {
        var recommendation = try await recommendation(try request.text("recommendationId"), of: id)
        let given = (request.data["placeholderValues"]?.object ?? [:]).compactMapValues(\.string)
        let known = recommendation.placeholders ?? []
        let results = known.map { placeholder in
            let value = given[placeholder.id] ?? ""
            let isValid = !value.isEmpty && value.count <= 500 && (placeholder.type != .number || Double(value) != nil)
            return (placeholder, isValid || !placeholder.required)
        }
        if let wrong = results.first(where: { !$0.1 })?.0 {
            throw CallableError(.invalidArgument, "the placeholder \(wrong.id) needs a \(wrong.type.rawValue)")
        }
        let values = given.filter { entry in known.contains { $0.id == entry.key } }
        let text = Placeholders.filled(recommendation.suggestedContent ?? "", with: values)
        recommendation.customizedContent = text
        try await store.keep([recommendation], of: id, replacing: true)
        return [
            "recommendation": Engine.json(recommendation), "customizedContent": .string(text),
            "placeholdersApplied": .array(values.keys.sorted().map { .string($0) }),
            "validationResults": .array(results.map { .object(["id": .string($0.0.id), "valid": .bool($0.1)]) }),
        ]
    }

    private func recommendation(_ recommendation: String, of job: String) async throws -> Recommendation {
        guard let found = try await store.recommendations([recommendation], of: job).first else {
            throw CallableError(
                .notFound,
                "there is no recommendation “\(recommendation)”; ask for recommendations first"
            )
        }
        return found
    }

    private static func changed(_ resume: JSONValue, _ recommendation: Recommendation, _ text: String) -> JSONValue {
        recommendation.path.map { resume.replacing($0, with: .string(text)) } ?? resume
    }

    static var now: String { Date.now.formatted(.iso8601) }

    static func milliseconds(since start: ContinuousClock.Instant) -> Int {
        let elapsed = ContinuousClock.now - start
        return Int(elapsed.components.seconds * 1_000 + elapsed.components.attoseconds / 1_000_000_000_000_000)
    }
}
