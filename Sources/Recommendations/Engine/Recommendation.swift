/// One thing that would make a résumé better.
package struct Recommendation: Hashable, Codable, Sendable {
    package enum Kind: String, Hashable, Codable, Sendable {
        case content, structure, keywordOptimization = "keyword_optimization", sectionAddition = "section_addition",
            formatting
        case atsOptimization = "ats_optimization"
    }
    package enum Section: String, Hashable, Codable, Sendable, CaseIterable {
        case personalInfo = "personal_info", professionalSummary = "professional_summary", summary, experience, skills,
            education
        case achievements, certifications, projects, languages, references
    }
    package enum Action: String, Hashable, Codable, Sendable {
        case add, modify, remove, reformat, reorganize, restructure
    }
    package enum Impact: String, Hashable, Codable, Sendable { case high, medium, low }

    /// The rule and the place: the same finding has the same ID whoever finds it.
    package var id: String
    package var type: Kind
    /// The rule's name.
    package var category: String
    package var section: Section
    package var actionRequired: Action
    package var title: String
    package var description: String
    package var suggestedContent: String?
    package var currentContent: String?
    package var customizedContent: String?
    package var impact: Impact
    /// 1…10, 10 the most urgent.
    package var priority: Int
    package var estimatedScoreImprovement: Int
    package var placeholders: [Placeholder]?
    /// Where the current content stands in the résumé; nil for a finding about the whole.
    package var path: [JSONValue.PathElement]?
}

/// Something that only the résumé's owner can fill in.
package struct Placeholder: Hashable, Codable, Sendable {
    package enum Kind: String, Hashable, Codable, Sendable { case text, number, dropdown, multiline, date }

    package var id: String
    package var name: String
    package var type: Kind
    package var description: String
    package var required: Bool
}
