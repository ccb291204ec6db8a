/// The deterministic engine: rules, the guard over them, and scores.
package enum Engine {
    package static let most = 15

    /// The most urgent findings of a résumé that the guard lets through, at most ``most``.
    package static func recommendations(for resume: Resume, keywords: [String]) -> [Recommendation] {
        let grounded = (Rules.all(resume) + Keywords.missing(keywords, in: resume)).filter { recommendation in
            recommendation.suggestedContent.map { TruthGuard.isGrounded($0, in: resume) } ?? true
        }
        return Array(grounded.sorted { ($1.priority, $0.id) < ($0.priority, $1.id) }.prefix(most))
    }

    /// What `getRecommendations` answers, but for the times.
    package static func analysis(of resume: Resume, role: String?, keywords: [String]) -> [String: JSONValue] {
        let found = recommendations(for: resume, keywords: keywords)
        let scores = Scores(found)
        let strong = scores.sections.filter { $0.value >= 80 }.keys.map(\.rawValue).sorted()
        let weak = scores.sections.filter { $0.value < 65 }.keys.map(\.rawValue).sorted()
        let absent = found.filter { $0.actionRequired == .add }.map { JSONValue.string($0.category) }
        return [
            "recommendations": .array(found.map(json)),
            "overallScore": .int(scores.overall),
            "sectionScores": .object(
                Dictionary(scores.sections.map { ($0.key.rawValue, .int($0.value)) }) { first, _ in first }
            ),
            "strengths": .array(strong.map { .string($0) }),
            "weaknesses": .array(weak.map { .string($0) }),
            "missingElements": .array(absent),
            "atsCompatibility": .int(Scores.ats(resume, keywords: keywords)),
            "careerInsights": .array(role.map { [.string("Name “\($0)” where your experience supports it.")] } ?? []),
        ]
    }

    package static func json(_ recommendation: Recommendation) -> JSONValue {
        // Coding a value of plain texts and numbers cannot fail.
        (try? JSONValue(parsing: Array(JSONCoding.encode(recommendation)))) ?? .null
    }
}

/// How well a job's keywords are covered: whole terms only; what the résumé cannot support is reported, never put in.
enum Keywords {
    static func coverage(_ keywords: [String], in resume: Resume) -> Int {
        guard !keywords.isEmpty else { return 0 }
        return keywords.count { isCovered($0, resume.everything) } * 100 / keywords.count
    }

    static func missing(_ keywords: [String], in resume: Resume) -> [Recommendation] {
        let text = resume.everything
        return keywords.filter { !isCovered($0, text) }.prefix(5).map { keyword in
            Recommendation(
                id: "keyword-\(keyword.lowercased())",
                type: .keywordOptimization,
                category: "missing_keyword",
                section: .skills,
                actionRequired: .add,
                title: "The job asks for “\(keyword)”",
                description: "Your résumé does not show it. Add it only where you have it.",
                impact: .medium,
                priority: 6,
                estimatedScoreImprovement: 5
            )
        }
    }

    private static func isCovered(_ keyword: String, _ text: String) -> Bool {
        let term = Words.lowered(keyword)
        let words = Words.lowered(text)
        guard !term.isEmpty, words.count >= term.count else { return false }
        return (0...(words.count - term.count)).contains { Array(words[$0..<($0 + term.count)]) == term }
    }
}

/// Section scores and their weighted mean (5-recommendations.md, "Scores").
struct Scores {
    private static let base: [Recommendation.Section: Int] = [
        .personalInfo: 85, .professionalSummary: 70, .summary: 70, .experience: 75, .skills: 70, .education: 80,
        .achievements: 65,
        .certifications: 70, .projects: 60, .languages: 75, .references: 80,
    ]
    /// In hundredths.
    private static let weights: [Recommendation.Section: Int] = [
        .professionalSummary: 25, .experience: 30, .skills: 20, .achievements: 15, .summary: 15, .education: 5,
        .personalInfo: 5,
        .certifications: 5, .projects: 5, .languages: 2, .references: 1,
    ]
    private static let floor = 30

    let sections: [Recommendation.Section: Int]

    init(_ recommendations: [Recommendation]) {
        var tenths = Self.base.mapValues { $0 * 20 }
        for recommendation in recommendations {
            tenths[recommendation.section, default: 0] -=
                recommendation.priority * recommendation.estimatedScoreImprovement
        }
        sections = tenths.mapValues { max(Self.floor, $0 / 20) }
    }

    var overall: Int {
        let sum = sections.reduce(0) { $0 + $1.value * (Self.weights[$1.key] ?? 0) }
        return sum / Self.weights.values.reduce(0, +)
    }

    /// 100, less 10 for each thing that an applicant-tracking system misses.
    static func ats(_ resume: Resume, keywords: [String]) -> Int {
        let absent = [
            resume.summary == nil, !resume.hasWork, resume.skills.isEmpty, resume.email == nil, resume.phone == nil,
            Keywords.coverage(keywords, in: resume) < 2,
        ]
        return 100 - 10 * absent.count { $0 }
    }
}
