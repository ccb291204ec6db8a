/// The deterministic engine: rules, the guard over them, and the fifteen that matter most.
package struct Engine: Sendable {
    package static let most = 15

    private let lexicon: Lexicon
    private let now: ResumeDate

    /// - Parameter now: the date up to which ongoing roles are counted.
    package init(now: ResumeDate, lexicon: Lexicon = .shared) {
        self.lexicon = lexicon
        self.now = now
    }

    /// Every finding of every rule, the most urgent first; one whose suggestion the guard does not let through is advice without it.
    package func findings(in resume: Resume, keywords: [String] = []) -> [Recommendation] {
        let truth = TruthGuard(resume, lexicon: lexicon)
        return sorted(resume, keywords).map { Self.grounded($0, truth) }
    }

    private func sorted(_ resume: Resume, _ keywords: [String]) -> [Recommendation] {
        let roles = resume.roles
        var all = roles.flatMap { role in
            role.bullets.flatMap { BulletRules($0, of: role, now: now, lexicon: lexicon).findings }
        }
        all += resume.prose.flatMap { WordingRules($0, lexicon: lexicon).findings }
        all += RoleRules(lexicon: lexicon, roles: roles).findings
        all += DateRules(resume: resume, now: now).findings
        all += WholeRules(resume: resume, lexicon: lexicon, now: now).findings
        all += KeywordRules(resume: resume, keywords: Keywords(keywords, in: resume)).findings
        return all.sorted { ($1.priority, $0.id) < ($0.priority, $1.id) }
    }

    /// The most urgent findings, at most ``most``.
    package func recommendations(for resume: Resume, keywords: [String] = []) -> [Recommendation] {
        let truth = TruthGuard(resume, lexicon: lexicon)
        return sorted(resume, keywords).prefix(Self.most).map { Self.grounded($0, truth) }
    }

    private static func grounded(_ recommendation: Recommendation, _ truth: TruthGuard) -> Recommendation {
        guard let suggestion = recommendation.suggestedContent, !truth.verdict(on: suggestion).isGrounded else {
            return recommendation
        }
        var advice = recommendation
        advice.suggestedContent = nil
        advice.placeholders = []
        advice.changes = []
        return advice
    }
}
