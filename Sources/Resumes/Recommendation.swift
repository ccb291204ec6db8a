package import JSON

/// One thing that would make a résumé better.
package struct Recommendation: Hashable, Sendable {
    package enum Kind: String, Hashable, Sendable, CaseIterable {
        case content, structure, formatting
        case keywordOptimization = "keyword_optimization", sectionAddition = "section_addition"
        case atsOptimization = "ats_optimization"
    }
    package enum Section: String, Hashable, Sendable, CaseIterable {
        case personalInfo = "personal_info", professionalSummary = "professional_summary"
        case summary, experience, skills, education, achievements, certifications, projects, languages, references
    }
    package enum Action: String, Hashable, Sendable, CaseIterable {
        case add, modify, remove, reformat, reorganize, restructure
    }
    package enum Impact: String, Hashable, Sendable, CaseIterable { case high, medium, low }

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
    /// The suggestion with its placeholders filled in by the résumé's owner.
    package var customizedContent: String?
    package var impact: Impact
    /// 1…10, 10 the most urgent.
    package var priority: Int
    package var estimatedScoreImprovement: Int
    package var placeholders: [Placeholder] = []
    /// What applying it changes, and nothing else; none for advice that only its reader can follow.
    package var changes: [JSONChange] = []
    package var metadata: [String: JSONValue] = [:]

    /// What is put into the résumé: the customized content where there is one.
    package var content: String? { customizedContent ?? suggestedContent }
}

extension Recommendation {
    /// As the contract has it.
    package var json: JSONValue {
        var fields: [String: JSONValue] = [
            "id": .string(id), "type": .string(type.rawValue), "category": .string(category),
            "section": .string(section.rawValue), "actionRequired": .string(actionRequired.rawValue),
            "title": .string(title), "description": .string(description), "impact": .string(impact.rawValue),
            "priority": .int(priority), "estimatedScoreImprovement": .int(estimatedScoreImprovement),
        ]
        fields["suggestedContent"] = suggestedContent.map { .string($0) }
        fields["currentContent"] = currentContent.map { .string($0) }
        fields["customizedContent"] = customizedContent.map { .string($0) }
        if !placeholders.isEmpty { fields["placeholders"] = .array(placeholders.map(\.json)) }
        if !changes.isEmpty { fields["changes"] = .array(changes.map(\.json)) }
        if !metadata.isEmpty { fields["metadata"] = .object(metadata) }
        return .object(fields)
    }

    /// Reads what ``json`` wrote.
    package init(json: JSONValue) throws(ResumeFault) {
        let reader = FieldReader(json)
        id = try reader.text("id")
        type = try reader.choice("type")
        category = try reader.text("category")
        section = try reader.choice("section")
        actionRequired = try reader.choice("actionRequired")
        title = try reader.text("title")
        description = try reader.text("description")
        suggestedContent = json["suggestedContent"]?.string
        currentContent = json["currentContent"]?.string
        customizedContent = json["customizedContent"]?.string
        impact = try reader.choice("impact")
        priority = try reader.int("priority")
        estimatedScoreImprovement = try reader.int("estimatedScoreImprovement")
        for item in json["placeholders"]?.array ?? [] { placeholders.append(try Placeholder(json: item)) }
        for item in json["changes"]?.array ?? [] { changes.append(try JSONChange(json: item)) }
        metadata = json["metadata"]?.object ?? [:]
    }
}

extension JSONChange {
    package var json: JSONValue {
        var fields: [String: JSONValue] = ["pointer": .string(pointer.description)]
        fields["before"] = before
        fields["after"] = after
        return .object(fields)
    }

    fileprivate init(json: JSONValue) throws(ResumeFault) {
        guard let pointer = json["pointer"]?.string.flatMap({ JSONPointer(parsing: $0) }) else {
            throw ResumeFault(pointer: JSONPointer(["changes"]), reason: "a change needs its pointer")
        }
        self.init(pointer: pointer, before: json["before"], after: json["after"])
    }
}

/// Fields of an object that must be there.
struct FieldReader {
    private let value: JSONValue

    init(_ value: JSONValue) { self.value = value }

    func text(_ name: String) throws(ResumeFault) -> String {
        guard let text = value[name]?.string else { throw fault(name, "must be a text") }
        return text
    }

    func int(_ name: String) throws(ResumeFault) -> Int {
        guard let int = value[name]?.int else { throw fault(name, "must be a whole number") }
        return int
    }

    func choice<Choice: RawRepresentable & CaseIterable>(_ name: String) throws(ResumeFault) -> Choice
    where Choice.RawValue == String {
        guard let choice = value[name]?.string.flatMap(Choice.init(rawValue:)) else {
            throw fault(name, "must be one of \(Choice.allCases.map(\.rawValue).joined(separator: ", "))")
        }
        return choice
    }

    private func fault(_ name: String, _ reason: String) -> ResumeFault {
        ResumeFault(pointer: JSONPointer([name]), reason: reason)
    }
}
