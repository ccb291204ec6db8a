package import JSON
package import Randomness

/// Résumés made from templates with known defects, and what a reader who knows the rules would find in them.
///
/// What is expected comes from what was put in, never from the engine. Among the sound lines are near misses of every rule. `Fixtures/seeded.jsonl` is
/// what this makes; `MIGRATE_RECORD=1` writes it anew.
package struct SeededResume {
    package var resume: JSONValue
    package var keywords: [String]
    /// IDs of the findings that there should be, and no others.
    package var expected: [String]

    package static let count = 480

    package static let all: [SeededResume] = (0..<count).map { Generator(seed: UInt64($0)).made() }

    package var line: String {
        JSONValue.object([
            "resume": resume, "keywords": .array(keywords.map { .string($0) }),
            "expected": .array(expected.map { .string($0) }),
        ]).text
    }
}

extension SplitMix {
    package mutating func pick<T>(_ list: [T]) -> T { list[below(list.count)] }
    package mutating func number(_ range: ClosedRange<Int>) -> Int { range.lowerBound + below(range.count) }
}

private struct Generator {
    struct Role {
        var name: String
        var position: String
        var start: Int
        var end: Int?
        var bullets: [String]
        var startText: String?
        var endText: String?
    }

    var random: SplitMix
    var roles: [Role] = []
    var skills: [String] = []
    var summary: String?
    var basics: [String: JSONValue] = [:]
    var hasEducation = true
    var hasWork = true
    var studies: [(Int, Int)] = []
    var note = ""
    var keywords: [String] = []
    var expected: [String] = []
    /// Bullets that hold a defect already.
    var taken: Set<[Int]> = []
    let seed: UInt64

    init(seed: UInt64) {
        self.seed = seed
        // Drawn twice: seeds one after the other would begin one stream at places one after the other.
        var mixer = SplitMix(seed: seed)
        random = SplitMix(seed: mixer.next())
        var lines = SeededLines.sound + SeededLines.nearMisses
        var verbs = SeededSlots.verbs.shuffled(using: &random)
        func draw(_ random: inout SplitMix, _ count: Int) -> [String] {
            (0..<count).map { _ in
                // No verb twice: that would be a finding.
                random.below(3) == 0
                    ? SeededSlots.sound(verbs.removeLast(), &random)
                    : lines.remove(at: random.number(0...lines.count - 1))
            }
        }
        let now = 2026 * 12 + 10
        let first = now - random.number(30...50)
        let second = first - random.number(26...40)
        let third = second - random.number(26...40)
        roles = [
            Role(
                name: random.pick(SeededLines.companies),
                position: random.pick(SeededLines.positions),
                start: first,
                end: nil,
                bullets: draw(&random, 4)
            ),
            Role(
                name: random.pick(SeededLines.companies),
                position: random.pick(SeededLines.positions),
                start: second,
                end: first - 1,
                bullets: draw(&random, 4)
            ),
            Role(
                name: random.pick(SeededLines.companies),
                position: random.pick(SeededLines.positions),
                start: third,
                end: second - 1,
                bullets: draw(&random, 4)
            ),
        ]
        studies = [(third - 50, third - random.number(1...5))]
        skills = Array(SeededLines.skills.shuffled(using: &random).prefix(random.number(8...12)))
        summary = random.pick(SeededLines.summaries)
        note = random.pick(SeededLines.notes)
        basics = [
            "name": .string(random.pick(SeededLines.people)), "email": .string("person\(seed)@example.org"),
            "phone": "+49 30 1234567",
        ]
    }

    func made() -> SeededResume {
        var generator = self
        // Every defect in turn, and up to three more.
        let all = Defect.allCases
        var defects = [all[Int(seed) % all.count]]
        for _ in 0..<generator.random.number(0...3) { defects.append(generator.random.pick(all)) }
        var done: Set<String> = []
        for defect in defects where done.insert(defect.group).inserted { generator.put(defect) }
        if Int(seed) % 17 == 16 { return SeededResume(resume: self.json, keywords: [], expected: []) }
        return SeededResume(resume: generator.json, keywords: generator.keywords, expected: generator.expected.sorted())
    }

    enum Defect: String, CaseIterable {
        case weakOpener, noActionVerb, noQuantity, passive, tense, firstPerson, short, long, fewBullets, manyBullets
        case tooLittle, tooMuch, buzzBullet, buzzSummary, doubled, sameVerb, duplicate, noSummary, noEducation,
            noSkills, noWork
        case noEmail, noPhone, noName, backwards, future, overlap, gap, mixed, acronym, fewSkills, keywords

