import Callable
import JSON
import Resumes

/// A recommendation's text with its placeholders filled in.
struct Customization {
    let text: String
    let applied: [String]
    let values: [String]
    let results: [JSONValue]

    /// - Throws: INVALID_ARGUMENT where a value will not do, with the verdict on each.
    init(_ recommendation: Recommendation, _ given: [String: String]) throws(CallableError) {
        guard let suggestion = recommendation.suggestedContent else {
            throw CallableError(.failedPrecondition, "“\(recommendation.id)” has no text to fill in")
        }
        let known = recommendation.placeholders
        if let unknown = given.keys.sorted().first(where: { id in !known.contains { $0.id == id } }) {
            throw CallableError(
                .invalidArgument,
                "there is no placeholder “\(unknown)”; there are: \(known.map(\.id).joined(separator: ", "))"
            )
        }
        var filled: [String: String] = [:]
        var isValid = true
        results = known.map { placeholder in
            let value = given[placeholder.id] ?? placeholder.defaultValue ?? ""
            let refusal = placeholder.refusal(of: value)
            if refusal == nil { filled[placeholder.id] = value } else { isValid = false }
            var result: [String: JSONValue] = ["id": .string(placeholder.id), "valid": .bool(refusal == nil)]
            result["message"] = refusal.map { .string($0) }
            return .object(result)
        }
        guard isValid else {
            let wrong = results.filter { $0["valid"]?.bool == false }.compactMap { $0["id"]?.string }
            throw CallableError(
                .invalidArgument,
                "these placeholders need other values: \(wrong.joined(separator: ", "))",
                details: ["validationResults": .array(results)]
            )
        }
        values = filled.values.filter { !$0.isEmpty }
        applied = filled.filter { !$0.value.isEmpty }.keys.sorted()
        text = Placeholders.filled(suggestion, with: filled)
    }
}
