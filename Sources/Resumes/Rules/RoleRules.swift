import JSON

/// What is wrong with the bullets of roles taken together.
struct RoleRules {
    let lexicon: Lexicon
    let roles: [Resume.Role]

    var findings: [Recommendation] { roles.flatMap(counts) + roles.flatMap(verbs) + duplicates }

    private func counts(_ role: Resume.Role) -> [Recommendation] {
        guard !(2...6).contains(role.bullets.count) else { return [] }
        let few = role.bullets.count < 2
        return [
            Rule.bulletsPerRole.finding(
                at: "work-\(role.index)",
                in: .experience,
                few ? .add : .restructure,
                few ? "Say more of this role" : "Say less of this role",
                "\(role.title.isEmpty ? "The role" : "“\(role.title)”") has \(role.bullets.count) bullets; 2 to 6 are read."
            )
        ]
    }

    /// The same verb at the beginning of three bullets or more.
    private func verbs(_ role: Resume.Role) -> [Recommendation] {
        let openers = role.bullets.compactMap { Words.of($0.text).first?.text }.compactMap { lexicon.verb($0)?.base }
        let counts = Dictionary(openers.map { ($0, 1) }, uniquingKeysWith: +).filter { $0.value >= 3 }
        return counts.keys.sorted().map { verb in
            Rule.repeatedWords.finding(
                at: "work-\(role.index)-\(verb)",
                in: .experience,
                .modify,
                "Use different verbs",
                "\(counts[verb] ?? 0) bullets of one role begin with “\(verb)”."
            )
        }
    }

    /// Bullets that are the same but for case and punctuation, or all but a few words.
    private var duplicates: [Recommendation] {
        var seen: [(words: [String], set: Set<String>, facts: Set<String>)] = []
        var findings: [Recommendation] = []
        for line in roles.flatMap(\.bullets) {
            let cut = Words.of(line.text)
            let words = cut.map(\.lower)
            let set = Set(words)
            // Another number or another name is another fact.
            let facts = Set(cut.dropFirst().filter { $0.hasDigit || $0.isCapitalized }.map(\.lower)).union(
                lexicon.words(.number).intersection(set)
            )
            guard !words.isEmpty else { continue }
            let isSame = seen.contains { $0.words == words }
            if isSame || seen.contains(where: { $0.facts == facts && Self.isAlike($0.set, set) }) {
                findings.append(
                    Rule.duplicateBullet.finding(
                        at: line.place,
                        in: .experience,
                        .remove,
                        "Say it once",
                        isSame ? "The same bullet stands elsewhere." : "Nearly the same bullet stands elsewhere.",
                        line: line,
                        // What only looks alike is for its writer to judge.
                        changes: isSame
                            ? [JSONChange(pointer: line.pointer, before: .string(line.text), after: nil)] : []
                    )
                )
            } else {
                seen.append((words, set, facts))
            }
        }
        return findings
    }

    private static func isAlike(_ one: Set<String>, _ other: Set<String>) -> Bool {
        guard min(one.count, other.count) >= 6 else { return false }
        return Double(one.intersection(other).count) / Double(one.union(other).count) >= 0.85
    }
}
