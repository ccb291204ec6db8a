import JSON
import NIOCore

/// Where two answers to one request differ.
///
/// JSON is compared field by field; the status, and everything else, as a whole. A list is compared as lists of recommendations are: by the overlap
/// of the two sets (Jaccard), by the rank correlation of what both have (Spearman's rho), and then what both have field by field.
package struct AnswerDifference {
    /// A list with a smaller overlap, or a smaller rank correlation, differs.
    static let likeness = 0.8
    /// No more fields are told.
    private static let most = 200
    /// A value is told up to so many characters.
    private static let longest = 120

    package struct Field: Hashable, Sendable {
        /// Where it is: `result.data.recommendations[].title`, `status`, `body`.
        package var path: String
        package var legacy: String
        package var candidate: String

        package init(path: String, legacy: String, candidate: String) {
            self.path = path
            self.legacy = legacy
            self.candidate = candidate
        }
    }

    package private(set) var fields: [Field] = []

    /// - Parameter ignored: paths of fields that are not compared, nor what is below them.
    package init(legacy: ShadowAnswer, candidate: ShadowAnswer, ignoring ignored: [String] = []) {
        let ignored = Set(ignored)
        if legacy.status != candidate.status { add("status", "\(legacy.status)", "\(candidate.status)") }
        let texts = [legacy, candidate].map { answer in
            answer.isJSON
                ? (try? JSONValue(parsing: answer.body.readableBytesView)).map { Self.without(ignored, "", $0) } : nil
        }
        if let left = texts[0], let right = texts[1] {
            compare("", left, right)
        } else if legacy.body != candidate.body {
            add("body", "\(legacy.body.readableBytes) bytes", "\(candidate.body.readableBytes) bytes")
        }
    }

    /// A value without the fields that are ignored, so that entries of lists are not told apart by them either.
    private static func without(_ ignored: Set<String>, _ path: String, _ value: JSONValue) -> JSONValue {
        guard !ignored.isEmpty else { return value }
        switch value {
        case .object(let fields):
            let kept = fields.compactMap { key, value -> (String, JSONValue)? in
                let inner = path.isEmpty ? key : "\(path).\(key)"
                return ignored.contains(inner) ? nil : (key, without(ignored, inner, value))
            }
            return .object(Dictionary(kept) { first, _ in first })
        case .array(let values):
            return ignored.contains("\(path)[]") ? [] : .array(values.map { without(ignored, "\(path)[]", $0) })
        case .null, .bool, .int, .number, .decimal, .string: return value
        }
    }

    private mutating func compare(_ path: String, _ left: JSONValue, _ right: JSONValue) {
        switch (left, right) {
        case (.object(let old), .object(let new)):
            for key in Set(old.keys).union(new.keys).sorted() {
                let inner = path.isEmpty ? key : "\(path).\(key)"
                switch (old[key], new[key]) {
                case (let one?, let other?): compare(inner, one, other)
                case (let one, let other): add(inner, one?.shown ?? "absent", other?.shown ?? "absent")
                }
            }
        case (.array(let old), .array(let new)): compare(path, old, new)
        // The same number may be written in several ways.
        default:
            guard left != right, left.double == nil || left.double != right.double else { return }
            add(path.isEmpty ? "body" : path, left.shown, right.shown)
        }
    }

    private mutating func compare(_ path: String, _ old: [JSONValue], _ new: [JSONValue]) {
        let left = Self.byIdentity(old), right = Self.byIdentity(new)
        let both = left.order.filter { right.values[$0] != nil }
        let all = Set(left.order).union(right.order).count
        if all > 0, Double(both.count) / Double(all) < Self.likeness {
            add("\(path)[] overlap", "\(old.count) entries", "\(new.count) entries, \(both.count) of them the same")
        } else if let correlation = Self.rankCorrelation(both, right.order), correlation < Self.likeness {
            add("\(path)[] order", "as it is", "correlation \(Double(Int(correlation * 100)) / 100)")
        }
        for name in both {
            if let one = left.values[name], let other = right.values[name] { compare("\(path)[]", one, other) }
        }
    }

    /// Entries by what they are the same by: an `id`, a `title`, or all of them.
    private static func byIdentity(_ list: [JSONValue]) -> (order: [String], values: [String: JSONValue]) {
        var order: [String] = []
        var values: [String: JSONValue] = [:]
        for value in list {
            var name = value.text
            if case .object(let fields) = value, let known = fields["id"] ?? fields["title"] { name = known.text }
            if values.updateValue(value, forKey: name) == nil { order.append(name) }
        }
        return (order, values)
    }

    /// Spearman's rank correlation of what stands in both orders; nil of fewer than three.
    static func rankCorrelation(_ both: [String], _ other: [String]) -> Double? {
        let count = both.count
        guard count >= 3 else { return nil }
        let wanted = Set(both)
        let ranks = Dictionary(
            other.filter { wanted.contains($0) }.enumerated().map { ($1, $0) },
            uniquingKeysWith: { first, _ in first }
        )
        let squares = both.enumerated().reduce(0.0) { sum, entry in
            let distance = Double(entry.offset - (ranks[entry.element] ?? entry.offset))
            return sum + distance * distance
        }
        let n = Double(count)
        return 1 - 6 * squares / (n * (n * n - 1))
    }

    private mutating func add(_ path: String, _ legacy: String, _ candidate: String) {
        guard fields.count < Self.most else { return }
        func shown(_ value: String) -> String { String(Redaction.shown(value, at: path).prefix(Self.longest)) }
        fields.append(
            Field(path: String(path.prefix(Self.longest)), legacy: shown(legacy), candidate: shown(candidate))
        )
    }
}

extension JSONValue {
    /// What a sample tells of it: of what has fields of its own, only how many.
    fileprivate var shown: String {
        switch self {
        case .array(let values): "a list of \(values.count)"
        case .object(let fields): "an object of \(fields.count)"
        case .string(let value): value
        case .null, .bool, .int, .number, .decimal: text
        }
    }
}
