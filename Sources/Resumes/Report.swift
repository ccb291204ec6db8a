package import JSON

/// What the engine says of a résumé as a whole.
package struct Report: Sendable {
    package let recommendations: [Recommendation]
    package let scores: Scores
    package let ats: Int
    package let strengths: [String]
    package let weaknesses: [String]
    package let missing: [String]
    package let insights: [String]
    package let compatibility: RoleCompatibility?
    private let keywords: Keywords

    private static let mostInsights = 5

    /// - Parameters:
    ///   - recommendations: what was found, at most fifteen.
    ///   - now: the date up to which ongoing roles are counted.
    package init(
        on resume: Resume,
        _ recommendations: [Recommendation],
        role: String?,
        keywords: [String],
        now: ResumeDate
    ) {
        self.recommendations = recommendations
        scores = Scores(recommendations)
        ats = Scores.ats(resume, keywords: keywords)
        let found = Keywords(keywords, in: resume)
        self.keywords = found
        compatibility = role.map { RoleCompatibility(resume, role: $0, keywords: found) }
        missing = recommendations.filter {
            $0.category == Rule.missingSection.rawValue || $0.category == Rule.missingContact.rawValue
        }
        .map(\.title)
        let facts = Facts(resume, now: now)
        strengths = facts.strengths
        weaknesses = recommendations.filter { $0.impact == .high }.map(\.title).reduce(into: []) { titles, title in
            if !titles.contains(title) { titles.append(title) }
        }
        insights = Array((facts.insights + (compatibility?.insights ?? [])).prefix(Self.mostInsights))
    }

    /// As the contract has it, but for the times.
    package var json: [String: JSONValue] {
        func texts(_ texts: [String]) -> JSONValue { .array(texts.map { .string($0) }) }
        var fields: [String: JSONValue] = [
            "recommendations": .array(recommendations.map(\.json)),
            "overallScore": .int(scores.overall),
            "sectionScores": .object(
                Dictionary(scores.sections.map { ($0.key.rawValue, .int($0.value)) }) { first, _ in first }
            ),
            "strengths": texts(strengths), "weaknesses": texts(weaknesses), "missingElements": texts(missing),
            "atsCompatibility": .int(ats), "careerInsights": texts(insights),
        ]
        if let compatibility { fields["roleCompatibility"] = compatibility.json }
        if !keywords.covered.isEmpty || !keywords.missing.isEmpty { fields["keywordCoverage"] = .object(keywords.json) }
        return fields
    }
}

/// How near a résumé is to a role: its title to the titles that were held (40 %), the job's keywords to what it shows (60 %).
package struct RoleCompatibility: Sendable {
    package let role: String
    package let score: Int
    package let keywords: Keywords
    private let closest: String?

    init(_ resume: Resume, role: String, keywords: Keywords) {
        self.role = role
        self.keywords = keywords
        let wanted = Set(Words.lower(role))
        let held = resume.roles.map { role in
            let words = Set(Words.lower(role.position))
            let union = wanted.union(words).count
            return (role.position, union == 0 ? 0 : wanted.intersection(words).count * 100 / union)
        }
        let best = held.max { $0.1 < $1.1 }
        closest = best.flatMap { $0.1 > 0 ? $0.0 : nil }
        score = ((best?.1 ?? 0) * 4 + keywords.coverage * 6) / 10
    }

    var insights: [String] {
        var insights = [
            closest.map { "Of your titles “\($0)” is the nearest to “\(role)”." }
                ?? "None of your titles is near to “\(role)”; say in the summary what leads there."
        ]
        if !keywords.missing.isEmpty {
            insights.append("Not shown by your résumé: \(keywords.missing.prefix(3).joined(separator: ", ")).")
        }
        return insights
    }

    var json: JSONValue {
        .object(keywords.json.merging(["targetRole": .string(role), "score": .int(score)]) { $1 })
    }
}

/// What can be counted in a résumé, and said of it without inventing anything.
private struct Facts {
    let strengths: [String]
    let insights: [String]

    init(_ resume: Resume, now: ResumeDate) {
        let roles = resume.roles
        let bullets = roles.flatMap(\.bullets).map { Words.of($0.text) }
        let measured = bullets.count { Quantities.has($0) }
        let active = bullets.count { $0.first.map { Lexicon.shared.verb($0.text) != nil } ?? false }
        let skills = resume.skills.count
        var strengths: [String] = []
        if !bullets.isEmpty, measured * 2 >= bullets.count {
            strengths.append("\(measured) of \(bullets.count) bullets say how much.")
        }
        if !bullets.isEmpty, active * 4 >= bullets.count * 3 {
            strengths.append("\(active) of \(bullets.count) bullets begin with a verb of action.")
        }
        if skills >= 8 { strengths.append("\(skills) skills are named.") }
        if resume.basics("email") != nil, resume.basics("phone") != nil { strengths.append("You can be reached.") }
        self.strengths = strengths
        var insights: [String] = []
        if let years = resume.years(now: now), years > 0 {
            insights.append(
                "Your first role began \(years) \(years == 1 ? "year" : "years") ago; you name \(roles.count) \(roles.count == 1 ? "role" : "roles")."
            )
        }
        if let current = roles.first(where: \.span.isOngoing), let start = current.span.start {
            let months = now.months(isLate: false) - start.months(isLate: true)
            if months >= 36 {
                insights.append("\(months / 12) years in your present role: show what changed within it.")
            }
        }
        if !bullets.isEmpty, measured * 2 < bullets.count {
            insights.append(
                "\(bullets.count - measured) of \(bullets.count) bullets say nothing of how much: begin with those of your last role."
            )
        }
        self.insights = insights
    }
}