        /// Of one group only one is put into a résumé: they would change each other's findings.
        var group: String {
            switch self {
            case .long, .fewBullets, .manyBullets, .sameVerb, .duplicate, .noWork, .tooLittle, .tooMuch: "roles"
            case .backwards, .future, .overlap, .gap, .mixed: "dates"
            case .noSkills, .fewSkills, .keywords: "skills"
            case .noSummary, .buzzSummary: "summary"
            default: rawValue
            }
        }
    }

    /// A bullet that is sound still.
    private mutating func place(ended: Bool = false) -> (role: Int, bullet: Int, id: String)? {
        guard hasWork else { return nil }
        let free = roles.indices.flatMap { role in roles[role].bullets.indices.map { [role, $0] } }
            .filter { !taken.contains($0) && !(ended && roles[$0[0]].end == nil) }
        guard !free.isEmpty else { return nil }
        let place = random.pick(free)
        taken.insert(place)
        return (place[0], place[1], "work-\(place[0])-highlights-\(place[1])")
    }

    /// Puts a line with a defect into the place of a sound one: every third as people wrote it, the others put together.
    private mutating func replace(
        _ lines: [String],
        _ made: (inout SplitMix) -> String,
        _ rules: String...,
        ended: Bool = false
    ) {
        guard let (role, bullet, id) = place(ended: ended) else { return }
        let line = random.below(3) == 0 ? random.pick(lines) : made(&random)
        guard !roles.contains(where: { $0.bullets.contains(line) }) else { return }
        roles[role].bullets[bullet] = line
        expected += rules.map { "\($0)-\(id)" }
    }

    private mutating func put(_ defect: Defect) {
        switch defect {
        case .weakOpener:
            let lines = SeededLines.tails.map { "\(random.pick(SeededLines.weakOpeners)) \($0)" }
            replace(lines, SeededSlots.weakOpener, "weak_opener")
        case .noActionVerb: replace(SeededLines.withoutVerb, SeededSlots.withoutVerb, "no_action_verb")
        case .noQuantity: replace(SeededLines.withoutQuantity, SeededSlots.withoutQuantity, "no_quantity")
        case .passive: replace(SeededLines.passive, SeededSlots.passive, "passive_voice")
        case .tense: replace(SeededLines.present, SeededSlots.tense, "tense", ended: true)
        case .firstPerson: replace(SeededLines.firstPerson, SeededSlots.firstPerson, "first_person")
        case .short: replace(SeededLines.short, SeededSlots.short, "bullet_length")
        case .long: replace(SeededLines.long, SeededSlots.long, "bullet_length")
        case .doubled: replace(SeededLines.doubled, SeededSlots.doubled, "repeated_words")
        case .buzzBullet: replace(SeededLines.buzz, SeededSlots.buzz, "buzzwords")
        case .acronym:
            guard let (role, bullet, id) = place() else { return }
            let (name, line) =
                random.below(3) == 0 ? random.pick(SeededLines.acronyms) : SeededSlots.acronym(&random)
            roles[role].bullets[bullet] = line
            expected.append("acronym-\(name)-\(id)")
        case .fewBullets:
            guard taken.allSatisfy({ $0[0] != 1 }) else { return }
            roles[1].bullets = Array(roles[1].bullets.prefix(1))
            expected.append("bullets_per_role-work-1")
        case .manyBullets:
            let more = SeededLines.sound.filter { line in !roles.contains { $0.bullets.contains(line) } }
            roles[2].bullets += more.prefix(random.number(3...5))
            expected.append("bullets_per_role-work-2")
        case .tooLittle:
            guard taken.isEmpty else { return }
            for index in roles.indices { roles[index].bullets = Array(roles[index].bullets.prefix(2)) }
            note = ""
            skills = Array(skills.prefix(8))
            summary = "Builds services that many people use."
            expected.append("total_length")
        case .tooMuch:
            note = Array(repeating: SeededLines.notes.joined(separator: " "), count: 16).joined(separator: " ")
            expected.append("total_length")
        case .buzzSummary:
            summary = random.pick(SeededLines.buzzSummaries)
            expected.append("buzzwords-basics-summary")
        case .sameVerb:
            guard taken.allSatisfy({ $0[0] != 0 }) else { return }
            let count = random.number(3...4)
            let made =
                random.below(3) == 0
                ? (Array(SeededLines.sameVerb.shuffled(using: &random).prefix(count)), "reduce")
                : SeededSlots.sameVerb(count, &random)
            roles[0].bullets = made.0
            for index in roles[0].bullets.indices { taken.insert([0, index]) }
            expected.append("repeated_words-work-0-\(made.1)")
        case .duplicate:
            guard taken.allSatisfy({ $0[0] != 0 }) else { return }
            let line = roles[0].bullets[0]
            roles[2].bullets.append(random.pick([line, line.uppercased().lowercased(), line + "."]))
            taken.insert([0, 0])
            taken.insert([2, 4])
            expected.append("duplicate_bullet-work-2-highlights-4")
        case .noSummary:
            summary = nil
            expected.append("missing_section-summary")
        case .noEducation:
            hasEducation = false
            expected.append("missing_section-education")
        case .noSkills:
            skills = []
            expected.append("missing_section-skills")
        case .noWork:
            guard taken.isEmpty, expected.allSatisfy({ !$0.contains("work") && !$0.contains("date") }) else { return }
            hasWork = false
            expected.append("missing_section-work")
        case .noEmail: drop("email")
        case .noPhone: drop("phone")
        case .noName: drop("name")
        case .backwards:
            roles[2].end = roles[2].start - random.number(3...30)
            dated("date_order-work-2")
        case .future:
            roles[0].start = 2026 * 12 + 10 + random.number(2...20)
            dated("date_order-work-0")
        case .overlap:
            roles[0].start -= random.number(4...12)
            dated("overlap-work-0")
        case .gap:
            roles[1].end = (roles[1].end ?? 0) - random.number(6...14)
            dated("gap-work-0")
        case .mixed:
            let month = roles[1].start % 12 + 1, year = roles[1].start / 12
            roles[1].startText = random.pick([
                "\(month < 10 ? "0" : "")\(month)/\(year)", "\(SeededLines.months[month - 1]) \(year)",
                "\(SeededLines.months[month - 1].prefix(3)) \(year)",
            ])
            dated("mixed_date_formats")
        case .fewSkills:
            skills = Array(skills.prefix(random.number(1...7)))
            expected.append("few_skills")
        case .keywords:
            let strange = random.pick(["COBOL", "Welding", "Game Theory", "Actuarial Science"])
            keywords = [skills[0], strange]
            expected.append("missing_keyword-\(strange.lowercased().split(separator: " ").joined(separator: "-"))")
            guard hasWork else { return }
            // And one that a bullet shows and no skill names.
            let phrases = [
                "product search", "style guide", "price list", "second factor", "code review", "loyalty card",
                "full build",
                "order service", "shop managers", "search index", "team leads", "page load", "shipping costs",
            ]
            for role in roles.indices {
                for bullet in roles[role].bullets.indices where !taken.contains([role, bullet]) {
                    guard let phrase = phrases.first(where: { roles[role].bullets[bullet].contains($0) }) else {
                        continue
                    }
                    taken.insert([role, bullet])
                    keywords.append(phrase)
                    expected.append("unlisted_keyword-\(phrase.replacing(" ", with: "-"))")
                    return
                }
            }
        }
    }

