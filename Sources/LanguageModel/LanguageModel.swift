package import JSON

/// Something that answers a prompt with JSON of a schema.
package protocol LanguageModel: Sendable {
    /// - Parameters:
    ///   - deadline: for everything, retries and waits between them included.
    ///   - told: is given the answer's text piece by piece, where the model tells it so.
    func complete(
        _ request: ModelRequest,
        deadline: ContinuousClock.Instant,
        told: @escaping @Sendable (String) -> Void
    ) async throws(ModelError) -> ModelReply
}

extension LanguageModel {
    package func complete(_ request: ModelRequest, deadline: ContinuousClock.Instant) async throws(ModelError)
        -> ModelReply
    {
        try await complete(request, deadline: deadline) { _ in }
    }
}

/// What a model is asked.
package struct ModelRequest: Sendable {
    /// What is the same for every request: kept in the model's own prompt cache where it has one.
    package var system: String
    package var prompt: String
    /// The schema's name, of letters, digits, `-` and `_`.
    package var name: String
    /// A JSON Schema of what is to be answered.
    package var schema: JSONValue
    package var mostTokens: Int
    /// Whether a reply is of the schema: models promise that, and this is whether they keep it. One that is not is ``ModelError/malformed(_:)``.
    package var accepts: @Sendable (JSONValue) -> Bool

    package init(
        system: String,
        prompt: String,
        name: String,
        schema: JSONValue,
        mostTokens: Int = 4_096,
        accepts: @escaping @Sendable (JSONValue) -> Bool = { _ in true }
    ) {
        self.accepts = accepts
        self.system = system
        self.prompt = prompt
        self.name = name
        self.schema = schema
        self.mostTokens = mostTokens
    }

    /// A guess at the tokens that it may cost: a token is about four bytes.
    var estimate: Int { (system.utf8.count + prompt.utf8.count + schema.bytes.count) / 4 + mostTokens }
}

/// What a model answered.
package struct ModelReply: Hashable, Sendable {
    package var value: JSONValue
    package var usage: ModelUsage

    package init(value: JSONValue, usage: ModelUsage) {
        self.value = value
        self.usage = usage
    }
}

/// The tokens that an answer took.
package struct ModelUsage: Hashable, Sendable {
    package var input = 0
    package var output = 0
    /// Of the input, what came from the model's prompt cache.
    package var cached = 0

    package init(input: Int = 0, output: Int = 0, cached: Int = 0) {
        self.input = input
        self.output = output
        self.cached = cached
    }

    /// Adds numbers of tokens as a model tells them; one that is not there is 0.
    ///
    /// - Throws: ``ModelError/malformed(_:)`` for what cannot have been counted.
    static func tokens(_ counts: JSONValue?...) throws(ModelError) -> Int {
        var sum = 0
        for count in counts {
            guard let count, count != .null else { continue }
            guard let number = count.int, (0...1_000_000_000).contains(number) else {
                throw .malformed("a number of tokens is \(count.text.prefix(40))")
            }
            sum += number
        }
        return sum
    }
}

/// Why a model has not answered. None of them holds a key, a prompt or an answer.
package enum ModelError: Error, Hashable, Sendable {
    /// No connection, or a server that failed.
    case unavailable(String)
    /// The model's own limit, after every retry that there was time for.
    case rateLimited
    /// The account's spend limit: nothing will help but a person.
    case spendLimit
    /// The key is not accepted.
    case unauthorized
    /// The request is not accepted.
    case rejected(status: Int, String)
    case deadline
    /// It stopped because it may not say more; what there is, is not the whole.
    case truncated
    case refused
    /// The answer, or a stream, is not what the wire format says.
    case malformed(String)
    /// This program's own budget for a minute is spent.
    case budget
    /// It has failed so often in a row that it is left alone for a while.
    case breakerOpen

    /// As an answer's metadata names it.
    package var name: String {
        switch self {
        case .unavailable: "unavailable"
        case .rateLimited: "rate_limited"
        case .spendLimit: "spend_limit"
        case .unauthorized: "unauthorized"
        case .rejected: "rejected"
        case .deadline: "deadline"
        case .truncated: "truncated"
        case .refused: "refused"
        case .malformed: "malformed"
        case .budget: "budget"
        case .breakerOpen: "breaker_open"
        }
    }

    /// Whether the model may have done its work all the same.
    var isPaidFor: Bool {
        switch self {
        case .truncated, .refused, .malformed, .deadline: true
        case .unavailable, .rateLimited, .spendLimit, .unauthorized, .rejected, .budget, .breakerOpen: false
        }
    }

    /// Whether it says that the model is not well, as against the request or its answer.
    var countsAgainstModel: Bool {
        switch self {
        case .unavailable, .rateLimited, .deadline, .malformed: true
        case .spendLimit, .unauthorized, .rejected, .truncated, .refused, .budget, .breakerOpen: false
        }
    }
}
