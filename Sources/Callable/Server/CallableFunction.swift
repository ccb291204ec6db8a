package import JSON
import TimeLimits

/// What a function is called with.
package struct Call: Sendable {
    /// The ID token's user; nil for a caller that is not signed in.
    package let caller: String?
    package let request: CallableRequest
    /// Whether it is a copy of a call that somebody else answers: its answer is compared and thrown away.
    package let isCopy: Bool
    /// Tells the caller something before the answer; does nothing for one that did not ask for a stream.
    package let tell: @Sendable (JSONValue) -> Void
    /// Gives fields of the HTTP answer before the answer itself, as far as they are known, for a stream's head: it does not wait any longer. Does nothing for a
    /// caller that did not ask for a stream, nor once the head is gone.
    package let announce: @Sendable ([String: String]) -> Void

    package init(
        caller: String?,
        request: CallableRequest,
        isCopy: Bool = false,
        tell: @escaping @Sendable (JSONValue) -> Void = { _ in },
        announce: @escaping @Sendable ([String: String]) -> Void = { _ in }
    ) {
        self.caller = caller
        self.request = request
        self.isCopy = isCopy
        self.tell = tell
        self.announce = announce
    }

    /// The caller, who must be signed in.
    package var user: String {
        get throws(CallableError) {
            guard let caller else { throw CallableError(.unauthenticated, "sign in first") }
            return caller
        }
    }
}

/// What a function answers.
package struct CallableAnswer: Sendable {
    package var result: JSONValue
    /// More fields of the HTTP answer, such as `Cache-Status`.
    package var fields: [String: String]

    package init(_ result: JSONValue, fields: [String: String] = [:]) {
        self.result = result
        self.fields = fields
    }
}

/// A function that can be called by its name.
package struct CallableFunction: Sendable {
    package let name: String
    /// How long it may take in all; then it is cancelled, and the caller told DEADLINE_EXCEEDED.
    package let timeLimit: Duration
    package let body: @Sendable (Call) async throws -> CallableAnswer

    package init(
        _ name: String,
        timeLimit: Duration,
        _ body: @escaping @Sendable (Call) async throws -> CallableAnswer
    ) {
        self.name = name
        self.timeLimit = timeLimit
        self.body = body
    }

    /// - Throws: ``CallableError`` and nothing else; what nobody foresaw is INTERNAL, and told to `unexpected`.
    func answer(_ call: Call, unexpected: @Sendable (any Error) -> Void) async throws(CallableError) -> CallableAnswer {
        do {
            return try await TimeLimit.within(timeLimit) { try await body(call) }
        } catch is TookTooLong {
            throw CallableError(.deadlineExceeded, "the time limit has passed")
        } catch let error as CallableError {
            throw error
        } catch is CancellationError {
            throw CallableError(.cancelled, "the call was cancelled")
        } catch {
            unexpected(error)
            throw CallableError.unexpected
        }
    }
}
