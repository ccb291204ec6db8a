import JSON
import Randomness
import Resumes
import Testing

@Suite("Applying recommendations")
struct ImprovementTests {
    private func find(_ resume: Resume, _ category: String, _ keywords: [String] = []) throws -> Recommendation {
        try #require(Sample.findings(resume, keywords).first { $0.category == category })
    }

    @Test("changes exactly what they say, and keeps what nobody knows")
    func exactly() throws {
        let resume = try Sample.resume([
            "I led a team of 6 engineers through three rewrites of the search",
            "Led the the planning of 12 trade fairs and the travel of colleagues",
        ]) {
            $0["x-house"] = ["serial": .decimal("12345678901234567890.10")]
            $0["awards"] = [["title": "Best", "unknown": [1, 2]]]
        }
        let person = try find(resume, "first_person"), twice = try find(resume, "repeated_words")
        let improvement = try Improvement(of: resume.value, by: [twice, person, person])
        #expect(
            improvement.changes == [
                JSONChange(
                    pointer: JSONPointer(["work", "0", "highlights", "0"]),
                    before: .string(person.currentContent ?? ""),
                    after: "Led a team of 6 engineers through three rewrites of the search"
                ),
                JSONChange(
                    pointer: JSONPointer(["work", "0", "highlights", "1"]),
                    before: .string(twice.currentContent ?? ""),
                    after: "Led the planning of 12 trade fairs and the travel of colleagues"
                ),
            ]
        )
        // The same selection makes the same résumé, whatever the order.
        #expect(try Improvement(of: resume.value, by: [person, twice]).resume == improvement.resume)
        #expect(try Sample.findings(Resume(improvement.resume)).isEmpty)
    }

    @Test("two of one line are both carried out where they change different words, and refused where not")
    func oneLine() throws {
        let line = "I led the the rewrite of the product search for every team of 5"
        let resume = try Sample.resume([line, Sample.sound[0]])
        let both = try Improvement(
            of: resume.value,
            by: [try find(resume, "first_person"), try find(resume, "repeated_words")]
        )
        #expect(
            both.resume["work"]?[0]?["highlights"]?[0] == "Led the rewrite of the product search for every team of 5"
        )
        var other = try find(resume, "first_person")
        other.id = "other"
        other.suggestedContent = "Managed the the rewrite of the product search for every team of 5"
        other.changes[0].after = .string(other.suggestedContent ?? "")
        #expect(throws: ImprovementFault.conflict("first_person-work-0-highlights-0", "other")) {
            try Improvement(of: resume.value, by: [other, try find(resume, "first_person")])
        }
    }

    @Test("two that take out words beside each other, at a line's end")
    func neighbours() throws {
        let resume = try Sample.resume(["Built innovative dynamic dynamic", Sample.sound[0]])
        let found = Sample.findings(resume).filter {
            ["buzzwords", "repeated_words"].contains($0.category) && !$0.changes.isEmpty
        }
        #expect(found.count == 2)
        #expect(try Improvement(of: resume.value, by: found).resume["work"]?[0]?["highlights"]?[0] == "Built")
    }

    @Test("any changes of different words are all carried out, and leave the rest of the text as it is")
    func randomly() throws {
        let template = try find(
            try Sample.resume(["I led a team of 6 engineers through three rewrites of the search"]),
            "first_person"
        )
        var random = SplitMix(seed: 3), carriedOut = 0
        for turn in 0..<400 {
            let words = (0..<(2 + random.below(7))).map { "w\($0)" }
            let text = words.joined(separator: " ")
            var made = Array(repeating: 0, count: words.count), expected: [String] = [], edits: [Recommendation] = []
            // A word stays, goes, or becomes another; what is beside a change stays.
            for (index, word) in words.enumerated() {
                made[index] = index > 0 && made[index - 1] == 2 ? 0 : random.below(3)
                var other = words
                switch made[index] {
                case 1: other.remove(at: index)
                case 2: other[index] = "n\(index)"
                default: expected.append(word)
                }
                guard made[index] > 0 else { continue }
                if made[index] == 2 { expected.append("n\(index)") }
                let said = other.joined(separator: " ")
                var edit = template
                edit.id = "e\(index)"
                edit.changes[0].before = .string(text)
                edit.changes[0].after = .string(said)
                edit.suggestedContent = said
                edits.append(edit)
            }
            let resume: JSONValue = ["work": [["highlights": [.string(text)]]]]
            let improvement = try Improvement(of: resume, by: edits)
            carriedOut += improvement.applied.count
            #expect(
                improvement.resume["work"]?[0]?["highlights"]?[0] == .string(expected.joined(separator: " ")),
                "\(turn): \(text)"
            )
        }
        #expect(carriedOut > 400)
    }

    @Test("what changes nothing is not applied")
    func nothing() throws {
        let resume = try Sample.resume(["I led a team of 6 engineers through three rewrites of the search"])
        var person = try find(resume, "first_person")
        person.changes[0].after = person.changes[0].before
        let improvement = try Improvement(of: resume.value, by: [person])
        #expect(improvement.applied.isEmpty && improvement.advice == [person] && improvement.changes.isEmpty)
    }

    @Test("a duplicate goes, and what stands after it does not move under another change")
    func removal() throws {
        let resume = try Sample.resume([
            Sample.sound[0], Sample.sound[0], "Led the the planning of 12 trade fairs and the travel of colleagues",
        ])
        let improvement = try Improvement(
            of: resume.value,
            by: [try find(resume, "duplicate_bullet"), try find(resume, "repeated_words")]
        )
        #expect(
            improvement.resume["work"]?[0]?["highlights"] == [
                .string(Sample.sound[0]), "Led the planning of 12 trade fairs and the travel of colleagues",
            ]
        )
    }

    @Test("a required placeholder that nobody filled in refuses, one that was filled in is in its place")
    func placeholders() throws {
        let resume = try Sample.resume([
            "Responsible for the nightly billing jobs of 14 regional offices", Sample.sound[0],
        ])
        var opener = try find(resume, "weak_opener")
        #expect(throws: ImprovementFault.unresolved(id: opener.id, placeholders: ["ACTION_VERB"])) {
            try Improvement(of: resume.value, by: [opener])
        }
        opener.customizedContent = "Ran the nightly billing jobs of 14 regional offices"
        let improvement = try Improvement(of: resume.value, by: [opener])
        #expect(
            improvement.resume["work"]?[0]?["highlights"]?[0] == "Ran the nightly billing jobs of 14 regional offices"
        )
        opener.customizedContent = nil
        opener.placeholders[0].required = false
        #expect(
            try Improvement(of: resume.value, by: [opener]).resume["work"]?[0]?["highlights"]?[0]
                == "the nightly billing jobs of 14 regional offices"
        )
    }

    @Test("a contact, a summary and a skill are added where there was nothing; dates are written alike")
    func additions() throws {
        let resume = try Sample.resume { value in
            value["basics"] = nil
            value["skills"] = nil
            value["work"] = [
                ["startDate": "03/2020", "highlights": [.string(Sample.sound[0]), .string(Sample.sound[2])]],
                ["startDate": "2018-01", "endDate": "Feb 2020"],
            ]
        }
        var email = try #require(Sample.findings(resume).first { $0.id == "missing_contact-email" })
        email.customizedContent = "ana@example.org"
        let skill = try find(resume, "unlisted_keyword", ["product search"])
        let improvement = try Improvement(of: resume.value, by: [email, skill, try find(resume, "mixed_date_formats")])
        #expect(improvement.resume["basics"] == ["email": "ana@example.org"])
        #expect(improvement.resume["skills"] == [["name": "product search"]])
        #expect(improvement.resume["work"]?[0]?["startDate"] == "2020-03")
        #expect(improvement.resume["work"]?[1]?["endDate"] == "2020-02")
    }

    @Test("a résumé that has changed since, and advice")
    func outdated() throws {
        let resume = try Sample.resume([
            "I led a team of 6 engineers through three rewrites of the search", Sample.sound[0],
        ])
        let person = try find(resume, "first_person")
        let other = try Sample.resume([Sample.sound[3], Sample.sound[0]])
        #expect(throws: ImprovementFault.self) { try Improvement(of: other.value, by: [person]) }
        let advice = try find(try Sample.resume { $0["skills"] = [["name": "Swift"]] }, "few_skills")
        let nothing = try Improvement(of: other.value, by: [advice])
        #expect(nothing.resume == other.value && nothing.applied.isEmpty && nothing.advice == [advice])
    }
}

