import Callable
import Resumes

/// What is asked of `getRecommendations`, taken from a request and found to be whole.
struct RecommendationsRequest: Hashable, Sendable {
    var job: String
    var role: String?
    var keywords: [String]
    var isForced: Bool

    init(_ request: CallableRequest) throws(CallableError) {
        job = try request.text("jobId")
        role = try request.optionalText("targetRole")
        keywords = try request.texts("industryKeywords")
        isForced = try request.flag("forceRegenerate")
    }
}

struct PreviewRequest: Hashable, Sendable {
    var job: String
    var recommendation: String

    init(_ request: CallableRequest) throws(CallableError) {
        job = try request.text("jobId")
        recommendation = try request.text("recommendationId")
    }
}

struct ApplyRequest: Hashable, Sendable {
    var job: String
    var selected: [String]
    var role: String?
    var keywords: [String]

    init(_ request: CallableRequest) throws(CallableError) {
        job = try request.text("jobId")
        selected = try request.texts("selectedRecommendationIds", atLeast: 1)
        role = try request.optionalText("targetRole")
        keywords = try request.texts("industryKeywords")
    }
}

struct CustomizeRequest: Hashable, Sendable {
    var job: String
    var recommendation: String
    var values: [String: String]

    init(_ request: CallableRequest) throws(CallableError) {
        job = try request.text("jobId")
        recommendation = try request.text("recommendationId")
        values = try request.texts(byName: "placeholderValues")
    }
}

/// Who may touch a job: its owner. Asked before everything else, a cache above all.
struct Ownership: Sendable {
    let store: JobStore

    /// - Returns: the version of what the job's answers rest on.
    func check(_ job: String, of user: String) async throws -> Int64 {
        guard let head = try await store.head(job) else { throw CallableError(.notFound, "there is no such job") }
        // Byte by byte: two names that look the same to Unicode are two users.
        guard Array(head.owner.utf8) == Array(user.utf8) else {
            throw CallableError(.permissionDenied, "the job is not yours")
        }
        return head.version
    }
}
