import JSON

/// What the engine looks for, each with what it says of a finding.
package enum Rule: String, Hashable, Sendable, CaseIterable {
    case weakOpener = "weak_opener"
    case noActionVerb = "no_action_verb"
    case noQuantity = "no_quantity"
    case passiveVoice = "passive_voice"
    case tense
    case firstPerson = "first_person"
    case bulletLength = "bullet_length"
    case bulletsPerRole = "bullets_per_role"
    case totalLength = "total_length"
    case buzzwords
    case repeatedWords = "repeated_words"
    case duplicateBullet = "duplicate_bullet"
    case missingSection = "missing_section"
    case missingContact = "missing_contact"
    case dateOrder = "date_order"
    case overlap
    case gap
    case mixedDateFormats = "mixed_date_formats"
    case acronym
    case fewSkills = "few_skills"
    case missingKeyword = "missing_keyword"
    case unlistedKeyword = "unlisted_keyword"

    /// Priority 1…10, 10 the most urgent, and the points that following it may bring.
    private var weight: (priority: Int, improvement: Int) {
        switch self {
        case .missingContact: (10, 10)
        case .missingSection: (8, 10)
        case .dateOrder: (9, 6)
        case .noQuantity: (8, 8)
        case .weakOpener: (7, 6)
        case .tense: (6, 4)
        case .duplicateBullet: (6, 4)
        case .missingKeyword: (6, 5)
        case .fewSkills: (6, 6)
        case .noActionVerb: (5, 4)
        case .buzzwords: (5, 4)
        case .bulletsPerRole: (5, 4)
        case .unlistedKeyword: (5, 4)
        case .passiveVoice: (4, 3)
        case .firstPerson: (4, 3)
        case .mixedDateFormats: (4, 3)
        case .gap: (4, 3)
        case .repeatedWords: (3, 2)
        case .totalLength: (3, 3)
        case .bulletLength: (3, 2)
        case .acronym: (3, 2)
        case .overlap: (2, 2)
        }
    }

    private var kind: Recommendation.Kind {
        switch self {
        case .missingSection: .sectionAddition
        case .missingContact: .atsOptimization
        case .missingKeyword, .unlistedKeyword, .fewSkills: .keywordOptimization
        case .mixedDateFormats: .formatting
        case .bulletsPerRole, .totalLength, .duplicateBullet, .dateOrder, .overlap, .gap: .structure
        case .weakOpener, .noActionVerb, .noQuantity, .passiveVoice, .tense, .firstPerson, .bulletLength, .buzzwords,
            .repeatedWords, .acronym:
            .content
        }
    }

    /// A finding of this rule.
    ///
    /// - Parameters:
    ///   - place: what tells it from the rule's other findings.
    ///   - current: what stands at the place now.
    ///   - suggested: what may take its place.
    ///   - changes: what applying it changes, where that is not `suggested` in place of `current`.
    func finding(
        at place: String,
        in section: Recommendation.Section,
        _ action: Recommendation.Action,
        _ title: String,
        _ description: String,
        line: Resume.Line? = nil,
        suggested: String? = nil,
        placeholders: [Placeholder] = [],
        changes: [JSONChange]? = nil
    ) -> Recommendation {
        let (priority, improvement) = weight
        var own: [JSONChange] = []
        if let line, let suggested {
            own = [JSONChange(pointer: line.pointer, before: .string(line.text), after: .string(suggested))]
        }
        return Recommendation(
            id: place.isEmpty ? rawValue : "\(rawValue)-\(place)",
            type: kind,
            category: rawValue,
            section: section,
            actionRequired: action,
            title: title,
            description: description,
            suggestedContent: suggested,
            currentContent: line?.text,
            impact: priority >= 7 ? .high : priority >= 4 ? .medium : .low,
            priority: priority,
            estimatedScoreImprovement: improvement,
            placeholders: placeholders,
            changes: changes ?? own
        )
    }
}

extension Resume.Line {
    /// A place's name in an ID: `work-0-highlights-2`.
    var place: String { pointer.tokens.joined(separator: "-") }

    var section: Recommendation.Section { pointer.tokens.first == "work" ? .experience : .professionalSummary }
}
