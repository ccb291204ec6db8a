import Callable
import Foundation
import JSON
import Resumes

/// The work on an admitted request.
package protocol ResumeWork: Sendable {
    /// Analyses a résumé and keeps what was found.
    func analyze(_ request: RecommendationsRequest, rewriting: any SuggestionRewriting) async throws -> Answer
    func preview(_ request: PreviewRequest) async throws -> Answer
    func apply(_ request: ApplyRequest) async throws -> Answer
    func customize(_ request: CustomizeRequest, rewriting: any SuggestionRewriting) async throws -> Answer
}

/// The work itself, which both implementations do alike once a job is known to be the caller's.
struct Workshop: ResumeWork {
    let store: JobStore

    static var today: ResumeDate {
        let parts = Calendar(identifier: .gregorian).dateComponents([.year, .month], from: .now)
        return ResumeDate(year: parts.year ?? 2_000, month: parts.month ?? 1)
    }

    static var now: String { Date.now.formatted(.iso8601) }

    /// The job's résumé.
    ///
    /// - Throws: FAILED_PRECONDITION for one that is none by its schema, with the place.
    func job(_ id: String) async throws -> (job: JobStore.Job, resume: Resume) {
        guard let job = try await store.job(id) else { throw CallableError(.notFound, "there is no such job") }
        return (job, try Self.resume(job.resume))
    }

    static func resume(_ value: JSONValue) throws(CallableError) -> Resume {
        do {
            return try Resume(value)
        } catch {
            throw CallableError(
                .failedPrecondition,
                "the résumé cannot be read: \(error)",
                details: ["pointer": .string(error.pointer.description), "reason": .string(error.reason)]
            )
        }
    }

    func analyze(_ request: RecommendationsRequest, rewriting: any SuggestionRewriting) async throws -> Answer {
        let started = ContinuousClock.now
        let (job, resume) = try await job(request.job)
        let engine = Engine(now: Self.today)
        let found = engine.recommendations(for: resume, keywords: request.keywords)
        // What is kept stays, with what its owner has filled in; only what is not kept, or is still wanted, is rewritten.
        let known = request.isForced ? [:] : try await kept(found, of: job.id)
        let open = found.filter { known[$0.id].map { rewriting.wants($0) } ?? true }
        var metadata: [String: JSONValue] = ["source": "rules", "kept": true]
        if !open.isEmpty || request.isForced {
            let (recommendations, said) = await rewriting.rewrite(open)
            metadata = said
            try await store.keep(recommendations, of: job, replacing: request.isForced)
        }
        let byID = try await kept(found, of: job.id)
        if byID.values.contains(where: { $0.metadata["source"] == "model" }) { metadata["source"] = "model" }
        let report = Report(
            on: resume,
            found.map { byID[$0.id] ?? $0 },
            role: request.role,
            keywords: request.keywords,
            now: Self.today
        )
        var data = report.json
        data["metadata"] = .object(metadata)
        data["generatedAt"] = .string(Self.now)
        data["processingTime"] = .int(Self.milliseconds(since: started))
        return Answer(
            data: data,
            quality: QualityJudge(resume.value, role: request.role, keywords: request.keywords)
                .judge(data, of: .getRecommendations)
        )
    }

    private func kept(_ found: [Recommendation], of job: String) async throws -> [String: Recommendation] {
        let kept = try await store.recommendations(found.map(\.id), of: job)
        return Dictionary(kept.map { ($0.id, $0) }, uniquingKeysWith: { first, _ in first })
    }

    func preview(_ request: PreviewRequest) async throws -> Answer {
        let (job, resume) = try await job(request.job)
        let recommendation = try await recommendation(request.recommendation, of: job.id)
        let content = recommendation.content
        var shown = recommendation
        // A preview shows placeholders as they stand.
        shown.placeholders = []
        let improvement = try Self.told { () throws(ImprovementFault) in try Improvement(of: resume.value, by: [shown])
        }
        let data: [String: JSONValue] = [
            "recommendation": recommendation.json,
            "beforeContent": .string(recommendation.currentContent ?? ""),
            // What is taken out is not there any more.
            "afterContent": .string(
                recommendation.actionRequired == .remove && !recommendation.changes.isEmpty
                    ? "" : content ?? recommendation.currentContent ?? ""
            ),
            "previewCV": improvement.resume,
            "changes": .array(improvement.changes.map(\.json)),
            "estimatedImpact": .int(recommendation.estimatedScoreImprovement),
        ]
        return Answer(data: data, quality: QualityJudge(resume.value).judge(data, of: .previewImprovement))
    }

