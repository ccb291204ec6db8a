package import Callable
package import JSON

/// The operations of the product; each is a path, and a service that a migration can switch.
package enum Operation: String, Hashable, Sendable, CaseIterable {
    case getRecommendations, previewImprovement, applyImprovements, customizePlaceholders

    /// How long one may take in all.
    var timeLimit: Duration {
        switch self {
        case .getRecommendations: .seconds(300)
        case .previewImprovement, .customizePlaceholders: .seconds(60)
        case .applyImprovements: .seconds(180)
        }
    }
}

/// What an operation answers.
package struct Answer: Hashable, Sendable {
    package var data: [String: JSONValue]
    /// The value of `Cache-Status`; nil where there is no cache.
    package var cacheStatus: String?
    /// How good it is; nil for an operation whose answers are not judged.
    package var quality: AnswerQuality?

    package init(data: [String: JSONValue], cacheStatus: String? = nil, quality: AnswerQuality? = nil) {
        self.data = data
        self.cacheStatus = cacheStatus
        self.quality = quality
    }
}

/// One implementation of the four operations.
package protocol RecommendationService: Sendable {
    /// - Throws: ``CallableError``; anything else is told as INTERNAL.
    func answer(_ operation: Operation, _ call: Call) async throws -> Answer
}
