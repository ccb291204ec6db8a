package import Callable

/// What is asked of `getRecommendations`, taken from a request and found to be whole.
package struct RecommendationsRequest: JobRequest, Hashable {
    package var job: String
    package var role: String?
    package var keywords: [String]
    package var isForced: Bool

    package init(_ call: Call) throws(CallableError) {
        let request = call.request
        job = try request.text("jobId")
        role = try request.optionalText("targetRole")
        keywords = try request.texts("industryKeywords")
        // What was made anew for the user is not made anew once more, over what may have been filled in since.
        isForced = try request.flag("forceRegenerate") && !call.isCopy
    }
}

/// What is asked of `previewImprovement`.
package struct PreviewRequest: JobRequest, Hashable {
    package var job: String
    package var recommendation: String

    package init(_ call: Call) throws(CallableError) {
        let request = call.request
        job = try request.text("jobId")
        recommendation = try request.text("recommendationId")
    }
}

/// What is asked of `applyImprovements`.
package struct ApplyRequest: JobRequest, Hashable {
    package var job: String
    package var selected: [String]
    package var role: String?
    package var keywords: [String]

    package init(_ call: Call) throws(CallableError) {
        let request = call.request
        job = try request.text("jobId")
        selected = try request.texts("selectedRecommendationIds", atLeast: 1)
        role = try request.optionalText("targetRole")
        keywords = try request.texts("industryKeywords")
    }
}

/// What is asked of `customizePlaceholders`.
package struct CustomizeRequest: JobRequest, Hashable {
    package var job: String
    package var recommendation: String
    package var values: [String: String]

    package init(_ call: Call) throws(CallableError) {
        let request = call.request
        job = try request.text("jobId")
        recommendation = try request.text("recommendationId")
        values = try request.texts(byName: "placeholderValues")
    }
}
