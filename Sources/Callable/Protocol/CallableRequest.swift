package import JSON

/// A request of the callable protocol, taken apart.
///
/// Source: the protocol's specification, `https://firebase.google.com/docs/functions/callable-reference`.
package struct CallableRequest: Hashable, Sendable {
    package let data: JSONValue

    /// - Parameters:
    ///   - contentType: must be JSON; a charset may follow.
    ///   - body: an object with only `data`.
    package init(contentType: String?, body: some Collection<UInt8>) throws(CallableError) {
        let type = contentType?.prefix { $0 != ";" }.lowercased().filter { $0 != " " && $0 != "\t" }
        guard type == "application/json" else {
            throw CallableError(.invalidArgument, "the content type must be application/json")
        }
        let value: JSONValue
        do {
            value = try JSONValue(parsing: body)
        } catch {
            throw CallableError(.invalidArgument, "the body is not JSON: \(error)")
        }
        guard case .object(let fields) = value else {
            throw CallableError(.invalidArgument, "the body must be a JSON object")
        }
        guard let data = fields["data"], fields.count == 1 else {
            throw CallableError(.invalidArgument, "the body must have “data” and nothing else")
        }
        self.data = try Wrappers.unwrapped(data)
    }

    /// Short enough, and without what ends a text too soon elsewhere.
    private static func isPlain(_ text: String) -> Bool {
        text.count <= 200 && text.utf8.count <= 2_000 && !text.utf8.contains(0)
    }

    /// A request made by hand.
    package init(data: JSONValue) { self.data = data }

    /// A required text of the data.
    package func text(_ name: String) throws(CallableError) -> String {
        guard let text = data[name]?.string, !text.isEmpty, Self.isPlain(text) else {
            throw CallableError(.invalidArgument, "“\(name)” must be a text of 1 to 200 characters")
        }
        return text
    }

    /// An optional text of the data.
    package func optionalText(_ name: String) throws(CallableError) -> String? {
        guard let value = data[name], value != .null else { return nil }
        guard let text = value.string, Self.isPlain(text) else {
            throw CallableError(.invalidArgument, "“\(name)” must be a text of at most 200 characters")
        }
        return text.isEmpty ? nil : text
    }

    /// An optional truth value of the data; false where it is not there.
    package func flag(_ name: String) throws(CallableError) -> Bool {
        guard let value = data[name], value != .null else { return false }
        guard let flag = value.bool else { throw CallableError(.invalidArgument, "“\(name)” must be true or false") }
        return flag
    }

    /// A list of texts of the data; empty where it is not there.
    package func texts(_ name: String, atLeast least: Int = 0) throws(CallableError) -> [String] {
        let value = data[name].flatMap { $0 == .null ? nil : $0 } ?? []
        let texts = value.array?.compactMap(\.string).filter { !$0.isEmpty && Self.isPlain($0) } ?? []
        guard let items = value.array, texts.count == items.count, (least...100).contains(texts.count) else {
            throw CallableError(
                .invalidArgument,
                "“\(name)” must be a list of \(least) to 100 texts of 1 to 200 characters"
            )
        }
        return texts
    }

    /// An object of texts of the data.
    package func texts(byName name: String) throws(CallableError) -> [String: String] {
        let fields = data[name]?.object
        let texts = fields?.compactMapValues(\.string)
        guard let fields, let texts, texts.count == fields.count, fields.count <= 50,
            texts.values.allSatisfy({ !$0.utf8.contains(0) })
        else {
            throw CallableError(.invalidArgument, "“\(name)” must be an object of at most 50 texts")
        }
        return texts
    }
}

/// Whole numbers of 64 bits, which JavaScript has not: `{"@type": "type.googleapis.com/google.protobuf.Int64Value", "value": "123"}`.
package enum Wrappers {
    private static let signed = "type.googleapis.com/google.protobuf.Int64Value"
    private static let unsigned = "type.googleapis.com/google.protobuf.UInt64Value"

    /// The value with numbers in the wrappers' places, at any depth.
    package static func unwrapped(_ value: JSONValue) throws(CallableError) -> JSONValue {
        switch value {
        case .array(let items):
            var unwrapped: [JSONValue] = []
            for item in items { unwrapped.append(try self.unwrapped(item)) }
            return .array(unwrapped)
        case .object(let fields):
            switch fields["@type"]?.string {
            case signed?: return try number(fields["value"], isSigned: true)
            case unsigned?: return try number(fields["value"], isSigned: false)
            default:
                var unwrapped: [String: JSONValue] = [:]
                for (name, field) in fields { unwrapped[name] = try self.unwrapped(field) }
                return .object(unwrapped)
            }
        case .null, .bool, .int, .number, .decimal, .string: return value
        }
    }

    private static func number(_ value: JSONValue?, isSigned: Bool) throws(CallableError) -> JSONValue {
        let text = value?.string ?? value?.int.map { String($0) } ?? ""
        if isSigned, let number = Int64(text) { return .int(Int(number)) }
        if !isSigned, let number = UInt64(text) { return Int(exactly: number).map { .int($0) } ?? .decimal(text) }
        throw CallableError(.invalidArgument, "a wrapped number must be a whole one of 64 bits")
    }
}
