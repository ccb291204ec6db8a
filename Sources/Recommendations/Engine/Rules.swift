/// What the engine looks for. Each rule is a function from a résumé to its findings, in the order of the text.
enum Rules {
    static func all(_ resume: Resume) -> [Recommendation] {
        var findings: [Recommendation] = []
        for bullet in resume.bullets { findings += self.bullet(bullet) }
        findings += duplicates(resume) + missing(resume) + buzzwords(resume)
        if resume.skills.count < 8 { findings.append(fewSkills(resume)) }
        return findings
    }

    private static func bullet(_ bullet: Resume.Bullet) -> [Recommendation] {
        let words = Words.lowered(bullet.text)
        guard let first = words.first else { return [] }
        var findings: [Recommendation] = []
        if let opener = Lexicon.weakOpeners.first(where: { bullet.text.lowercased().hasPrefix($0) }) {
            let rest = bullet.text.dropFirst(opener.count).drop { $0 == " " }
            findings.append(
                finding(
                    "weak_opener",
                    bullet,
                    "Begin with what you did",
                    "“\(opener)” says that something was yours, not what you did.",
                    suggested: "{{ACTION_VERB}} \(rest)",
                    placeholder: "ACTION_VERB",
                    kind: .text,
                    priority: 7,
                    improvement: 6
                )
            )
        } else if !Lexicon.actionVerbs.contains(first) {
            findings.append(
                finding(
                    "no_action_verb",
                    bullet,
                    "Begin with a verb of action",
                    "A bullet that begins with a verb says what you did.",
                    suggested: "{{ACTION_VERB}} \(bullet.text)",
                    placeholder: "ACTION_VERB",
                    kind: .text,
                    priority: 5,
                    improvement: 4
                )
            )
        }
        if !bullet.text.contains(where: \.isNumber) {
            let text = bullet.text.last == "." ? String(bullet.text.dropLast()) : bullet.text
            findings.append(
                finding(
                    "no_quantity",
                    bullet,
                    "Say how much",
                    "A number makes an achievement comparable.",
                    suggested: "\(text) by {{ADD_PERCENTAGE}}%",
                    placeholder: "ADD_PERCENTAGE",
                    kind: .number,
                    priority: 8,
                    improvement: 8
                )
            )
        }
        if words.contains(where: Lexicon.firstPerson.contains) {
            let kept = bullet.text.split(separator: " ").filter { !Lexicon.firstPerson.contains($0.lowercased()) }
            findings.append(
                finding(
                    "first_person",
                    bullet,
                    "Leave out the first person",
                    "A résumé is about you: “I” and “my” go without saying.",
                    suggested: kept.joined(separator: " "),
                    priority: 4,
                    improvement: 3
                )
            )
        }
        if !(8...30).contains(words.count) {
            findings.append(
                finding(
                    "bullet_length",
                    bullet,
                    words.count < 8 ? "Say more" : "Say it in fewer words",
                    "A bullet of 8 to 30 words is read to its end.",
                    suggested: nil,
                    priority: 3,
                    improvement: 2
                )
            )
        }
        if zip(words, words.dropFirst()).contains(where: { Lexicon.passive.contains($0) && $1.hasSuffix("ed") }) {
            findings.append(
                finding(
                    "passive_voice",
                    bullet,
                    "Say who did it",
                    "The passive voice hides that it was you.",
                    suggested: nil,
                    priority: 4,
                    improvement: 3
                )
            )
        }
        return findings
    }

    private static func finding(
        _ rule: String,
        _ bullet: Resume.Bullet,
        _ title: String,
        _ description: String,
        suggested: String?,
        placeholder: String? = nil,
        kind: Placeholder.Kind = .text,
        priority: Int,
        improvement: Int
    ) -> Recommendation {
        Recommendation(
            id: "\(rule)-work-\(bullet.work)-\(bullet.index)",
            type: .content,
            category: rule,
            section: .experience,
            actionRequired: .modify,
            title: title,
            description: description,
            suggestedContent: suggested,
            currentContent: bullet.text,
            impact: priority >= 7 ? .high : priority >= 4 ? .medium : .low,
            priority: priority,
            estimatedScoreImprovement: improvement,
            placeholders: placeholder.map {
                [
                    Placeholder(
                        id: $0,
                        name: $0.lowercased(),
                        type: kind,
                        description: "only you know it",
                        required: true
                    )
                ]
            },
            path: bullet.path
        )
    }

    private static func duplicates(_ resume: Resume) -> [Recommendation] {
        var seen: Set<String> = []
        return resume.bullets.compactMap { bullet in
            let isNew = seen.insert(Words.lowered(bullet.text).joined(separator: " ")).inserted
            guard !isNew else { return nil }
            return finding(
                "duplicate_bullet",
                bullet,
                "Say it once",
                "The same bullet stands elsewhere.",
                suggested: nil,
                priority: 6,
                improvement: 4
            )
        }
    }

    private static func missing(_ resume: Resume) -> [Recommendation] {
        var findings: [Recommendation] = []
        func add(_ what: String, _ section: Recommendation.Section, _ priority: Int, _ kind: Recommendation.Kind) {
            findings.append(
                Recommendation(
                    id: "missing-\(what)",
                    type: kind,
                    category: "missing_\(what)",
                    section: section,
                    actionRequired: .add,
                    title: "Add your \(what)",
                    description: "Readers and their programs look for it.",
                    impact: .high,
                    priority: priority,
                    estimatedScoreImprovement: 10
                )
            )
        }
        if resume.summary == nil { add("summary", .professionalSummary, 8, .sectionAddition) }
        if resume.email == nil { add("email", .personalInfo, 10, .atsOptimization) }
        if resume.phone == nil { add("phone", .personalInfo, 9, .atsOptimization) }
        if !resume.hasWork { add("experience", .experience, 9, .sectionAddition) }
        if !resume.hasEducation { add("education", .education, 6, .sectionAddition) }
        return findings
    }

    private static func buzzwords(_ resume: Resume) -> [Recommendation] {
        guard let summary = resume.summary else { return [] }
        let found = Lexicon.buzzwords.filter { summary.lowercased().contains($0) }
        guard !found.isEmpty else { return [] }
        return [
            Recommendation(
                id: "buzzwords-summary",
                type: .content,
                category: "buzzwords",
                section: .professionalSummary,
                actionRequired: .modify,
                title: "Show it instead of saying it",
                description: "Words that everybody uses say nothing: \(found.joined(separator: ", ")).",
                currentContent: summary,
                impact: .medium,
                priority: 5,
                estimatedScoreImprovement: 4,
                path: [.key("basics"), .key("summary")]
            )
        ]
    }

    private static func fewSkills(_ resume: Resume) -> Recommendation {
        Recommendation(
            id: "few-skills",
            type: .keywordOptimization,
            category: "few_skills",
            section: .skills,
            actionRequired: .add,
            title: "Name at least eight skills",
            description: "You name \(resume.skills.count).",
            impact: .medium,
            priority: 6,
            estimatedScoreImprovement: 6
        )
    }
}
