/// A résumé in JSON Resume's schema (1.2.1), read where the rules look; the value itself keeps everything.
package struct Resume: Sendable {
    package let value: JSONValue

    package init(_ value: JSONValue) { self.value = value }

    /// One bullet of a role, with its place.
    struct Bullet: Sendable {
        let text: String
        let work: Int
        let index: Int
        let isCurrentRole: Bool

        var path: [JSONValue.PathElement] { [.key("work"), .index(work), .key("highlights"), .index(index)] }
    }

    var bullets: [Bullet] {
        (value["work"]?.array ?? []).enumerated().flatMap { work, role in
            let isCurrent = (role["endDate"]?.string ?? "").isEmpty
            return (role["highlights"]?.array ?? []).enumerated().compactMap { index, highlight in
                highlight.string.map { Bullet(text: $0, work: work, index: index, isCurrentRole: isCurrent) }
            }
        }
    }

    var summary: String? { value["basics"]?["summary"]?.string.flatMap { $0.isEmpty ? nil : $0 } }
    var email: String? { value["basics"]?["email"]?.string.flatMap { $0.isEmpty ? nil : $0 } }
    var phone: String? { value["basics"]?["phone"]?.string.flatMap { $0.isEmpty ? nil : $0 } }
    var hasWork: Bool { !(value["work"]?.array ?? []).isEmpty }
    var hasEducation: Bool { !(value["education"]?.array ?? []).isEmpty }

    /// Every skill: names and keywords.
    var skills: [String] {
        (value["skills"]?.array ?? []).flatMap { skill in
            [skill["name"]?.string].compactMap { $0 } + (skill["keywords"]?.array ?? []).compactMap(\.string)
        }
    }

    /// Every text of the résumé, joined: what a suggestion may draw on.
    var everything: String {
        var texts: [String] = []
        Self.collect(value, &texts)
        return texts.joined(separator: "\n")
    }

    private static func collect(_ value: JSONValue, _ texts: inout [String]) {
        switch value {
        case .string(let text): texts.append(text)
        case .int(let number): texts.append(String(number))
        case .array(let items): for item in items { collect(item, &texts) }
        case .object(let fields):
            for key in fields.keys.sorted() { if let field = fields[key] { collect(field, &texts) } }
        case .null, .bool, .number: break
        }
    }
}

/// Words of a text, as the rules see them.
enum Words {
    static func of(_ text: String) -> [String] {
        text.split { !($0.isLetter || $0.isNumber || $0 == "'" || $0 == "+" || $0 == "#") }.map(String.init)
    }

    static func lowered(_ text: String) -> [String] { of(text).map { $0.lowercased() } }
}