    private mutating func drop(_ field: String) {
        basics[field] = nil
        expected.append("missing_contact-\(field)")
    }

    /// A résumé without work has no dates to find anything in.
    private mutating func dated(_ id: String) { if hasWork { expected.append(id) } }

    private func text(_ months: Int) -> String {
        let month = months % 12 + 1
        return "\(months / 12)-\(month < 10 ? "0" : "")\(month)"
    }

    var json: JSONValue {
        var value: [String: JSONValue] = [:]
        var basics = basics
        basics["summary"] = summary.map { .string($0) }
        value["basics"] = .object(basics)
        if hasWork {
            value["work"] = .array(
                roles.map { role in
                    var fields: [String: JSONValue] = [
                        "name": .string(role.name), "position": .string(role.position),
                        "startDate": .string(role.startText ?? text(role.start)),
                        "highlights": .array(role.bullets.map { .string($0) }),
                    ]
                    fields["endDate"] = role.end.map { .string(role.endText ?? text($0)) }
                    return .object(fields)
                }
            )
        }
        if hasEducation {
            value["education"] = .array(
                studies.map {
                    .object([
                        "institution": "University of Lower Saxony", "area": "Computing", "studyType": "Diploma",
                        "startDate": .string(text($0.0)), "endDate": .string(text($0.1)),
                    ])
                }
            )
        }
        if !skills.isEmpty { value["skills"] = .array(skills.map { .object(["name": .string($0)]) }) }
        if !note.isEmpty {
            value["projects"] = .array([.object(["name": "Side project", "description": .string(note)])])
        }
        // What nobody here knows must not disturb.
        value["x-house"] = .object(["theme": "plain", "serial": .int(Int(seed))])
        return .object(value)
    }
}
