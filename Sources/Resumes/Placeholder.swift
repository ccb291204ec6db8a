import Foundation
package import JSON

/// Something that only the résumé's owner can fill in.
package struct Placeholder: Hashable, Sendable {
    package enum Kind: String, Hashable, Sendable, CaseIterable { case text, number, dropdown, multiline, date }

    /// Capital letters, digits and `_`.
    package var id: String
    package var name: String
    package var type: Kind
    package var description: String
    package var required: Bool
    package var defaultValue: String?
    package var options: [String]?
    /// A regular expression that the whole value must match.
    package var validation: String?

    package init(
        id: String,
        name: String,
        type: Kind,
        description: String,
        required: Bool = true,
        defaultValue: String? = nil,
        options: [String]? = nil,
        validation: String? = nil
    ) {
        self.id = id
        self.name = name
        self.type = type
        self.description = description
        self.required = required
        self.defaultValue = defaultValue
        self.options = options
        self.validation = validation
    }

    package var json: JSONValue {
        var fields: [String: JSONValue] = [
            "id": .string(id), "name": .string(name), "type": .string(type.rawValue),
            "description": .string(description), "required": .bool(required),
        ]
        fields["defaultValue"] = defaultValue.map { .string($0) }
        fields["options"] = options.map { .array($0.map { .string($0) }) }
        fields["validation"] = validation.map { .string($0) }
        return .object(fields)
    }

    package init(json: JSONValue) throws(ResumeFault) {
        let reader = FieldReader(json)
        self.init(
            id: try reader.text("id"),
            name: try reader.text("name"),
            type: try reader.choice("type"),
            description: json["description"]?.string ?? "",
            required: json["required"]?.bool ?? true,
            defaultValue: json["defaultValue"]?.string,
            options: json["options"]?.array?.compactMap(\.string),
            validation: json["validation"]?.string
        )
        guard Placeholders.isID(id) else {
            throw ResumeFault(pointer: JSONPointer(["id"]), reason: "must be of capital letters, digits and “_”")
        }
    }

    /// Why a value will not do; nil where it will.
    package func refusal(of value: String) -> String? {
        if value.trimmingSpace.isEmpty { return required ? "it is needed" : nil }
        let longest = type == .multiline ? 2_000 : 200
        if value.count > longest { return "at most \(longest) characters" }
        if !Self.isLine(type == .multiline ? value.replacing("\n", with: " ") : value) {
            return "no control characters\(type == .multiline ? "" : ", and one line")"
        }
        if value.contains("{{") || !Placeholders.found(in: value).isEmpty { return "no placeholders of its own" }
        switch type {
        case .text, .multiline: break
        case .number:
            guard let number = Double(value), number.isFinite, value.allSatisfy({ $0.isNumber || "+-.".contains($0) })
            else { return "a number, such as 25 or 3.5" }
        case .dropdown:
            if !(options ?? []).contains(value) { return "one of: \((options ?? []).joined(separator: ", "))" }
        case .date:
            guard let date = ResumeDate(value), date.format == .yearMonthDay || date.format == .yearMonth else {
                return "a date, such as 2024-05 or 2024-05-31"
            }
        }
        return validation.flatMap { BoundedPattern($0).refusal(of: value) }
    }

    /// Whether a text is one line without characters that steer how others are shown.
    package static func isLine(_ text: String) -> Bool {
        !text.unicodeScalars.contains(where: isControl) && !text.contains(where: \.isNewline)
    }

    private static func isControl(_ scalar: Unicode.Scalar) -> Bool {
        scalar.properties.generalCategory == .control || scalar.properties.isBidiControl
    }
}

/// A regular expression from outside, with a time limit: a hostile one is a refusal, not a hang.
///
/// Foundation's engine reports its progress, where Swift's own cannot be stopped.
struct BoundedPattern {
    static let limit = Duration.milliseconds(50)
    private static let longest = 500
    private let pattern: String

    init(_ pattern: String) { self.pattern = pattern }

    func refusal(of value: String) -> String? {
        guard pattern.count <= Self.longest, let expression = try? NSRegularExpression(pattern: "^(?:\(pattern))$")
        else {
            return "its pattern is none; ask for recommendations anew"
        }
        let deadline = ContinuousClock.now + Self.limit
        var matches = false
        var isLate = false
        expression.enumerateMatches(
            in: value,
            options: [.reportProgress],
            range: NSRange(value.startIndex..., in: value)
        ) { result, _, stop in
            if result != nil { matches = true }
            if matches || ContinuousClock.now > deadline {
                isLate = !matches
                stop.pointee = true
            }
        }
        if isLate { return "its pattern takes too long; ask for recommendations anew" }
        return matches ? nil : "it must match \(pattern)"
    }
}

/// What stands in a text for something that only the owner knows: `{{ID}}`, `{ID}` or `[ID]`; `[ADD PERCENTAGE]` is `ADD_PERCENTAGE`.
package enum Placeholders {
    private struct Found {
        var id: String
        var range: Range<String.Index>
    }

    static func isID(_ text: String) -> Bool {
        (1...60).contains(text.count) && (text.first?.isASCII ?? false) && (text.first?.isUppercase ?? false)
            && text.allSatisfy { $0.isASCII && ($0.isUppercase || $0.isNumber || $0 == "_") }
    }

    /// The IDs of those that a text has, in its order.
    package static func found(in text: String) -> [String] { all(in: text).map(\.id) }

    /// The text with values in their places, all at once: what a value says is never taken for another placeholder.
    package static func filled(_ text: String, with values: [String: String]) -> String {
        replaced(text) { values[$0] }
    }

    /// The text with a comma in each one's place, so that what is around it is not run together.
    static func parted(_ text: String) -> String { replaced(text) { _ in " , " } }

    package static func removed(from text: String) -> String { replaced(text) { _ in "" }.tidied }

    private static func replaced(_ text: String, _ value: (String) -> String?) -> String {
        var result = ""
        var end = text.startIndex
        for found in all(in: text) {
            result += text[end..<found.range.lowerBound]
            result += value(found.id) ?? String(text[found.range])
            end = found.range.upperBound
        }
        return result + text[end...]
    }

    private static func all(in text: String) -> [Found] {
        var found: [Found] = []
        var index = text.startIndex
        while let open = text[index...].firstIndex(where: { $0 == "{" || $0 == "[" }) {
            let opening = text[open] == "[" ? "[" : text[open...].hasPrefix("{{") ? "{{" : "{"
            let closing = opening == "[" ? "]" : opening == "{{" ? "}}" : "}"
            let start = text.index(open, offsetBy: opening.count)
            // No ID is longer.
            let window = text[start...].prefix(62)
            if let end = window.range(of: closing) {
                let id = window[..<end.lowerBound].replacing(" ", with: "_")
                if isID(String(id)) {
                    found.append(Found(id: String(id), range: open..<end.upperBound))
                    index = end.upperBound
                    continue
                }
            }
            index = text.index(after: open)
        }
        return found
    }
}
