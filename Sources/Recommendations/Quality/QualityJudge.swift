package import JSON

/// Judges an answer as its caller gets it: by its JSON, the résumé and what was asked.
package struct QualityJudge {
    private let resume: JSONValue
    private let evidence: ResumeEvidence
    private let said: [String]
    private let role: String?
    private let keywords: [String]

    /// - Parameters:
    ///   - resume: the one that the answer is of, before any change.
    ///   - role: the target role that was asked for.
    ///   - keywords: the keywords that were asked for.
    ///   - said: what the résumé's owner has filled in with this call.
    package init(_ resume: JSONValue, role: String? = nil, keywords: [String] = [], said: [String] = []) {
        self.resume = resume
        self.said = said
        evidence = ResumeEvidence(resume, said: said)
        self.role = role
        self.keywords = keywords
    }

    package func judge(_ data: [String: JSONValue], of operation: Operation) -> AnswerQuality {
        let recommendations = Self.recommendations(data, of: operation)
        // What was filled in earlier is its owner's word wherever it stands.
        let filled = recommendations.compactMap { $0["customizedContent"]?.string }
        let grounds =
            filled.isEmpty || operation == .customizePlaceholders
            ? evidence : ResumeEvidence(resume, said: said + filled)
        let offered = offered(data, recommendations, of: operation)
        let wishes = operation == .getRecommendations ? wishes(data) : []
        return AnswerQuality(
            grounded: Self.share(offered, grounds.bears),
            relevant: min(Self.share(recommendations, isOfThisResume), Self.share(wishes) { $0 }),
            distinct: Self.distinct(recommendations),
            complete: Self.complete(data, recommendations, of: operation)
        )
    }

    /// Every text that the answer would put, or has put, into the résumé.
    private func offered(
        _ data: [String: JSONValue],
        _ recommendations: [JSONValue],
        of operation: Operation
    ) -> [String] {
        var texts = recommendations.compactMap { $0["suggestedContent"]?.string }
        for change in recommendations.flatMap({ $0["changes"]?.array ?? [] }) {
            texts += change["after"].map(ResumeEvidence.texts) ?? []
        }
        switch operation {
        case .getRecommendations: break
        case .previewImprovement: texts += [data["afterContent"]?.string].compactMap { $0 } + new(in: data["previewCV"])
        case .applyImprovements: texts += new(in: data["improvedCV"])
        case .customizePlaceholders: texts += [data["customizedContent"]?.string].compactMap { $0 }
        }
        return texts
    }

    /// The texts of a résumé that are not in the one before.
    private func new(in changed: JSONValue?) -> [String] {
        let old = Set(ResumeEvidence.texts(in: resume))
        return (changed.map(ResumeEvidence.texts) ?? []).filter { !old.contains($0) }
    }

    private static func recommendations(_ data: [String: JSONValue], of operation: Operation) -> [JSONValue] {
        switch operation {
        case .getRecommendations: data["recommendations"]?.array ?? []
        case .applyImprovements: data["appliedRecommendations"]?.array ?? []
        case .previewImprovement, .customizePlaceholders: data["recommendation"].map { [$0] } ?? []
        }
    }

    /// What it quotes stands in the résumé, and what it changes is there as it says.
    private func isOfThisResume(_ recommendation: JSONValue) -> Bool {
        guard evidence.holds(recommendation["currentContent"]?.string ?? "") else { return false }
        return (recommendation["changes"]?.array ?? []).allSatisfy { change in
            guard let pointer = change["pointer"]?.string.flatMap({ JSONPointer(parsing: $0) }) else { return false }
            return pointer.tokens.last == "-" || resume[pointer: pointer] == change["before"]
        }
    }

    /// For each wish of the request, whether the answer is of it: the role is that role; a keyword is matched where the résumé shows it, and else missing.
    private func wishes(_ data: [String: JSONValue]) -> [Bool] {
        guard role != nil || !keywords.isEmpty else { return [] }
        let answer = role == nil ? data["keywordCoverage"] : data["roleCompatibility"]
        func texts(_ name: String) -> Set<String> { Set((answer?[name]?.array ?? []).compactMap(\.string)) }
        let matched = texts("matchedKeywords"), missing = texts("missingKeywords")
        return [answer != nil && answer?["targetRole"]?.string == role]
            + Set(keywords).map { keyword in
                // One that says nothing has no place in either list.
                guard keyword.contains(where: { $0.isLetter || $0.isNumber }) else { return true }
                let same = { (one: String) in one.lowercased() == keyword.lowercased() }
                return matched.contains(where: same)
                    ? !missing.contains(where: same) && evidence.holds(keyword) : missing.contains(where: same)
            }
    }

    /// The share of recommendations that no earlier one says already: of the same place, or of none, under the same title in the same words.
    private static func distinct(_ recommendations: [JSONValue]) -> Double {
        let matters = recommendations.map { recommendation in
            [recommendation["title"], recommendation["currentContent"], recommendation["suggestedContent"]].map {
                ($0?.string ?? "").lowercased().split { !($0.isLetter || $0.isNumber) }.joined(separator: " ")
            } + [recommendation["description"]?.string ?? ""]
                + (recommendation["changes"]?.array ?? []).map { $0["pointer"]?.string ?? "" }
        }
        return matters.isEmpty ? 1 : Double(Set(matters).count) / Double(matters.count)
    }

    private static func fields(of operation: Operation) -> [String] {
        switch operation {
        case .getRecommendations:
            [
                "recommendations", "overallScore", "sectionScores", "strengths", "weaknesses", "missingElements",
                "atsCompatibility", "careerInsights", "generatedAt", "processingTime",
            ]
        case .previewImprovement:
            ["recommendation", "beforeContent", "afterContent", "previewCV", "estimatedImpact"]
        case .applyImprovements:
            [
                "jobId", "improvedCV", "appliedRecommendations", "transformationSummary", "comparisonReport",
                "improvementsApplied", "message",
            ]
        case .customizePlaceholders:
            ["recommendation", "customizedContent", "placeholdersApplied", "validationResults"]
        }
    }

    /// The share of the contract's fields that are there; half of it where one is beyond its limits.
    private static func complete(
        _ data: [String: JSONValue],
        _ recommendations: [JSONValue],
        of operation: Operation
    ) -> Double {
        let scores = [data["overallScore"], data["atsCompatibility"]].compactMap { $0 }
        let isWithinLimits =
            recommendations.count <= 15 && (data["careerInsights"]?.array ?? []).count <= 5
            && scores.allSatisfy { $0.int.map { (0...100).contains($0) } ?? false }
            && recommendations.allSatisfy(isWhole)
        return share(fields(of: operation)) { data[$0] != nil } * (isWithinLimits ? 1 : 0.5)
    }

    private static func isWhole(_ recommendation: JSONValue) -> Bool {
        let texts = ["id", "type", "category", "section", "actionRequired", "title", "description", "impact"]
        guard texts.allSatisfy({ recommendation[$0]?.string?.isEmpty == false }),
            let priority = recommendation["priority"]?.int, (1...10).contains(priority)
        else { return false }
        // Whatever is open can be filled in.
        let declared = Set((recommendation["placeholders"]?.array ?? []).compactMap { $0["id"]?.string })
        let open = (recommendation["suggestedContent"]?.string ?? "").matches(of: /\{\{([A-Za-z0-9_]+)\}\}/)
        return open.allSatisfy { declared.contains(String($0.output.1)) }
    }

    private static func share<Item>(_ items: [Item], _ isGood: (Item) -> Bool) -> Double {
        items.isEmpty ? 1 : Double(items.count(where: isGood)) / Double(items.count)
    }
}
