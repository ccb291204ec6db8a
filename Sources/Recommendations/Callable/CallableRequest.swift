/// A request of the callable protocol, taken apart: who calls, and with what data.
package struct CallableRequest: Sendable {
    package static let largestBody = 1024 * 1024

    package let user: String
    package let data: JSONValue

    /// - Parameters:
    ///   - contentType: must be JSON.
    ///   - authorization: `Bearer development.<user>`; the scheme's case does not matter.
    ///   - body: an object with only `data`.
    package init(contentType: String?, authorization: String?, body: [UInt8]) throws(CallableError) {
        guard let type = contentType?.split(separator: ";").first, type.trimmed.lowercased() == "application/json"
        else {
            throw CallableError(.invalidArgument, "the content type must be application/json")
        }
        guard let value = try? JSONValue(parsing: body), case .object(let fields) = value else {
            throw CallableError(.invalidArgument, "the body must be a JSON object")
        }
        guard let data = fields["data"], fields.count == 1 else {
            throw CallableError(.invalidArgument, "the body must have “data” and nothing else")
        }
        self.data = data
        user = try Self.user(authorization)
    }

    private static func user(_ authorization: String?) throws(CallableError) -> String {
        guard let authorization else { throw CallableError(.unauthenticated, "sign in first") }
        let parts = authorization.split(separator: " ", maxSplits: 1)
        let prefix = "development."
        guard parts.count == 2, parts[0].lowercased() == "bearer", parts[1].hasPrefix(prefix) else {
            throw CallableError(.unauthenticated, "the token is not valid")
        }
        let user = String(parts[1].dropFirst(prefix.count))
        guard (1...128).contains(user.count),
            user.allSatisfy({ $0.isASCII && ($0.isLetter || $0.isNumber || "-_".contains($0)) })
        else {
            throw CallableError(.unauthenticated, "the token is not valid")
        }
        return user
    }

    /// A required text of the data.
    package func text(_ name: String) throws(CallableError) -> String {
        guard let text = data[name]?.string, !text.isEmpty, text.count <= 200 else {
            throw CallableError(.invalidArgument, "“\(name)” must be a text of 1 to 200 characters")
        }
        return text
    }

    /// An optional text of the data.
    package func optionalText(_ name: String) throws(CallableError) -> String? {
        guard let value = data[name], value != .null else { return nil }
        guard let text = value.string, text.count <= 200 else {
            throw CallableError(.invalidArgument, "“\(name)” must be a text of at most 200 characters")
        }
        return text
    }

    /// A list of texts of the data.
    package func texts(_ name: String, atLeast least: Int = 0) throws(CallableError) -> [String] {
        let value = data[name] ?? .array([])
        let texts = value.array?.compactMap(\.string) ?? []
        guard let items = value.array, texts.count == items.count, (least...100).contains(texts.count) else {
            throw CallableError(.invalidArgument, "“\(name)” must be a list of \(least) to 100 texts")
        }
        return texts
    }
}

extension Substring {
    fileprivate var trimmed: String { String(drop { $0 == " " }.reversed().drop { $0 == " " }.reversed()) }
}
