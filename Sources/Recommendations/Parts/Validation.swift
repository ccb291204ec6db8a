package import Callable

/// What is asked of one operation, about one job.
package protocol JobRequest: Sendable {
    var job: String { get }
    /// - Throws: INVALID_ARGUMENT, with the field.
    init(_ call: Call) throws(CallableError)
}

/// A request that may be answered.
package struct Admitted<Request: JobRequest>: Sendable {
    package var user: String
    package var request: Request
    /// Counts what the job's answers rest on: one that was kept under another number is none.
    package var version: Int64

    package init(user: String, request: Request, version: Int64) {
        self.user = user
        self.request = request
        self.version = version
    }
}

/// Says whether a call may be answered: nothing is read, kept or made for one before it was admitted.
package protocol Validation: Sendable {
    /// - Throws: UNAUTHENTICATED, RESOURCE_EXHAUSTED, INVALID_ARGUMENT, NOT_FOUND or PERMISSION_DENIED, in this order.
    func admit<Request: JobRequest>(_ call: Call, as: Request.Type) async throws -> Admitted<Request>
}

/// The validation of both implementations: a user, within the limit; a whole request; of a job that is the user's.
struct CallValidation: Validation {
    private let store: JobStore
    private let limiter: RateLimiter?

    init(store: JobStore, limiter: RateLimiter?) {
        self.store = store
        self.limiter = limiter
    }

    func admit<Request: JobRequest>(_ call: Call, as: Request.Type) async throws -> Admitted<Request> {
        let user = try call.user
        // A copy is nothing that the user has asked: it has a measure of its own.
        try limiter?.take(user, isCopy: call.isCopy)
        let request = try Request(call)
        guard let head = try await store.head(request.job) else {
            throw CallableError(.notFound, "there is no such job")
        }
        // Byte by byte: two names that look the same to Unicode are two users.
        guard Array(head.owner.utf8) == Array(user.utf8) else {
            throw CallableError(.permissionDenied, "the job is not yours")
        }
        return Admitted(user: user, request: request, version: head.version)
    }
}
