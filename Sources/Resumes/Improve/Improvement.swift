package import JSON

/// Why recommendations cannot be applied as they were selected.
package enum ImprovementFault: Error, Hashable, Sendable {
    /// A recommendation has placeholders that only the résumé's owner can fill in.
    case unresolved(id: String, placeholders: [String])
    /// Two change the same words.
    case conflict(String, String)
    /// The résumé is no longer what the recommendation was made for.
    case outdated(id: String, pointer: JSONPointer)
}

/// A résumé with recommendations applied: exactly what they say, and nothing else.
///
/// The same selection makes the same résumé, in whatever order it is named.
package struct Improvement: Sendable {
    package let resume: JSONValue
    /// What is different, place by place.
    package let changes: [JSONChange]
    package let applied: [Recommendation]
    /// Advice that has nothing to put into the résumé, or nothing new.
    package let advice: [Recommendation]

    /// - Throws: ``ImprovementFault``; nothing is applied then.
    package init(of resume: JSONValue, by selected: [Recommendation]) throws(ImprovementFault) {
        let selected = Dictionary(selected.map { ($0.id, $0) }, uniquingKeysWith: { first, _ in first })
            .values.sorted { $0.id < $1.id }
        var wanted: [Wanted] = []
        for recommendation in selected {
            for change in try Self.changes(recommendation) {
                guard Self.stands(change, in: resume) else {
                    throw .outdated(id: recommendation.id, pointer: change.pointer)
                }
                wanted.append(Wanted(id: recommendation.id, change: change))
            }
        }
        let merged = try Self.merged(wanted)
        self.resume = try Self.carryOut(merged, on: resume, for: wanted.first?.id ?? "")
        changes = resume.changes(to: self.resume)
        let ids = Set(wanted.filter { $0.change.before != $0.change.after }.map(\.id))
        applied = selected.filter { ids.contains($0.id) }
        advice = selected.filter { !ids.contains($0.id) }
    }

    private struct Wanted {
        var id: String
        var change: JSONChange
    }

    /// A recommendation's changes with its content in its place.
    private static func changes(_ recommendation: Recommendation) throws(ImprovementFault) -> [JSONChange] {
        guard !recommendation.changes.isEmpty else { return [] }
        guard let suggested = recommendation.suggestedContent else { return recommendation.changes }
        let content = recommendation.content ?? suggested
        let open = Placeholders.found(in: content)
        let required = recommendation.placeholders.filter { $0.required && open.contains($0.id) }.map(\.id)
        guard required.isEmpty else { throw .unresolved(id: recommendation.id, placeholders: required) }
        // An optional one that nobody filled in leaves no trace.
        let optional = recommendation.placeholders.contains { open.contains($0.id) }
        let text = optional ? Placeholders.removed(from: content) : content
        return recommendation.changes.map { change in
            var change = change
            if change.after == .string(suggested) { change.after = .string(text) }
            return change
        }
    }

    private static func isAddition(_ pointer: JSONPointer) -> Bool { pointer.tokens.last == "-" }

    private static func stands(_ change: JSONChange, in resume: JSONValue) -> Bool {
        isAddition(change.pointer) || resume[pointer: change.pointer] == change.before
    }

    /// One change for each place: texts word by word, and everything else only where all want the same.
    private static func merged(_ wanted: [Wanted]) throws(ImprovementFault) -> [JSONChange] {
        var result: [JSONChange] = []
        let groups = Dictionary(grouping: wanted) { $0.change.pointer }
        for (pointer, group) in groups.sorted(by: { $0.key.description < $1.key.description }) {
            for other in groups.keys
            where other.tokens.count < pointer.tokens.count && pointer.tokens.starts(with: other.tokens) {
                if let one = groups[other]?.first, let two = group.first { throw .conflict(one.id, two.id) }
            }
            if isAddition(pointer) {
                result += group.map(\.change)
            } else {
                result.append(try merged(group, at: pointer))
            }
        }
        return result
    }

    private static func merged(_ group: [Wanted], at pointer: JSONPointer) throws(ImprovementFault) -> JSONChange {
        let first = group[0]
        if group.allSatisfy({ $0.change == first.change }) { return first.change }
        guard let before = first.change.before?.string else { throw .conflict(first.id, group[1].id) }
        let original = TextEdit.words(before).map(String.init)
        var edits: [(id: String, edit: TextEdit)] = []
        for wanted in group {
            guard let after = wanted.change.after?.string else {
                throw .conflict(wanted.id, group.first { $0.id != wanted.id }?.id ?? "")
            }
            let edit = TextEdit(from: original, to: after)
            if let other = edits.first(where: { !$0.edit.isApart(from: edit) }) { throw .conflict(other.id, wanted.id) }
            edits.append((wanted.id, edit))
        }
        let text = TextEdit.merged(before, edits.map(\.edit))
        return JSONChange(pointer: pointer, before: first.change.before, after: .string(text))
    }

    /// Replaces first, then adds, then removes from the end, so that no place moves under what is still to come.
    private static func carryOut(_ changes: [JSONChange], on resume: JSONValue, for id: String) throws(ImprovementFault)
        -> JSONValue
    {
        var value = resume
        for change in changes where change.after != nil {
            guard let after = change.after else { continue }
            let parent = JSONPointer(change.pointer.tokens.dropLast())
            if value[pointer: parent] ?? .null == .null {
                // The section is new with its first entry.
                value = try set(parent, to: isAddition(change.pointer) ? [] : [:], in: value, for: id)
            }
            value = try set(change.pointer, to: after, in: value, for: id)
        }
        let removals = changes.filter { $0.after == nil }.map(\.pointer).sorted {
            let (one, other) = ($0.tokens, $1.tokens)
            if one.dropLast() != other.dropLast() { return one.lexicographicallyPrecedes(other) }
            return (Int(one.last ?? "") ?? 0) > (Int(other.last ?? "") ?? 0)
        }
        for pointer in removals {
            guard let less = value.removing(pointer) else { throw .outdated(id: id, pointer: pointer) }
            value = less
        }
        return value
    }

    private static func set(_ pointer: JSONPointer, to new: JSONValue, in value: JSONValue, for id: String)
        throws(ImprovementFault) -> JSONValue
    {
        guard let changed = value.setting(pointer, to: new) else { throw .outdated(id: id, pointer: pointer) }
        return changed
    }
}
