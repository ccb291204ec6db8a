package import JSON

/// What a résumé's known fields must be, and are not, with the place and the mend.
package struct ResumeFault: Error, Hashable, Sendable, CustomStringConvertible {
    package let pointer: JSONPointer
    package let reason: String

    package var description: String { "\(pointer.tokens.isEmpty ? "the résumé" : "\(pointer)"): \(reason)" }
}

/// The types of JSON Resume's fields (schema 1.2.1, `https://jsonresume.org/schema`); fields that it does not know may be anything.
enum ResumeSchema {
    indirect enum Shape {
        case text
        case texts
        case object([String: Shape])
        case list([String: Shape])
    }

    static let mostItems = 1_000
    static let longestText = 20_000
    /// Of the summary, the roles' summaries and highlights together, in bytes; and how many highlights.
    static let mostProse = 200_000
    static let mostHighlights = 500

    private static let work: [String: Shape] = [
        "name": .text, "location": .text, "description": .text, "position": .text, "url": .text, "startDate": .text,
        "endDate": .text, "summary": .text, "highlights": .texts,
    ]

    private static let root: [String: Shape] = [
        "basics": .object([
            "name": .text, "label": .text, "image": .text, "email": .text, "phone": .text, "url": .text,
            "summary": .text,
            "location": .object([
                "address": .text, "postalCode": .text, "city": .text, "countryCode": .text, "region": .text,
            ]),
            "profiles": .list(["network": .text, "username": .text, "url": .text]),
        ]),
        "work": .list(work),
        "volunteer": .list(work.merging(["organization": .text]) { first, _ in first }),
        "education": .list([
            "institution": .text, "url": .text, "area": .text, "studyType": .text, "startDate": .text,
            "endDate": .text, "score": .text, "courses": .texts,
        ]),
        "awards": .list(["title": .text, "date": .text, "awarder": .text, "summary": .text]),
        "certificates": .list(["name": .text, "date": .text, "url": .text, "issuer": .text]),
        "publications": .list([
            "name": .text, "publisher": .text, "releaseDate": .text, "url": .text, "summary": .text,
        ]),
        "skills": .list(["name": .text, "level": .text, "keywords": .texts]),
        "languages": .list(["language": .text, "fluency": .text]),
        "interests": .list(["name": .text, "keywords": .texts]),
        "references": .list(["name": .text, "reference": .text]),
        "projects": .list([
            "name": .text, "description": .text, "highlights": .texts, "keywords": .texts, "startDate": .text,
            "endDate": .text, "url": .text, "roles": .texts, "entity": .text, "type": .text,
        ]),
    ]

    static func check(_ value: JSONValue) throws(ResumeFault) {
        guard case .object = value else {
            throw ResumeFault(pointer: JSONPointer(), reason: "must be an object, and is \(value.kind)")
        }
        try check(value, .object(root), JSONPointer())
        try limitProse(value)
        try refuseNUL(value, JSONPointer())
    }

    /// What is read word by word has limits as a whole.
    private static func limitProse(_ value: JSONValue) throws(ResumeFault) {
        let roles = value["work"]?.array ?? []
        let highlights = roles.flatMap { $0["highlights"]?.array ?? [] }
        let pointer = JSONPointer(["work"])
        guard highlights.count <= mostHighlights else {
            throw ResumeFault(pointer: pointer, reason: "must have at most \(mostHighlights) highlights in all")
        }
        let texts = highlights + roles.compactMap { $0["summary"] } + [value["basics"]?["summary"]].compactMap(\.self)
        guard texts.reduce(0, { $0 + ($1.string?.utf8.count ?? 0) }) <= mostProse else {
            throw ResumeFault(
                pointer: pointer,
                reason: "summaries and highlights must be at most \(mostProse) bytes long together"
            )
        }
    }

    /// No store keeps the character U+0000, wherever it stands.
    private static func refuseNUL(_ value: JSONValue, _ pointer: JSONPointer) throws(ResumeFault) {
        switch value {
        case .string(let text):
            if text.utf8.contains(0) {
                throw ResumeFault(pointer: pointer, reason: "must not hold the character U+0000")
            }
        case .array(let items):
            for (index, item) in items.enumerated() { try refuseNUL(item, pointer.appending(index)) }
        case .object(let fields):
            for (name, field) in fields {
                if name.utf8.contains(0) {
                    throw ResumeFault(pointer: pointer, reason: "a name holds the character U+0000")
                }
                try refuseNUL(field, pointer.appending(name))
            }
        case .null, .bool, .int, .number, .decimal: break
        }
    }

    private static func check(_ value: JSONValue, _ shape: Shape, _ pointer: JSONPointer) throws(ResumeFault) {
        switch (shape, value) {
        // A field that is null is one that is not there.
        case (_, .null): return
        case (.text, .string(let text)):
            guard text.utf8.count <= longestText else {
                throw ResumeFault(pointer: pointer, reason: "must be at most \(longestText) bytes long")
            }
        case (.texts, .array(let items)):
            try limit(items, pointer)
            for (index, item) in items.enumerated() { try check(item, .text, pointer.appending(index)) }
        case (.list(let fields), .array(let items)):
            try limit(items, pointer)
            for (index, item) in items.enumerated() { try check(item, .object(fields), pointer.appending(index)) }
        case (.object(let shapes), .object(let fields)):
            for (name, shape) in shapes.sorted(by: { $0.key < $1.key }) {
                guard let field = fields[name] else { continue }
                try check(field, shape, pointer.appending(name))
            }
        default: throw ResumeFault(pointer: pointer, reason: "must be \(name(shape)), and is \(value.kind)")
        }
    }

    private static func limit(_ items: [JSONValue], _ pointer: JSONPointer) throws(ResumeFault) {
        guard items.count <= mostItems else {
            throw ResumeFault(pointer: pointer, reason: "must have at most \(mostItems) entries")
        }
    }

    private static func name(_ shape: Shape) -> String {
        switch shape {
        case .text: "a text"
        case .texts, .list: "a list"
        case .object: "an object"
        }
    }
}