    func apply(_ request: ApplyRequest) async throws -> Answer {
        let engine = Engine(now: Self.today)
        let data = try await store.improve(request.job, by: request.selected) { job, selected in
            let missing = request.selected.filter { id in !selected.contains { $0.id == id } }
            guard missing.isEmpty else {
                throw CallableError(
                    .notFound,
                    "there is no recommendation “\(missing[0])” of this résumé; ask for recommendations first",
                    details: ["missing": .array(missing.map { .string($0) })]
                )
            }
            let improvement = try Self.told { () throws(ImprovementFault) in
                try Improvement(of: job.resume, by: selected)
            }
            let before = try Self.resume(job.resume), after = try Self.resume(improvement.resume)
            let comparison = Comparison(before: before, after: after, engine: engine, keywords: request.keywords)
            return (improvement, Self.answer(to: request, improvement, comparison, of: job.resume))
        }
        guard let data else { throw CallableError(.notFound, "there is no such job") }
        return data
    }

    private static func answer(
        to request: ApplyRequest,
        _ improvement: Improvement,
        _ comparison: Comparison,
        of resume: JSONValue
    ) -> Answer {
        let count = improvement.applied.count
        let data: [String: JSONValue] = [
            "jobId": .string(request.job), "improvedCV": improvement.resume,
            "appliedRecommendations": .array(improvement.applied.map(\.json)),
            "transformationSummary": .object([
                "changes": .array(improvement.changes.map(\.json)),
                "sections": .array(Set(improvement.applied.map(\.section.rawValue)).sorted().map { .string($0) }),
                "notApplied": .array(
                    improvement.advice.map {
                        ["id": .string($0.id), "reason": "it is advice, and changes nothing by itself"]
                    }
                ),
            ]),
            "comparisonReport": comparison.json, "improvementsApplied": .int(count),
            "message": .string("\(count) of \(request.selected.count) recommendations changed the résumé."),
        ]
        return Answer(
            data: data,
            quality: QualityJudge(resume, role: request.role, keywords: request.keywords)
                .judge(data, of: .applyImprovements)
        )
    }

    func customize(_ request: CustomizeRequest, rewriting: any SuggestionRewriting) async throws -> Answer {
        let (job, resume) = try await job(request.job)
        let known = try await recommendation(request.recommendation, of: job.id)
        let customization = try Customization(known, request.values)
        let (polished, metadata) = await rewriting.polish(customization.text, customization.values, known)
        let changed = try await store.change(request.recommendation, of: job.id) { recommendation, _ in
            // Another answer may have taken its place since.
            guard recommendation.suggestedContent == known.suggestedContent else {
                throw CallableError(.aborted, "the recommendation has just been made anew; look at it again")
            }
            var recommendation = recommendation
            recommendation.customizedContent = polished ?? customization.text
            return recommendation
        }
        guard let changed else {
            throw CallableError(.aborted, "the résumé has just been changed; ask for recommendations anew")
        }
        let data: [String: JSONValue] = [
            "recommendation": changed.json, "customizedContent": .string(changed.customizedContent ?? ""),
            "placeholdersApplied": .array(customization.applied.map { .string($0) }),
            "validationResults": .array(customization.results), "metadata": .object(metadata),
        ]
        return Answer(
            data: data,
            quality: QualityJudge(resume.value, said: customization.values).judge(data, of: .customizePlaceholders)
        )
    }

    private func recommendation(_ id: String, of job: String) async throws -> Recommendation {
        guard let found = try await store.recommendations([id], of: job).first else {
            throw CallableError(
                .notFound,
                "there is no recommendation “\(id)” of this résumé; ask for recommendations first"
            )
        }
        return found
    }

    private static func told<R>(_ body: () throws(ImprovementFault) -> R) throws(CallableError) -> R {
        do {
            return try body()
        } catch {
            switch error {
            case .unresolved(let id, let placeholders):
                throw CallableError(
                    .failedPrecondition,
                    "“\(id)” has placeholders to fill in: \(placeholders.joined(separator: ", "))",
                    details: [
                        "recommendationId": .string(id), "placeholders": .array(placeholders.map { .string($0) }),
                    ]
                )
            case .conflict(let one, let other):
                throw CallableError(
                    .failedPrecondition,
                    "“\(one)” and “\(other)” change the same words; choose one of them",
                    details: ["conflict": [.string(one), .string(other)]]
                )
            case .outdated(let id, let pointer):
                throw CallableError(
                    .aborted,
                    "“\(id)” was made for what no longer stands at \(pointer); ask for recommendations anew"
                )
            }
        }
    }

    static func milliseconds(since start: ContinuousClock.Instant) -> Int {
        let elapsed = ContinuousClock.now - start
        return Int(elapsed.components.seconds * 1_000 + elapsed.components.attoseconds / 1_000_000_000_000_000)
    }
}