@Suite("Placeholders")
struct PlaceholderTests {
    @Test("three forms, of capital letters; filled in all at once")
    func forms() {
        #expect(
            Placeholders.found(in: "{{A_1}} by {B} and [ADD PERCENTAGE] of [x] {} {{c}} [A") == [
                "A_1", "B", "ADD_PERCENTAGE",
            ]
        )
        #expect(Placeholders.filled("{{A}} {B} [A]", with: ["A": "[B]", "B": "2"]) == "[B] 2 [B]")
        #expect(Placeholders.filled("{{A}} {{C}}", with: ["A": "1"]) == "1 {{C}}")
        #expect(Placeholders.removed(from: "Cut costs , by {{A}} , today") == "Cut costs, by, today")
    }

    private func placeholder(
        _ type: Placeholder.Kind,
        required: Bool = true,
        options: [String]? = nil,
        validation: String? = nil
    ) -> Placeholder {
        Placeholder(
            id: "X",
            name: "x",
            type: type,
            description: "",
            required: required,
            options: options,
            validation: validation
        )
    }

    @Test(
        "each type takes its own values",
        arguments: [
            (.number, "25", true), (.number, "-3.5", true), (.number, "1e5", false), (.number, "nan", false),
            (.number, "0x1F", false), (.number, "٣", false),
            (.number, "12a", false), (.text, "Led", true), (.text, "a\nb", false), (.text, "", false),
            (.text, "  ", false), (.text, "{{Y}}", false), (.text, "[Y]", false),
            (.text, "a\u{202E}b", false), (.multiline, "a\nb", true), (.multiline, "a\u{0}b", false),
            (.date, "2024-02-29", true), (.date, "2023-02-29", false),
            (.date, "2024-05", true), (.date, "May 2024", false), (.dropdown, "one", true), (.dropdown, "three", false),
        ] as [(Placeholder.Kind, String, Bool)]
    )
    func types(_ type: Placeholder.Kind, _ value: String, _ isValid: Bool) {
        #expect((placeholder(type, options: ["one", "two"]).refusal(of: value) == nil) == isValid)
    }

    @Test("one that is not required may be empty, and texts have a length")
    func optional() {
        #expect(placeholder(.number, required: false).refusal(of: "") == nil)
        #expect(placeholder(.text).refusal(of: String(repeating: "a", count: 201)) != nil)
        #expect(placeholder(.multiline).refusal(of: String(repeating: "a", count: 2_000)) == nil)
    }

    @Test(
        "a pattern holds for the whole value; one that is none, or takes too long, is a refusal",
        arguments: [
            ("[0-9]+", "12", true), ("[0-9]+", "12a", false), ("[", "a", false), ("(?<=a+)b", "b", false),
            ("(a+)+b", String(repeating: "a", count: 60), false),
            ("(.*)*(.*)*(.*)*x", String(repeating: "a", count: 190), false),
            ("(a|aa)+$", String(repeating: "a", count: 150) + "b", false),
            (String(repeating: "a?", count: 300), "a", false),
        ]
    )
    func patterns(_ pattern: String, _ value: String, _ isValid: Bool) {
        let started = ContinuousClock.now
        #expect((placeholder(.text, validation: pattern).refusal(of: value) == nil) == isValid)
        // Hours without a limit.
        #expect(ContinuousClock.now - started < .seconds(5))
    }
}
