/// The operations of the product; each is a path, and a service that a migration can switch.
package enum Operation: String, Hashable, Sendable, CaseIterable {
    case getRecommendations, previewImprovement, applyImprovements, customizePlaceholders
}

/// What an operation answers: its data, and what its cache did.
package struct Answer: Sendable {
    package var data: [String: JSONValue]
    /// The value of `Cache-Status`; nil where there is no cache.
    package var cacheStatus: String?
}

/// One implementation of the four operations.
protocol RecommendationService: Sendable {
    /// - Throws: ``CallableError``; anything else is told as INTERNAL.
    func answer(_ operation: Operation, _ request: CallableRequest) async throws -> Answer
}
