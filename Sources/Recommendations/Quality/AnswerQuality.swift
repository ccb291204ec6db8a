package import JSON
import Resumes

/// How good an answer is: four parts, each 0…1.
package struct AnswerQuality: Hashable, Sendable {
    /// An answer is good from here on.
    package static let good = 0.9

    /// Suggestions that say nothing that the résumé does not hold.
    package var grounded: Double
    /// Recommendations that are of what stands in this résumé.
    package var relevant: Double
    /// Recommendations that are not another one over again.
    package var distinct: Double
    /// Fields of the contract that are there and within their limits.
    package var complete: Double

    package var score: Double { (grounded + relevant + distinct + complete) / 4 }
    /// No part makes up for another.
    package var isGood: Bool { min(grounded, relevant, distinct, complete) >= Self.good }

    init(_ report: Report, _ resume: Resume) {
        let all = report.recommendations
        let truth = TruthGuard(resume)
        // What its owner has filled in is the owner's word.
        let suggestions = all.compactMap(\.suggestedContent)
        grounded = Self.share(suggestions) { truth.verdict(on: $0).isGrounded }
        relevant = Self.share(all) { recommendation in
            recommendation.changes.allSatisfy { change in
                change.pointer.tokens.last == "-" || resume.value[pointer: change.pointer] == change.before
            }
        }
        distinct =
            all.isEmpty
            ? 1
            : Double(Set(all.map { Self.matter($0) }).count) / Double(all.count)
        let json = report.json
        let fields = [
            "recommendations", "overallScore", "sectionScores", "strengths", "weaknesses", "missingElements",
            "atsCompatibility", "careerInsights",
        ]
        let whole =
            all.count <= Engine.most && (json["careerInsights"]?.array?.count ?? 0) <= 5
            && all.allSatisfy { recommendation in
                (1...10).contains(recommendation.priority) && !recommendation.title.isEmpty
                    && !recommendation.description.isEmpty
                    // Whatever is open can be filled in.
                    && Placeholders.found(in: recommendation.suggestedContent ?? "").allSatisfy { id in
                        recommendation.placeholders.contains { $0.id == id }
                    }
            }
        complete = Self.share(fields) { json[$0] != nil } * (whole ? 1 : 0.5)
    }

    /// What a recommendation is about, by which two are the same.
    private static func matter(_ recommendation: Recommendation) -> [String] {
        let places = recommendation.changes.map(\.pointer.description)
        return [
            recommendation.category, recommendation.title, recommendation.description, recommendation.content ?? "",
        ]
            + [recommendation.currentContent ?? ""] + places
    }

    package var json: JSONValue {
        [
            "grounded": .number(grounded), "relevant": .number(relevant), "distinct": .number(distinct),
            "complete": .number(complete), "score": .number(score),
        ]
    }

    package init?(json: JSONValue) {
        guard let grounded = json["grounded"]?.double, let relevant = json["relevant"]?.double,
            let distinct = json["distinct"]?.double, let complete = json["complete"]?.double
        else { return nil }
        self.grounded = grounded
        self.relevant = relevant
        self.distinct = distinct
        self.complete = complete
    }

    private static func share<Item>(_ items: [Item], _ isGood: (Item) -> Bool) -> Double {
        items.isEmpty ? 1 : Double(items.count(where: isGood)) / Double(items.count)
    }
}
