package import JSON

/// A failure as the callable protocol tells it: a canonical status and a message; the HTTP status follows from it.
package struct CallableError: Error, Hashable, Sendable {
    /// The canonical statuses of the protocol, each with its HTTP status.
    package enum Status: String, Hashable, Sendable, CaseIterable {
        case invalidArgument = "INVALID_ARGUMENT"
        case failedPrecondition = "FAILED_PRECONDITION"
        case outOfRange = "OUT_OF_RANGE"
        case unauthenticated = "UNAUTHENTICATED"
        case permissionDenied = "PERMISSION_DENIED"
        case notFound = "NOT_FOUND"
        case aborted = "ABORTED"
        case alreadyExists = "ALREADY_EXISTS"
        case resourceExhausted = "RESOURCE_EXHAUSTED"
        case cancelled = "CANCELLED"
        case unknown = "UNKNOWN"
        case `internal` = "INTERNAL"
        case dataLoss = "DATA_LOSS"
        case unimplemented = "UNIMPLEMENTED"
        case unavailable = "UNAVAILABLE"
        case deadlineExceeded = "DEADLINE_EXCEEDED"

        package var http: Int {
            switch self {
            case .invalidArgument, .failedPrecondition, .outOfRange: 400
            case .unauthenticated: 401
            case .permissionDenied: 403
            case .notFound: 404
            case .aborted, .alreadyExists: 409
            case .resourceExhausted: 429
            case .cancelled: 499
            case .unknown, .internal, .dataLoss: 500
            case .unimplemented: 501
            case .unavailable: 503
            case .deadlineExceeded: 504
            }
        }
    }

    package let status: Status
    package let message: String
    /// What a program can make of it.
    package let details: JSONValue?

    package init(_ status: Status, _ message: String, details: JSONValue? = nil) {
        self.status = status
        self.message = message
        self.details = details
    }

    /// `{"status", "message", "details"?}`, as it stands below `error`.
    package var json: JSONValue {
        var fields: [String: JSONValue] = ["status": .string(status.rawValue), "message": .string(message)]
        fields["details"] = details
        return .object(fields)
    }

    /// What a caller learns of a failure that nobody foresaw: nothing.
    package static let unexpected = CallableError(.internal, "INTERNAL")
}
