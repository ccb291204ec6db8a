/// Section scores and their weighted mean.
///
/// Source: 5-recommendations.md, “Scores”: a base for each section, less (priority / 10) × (improvement / 2) for each recommendation, at least 30.
package struct Scores: Hashable, Sendable {
    private static let base: [Recommendation.Section: Int] = [
        .personalInfo: 85, .professionalSummary: 70, .summary: 70, .experience: 75, .skills: 70, .education: 80,
        .achievements: 65, .certifications: 70, .projects: 60, .languages: 75, .references: 80,
    ]
    /// In hundredths.
    private static let weights: [Recommendation.Section: Int] = [
        .professionalSummary: 25, .experience: 30, .skills: 20, .achievements: 15, .summary: 15, .education: 5,
        .personalInfo: 5, .certifications: 5, .projects: 5, .languages: 2, .references: 1,
    ]
    private static let floor = 30

    package let sections: [Recommendation.Section: Int]

    package init(_ recommendations: [Recommendation]) {
        var twentieths = Self.base.mapValues { $0 * 20 }
        for recommendation in recommendations {
            twentieths[recommendation.section, default: 0] -=
                recommendation.priority * recommendation.estimatedScoreImprovement
        }
        sections = twentieths.mapValues { max(Self.floor, $0 / 20) }
    }

    package var overall: Int {
        let sum = sections.reduce(0) { $0 + $1.value * (Self.weights[$1.key] ?? 0) }
        return sum / Self.weights.values.reduce(0, +)
    }

    /// 100, less 10 for each thing that an applicant-tracking system misses.
    package static func ats(_ resume: Resume, keywords: [String]) -> Int {
        let absent = [
            resume.summary == nil, !resume.has("work"), resume.skills.isEmpty, resume.basics("email") == nil,
            resume.basics("phone") == nil, Keywords(keywords, in: resume).density < 2,
        ]
        return 100 - 10 * absent.count { $0 }
    }
}
