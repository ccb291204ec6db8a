import JSON
import Resumes
import Testing

/// A résumé that no rule finds anything in, and what is changed of it.
enum Sample {
    static let now = ResumeDate(year: 2026, month: 11)
    static let engine = Engine(now: now)

    static func resume(_ bullets: [String] = [], changing: (inout [String: JSONValue]) -> Void = { _ in }) throws
        -> Resume
    {
        var value: [String: JSONValue] = [
            "basics": [
                "name": "Ana Ruiz", "email": "ana@example.org", "phone": "+49 30 1234567",
                "summary":
                    "Engineer who keeps the payment services of a bank running, and who writes down what others keep in their heads, for a team of many ages and trades.",
            ],
            "work": [
                [
                    "name": "Northwind", "position": "Engineer", "startDate": "2022-03",
                    "highlights": .array((bullets.isEmpty ? [sound[0], sound[1]] : bullets).map { .string($0) }),
                ],
                [
                    "name": "Contoso", "position": "Analyst", "startDate": "2018-03", "endDate": "2022-02",
                    "highlights": [.string(sound[2]), .string(sound[3])],
                ],
            ],
            "education": [["institution": "University of Lower Saxony", "area": "Computing"]],
            "skills": .array(
                ["Swift", "PostgreSQL", "Kafka", "Python", "Linux", "Redis", "GraphQL", "Rust"].map {
                    ["name": .string($0)]
                }
            ),
            "projects": [
                [
                    "name": "Timetable",
                    "description":
                        "A small tool that reads the timetable of the local trains and tells by a message when the next one is late, used by about 40 neighbours since the spring of 2019 and kept alive on a computer the size of a card that stands on a shelf in the hall.",
                ]
            ],
        ]
        changing(&value)
        return try Resume(.object(value))
    }

    static let sound = [
        "Reduced the time of a full build from 40 to 12 minutes for every team",
        "Migrated 14 services to a new database without an outage or a lost order",
        "Led a team of 5 engineers through two rewrites of the product search",
        "Automated the release of 23 services so that anybody on call could do it",
    ]

    static func findings(_ resume: Resume, _ keywords: [String] = []) -> [Recommendation] {
        engine.findings(in: resume, keywords: keywords)
    }
}

@Suite("The engine")
struct EngineTests {
    @Test("a sound résumé has no findings")
    func sound() throws { #expect(Sample.findings(try Sample.resume()).map(\.id) == []) }

    @Test("at most fifteen, the most urgent first, 10 the most urgent; the same for the same résumé")
    func order() throws {
        let bad = try Resume([
            "work": [["highlights": .array((0..<9).map { .string("responsible for the the thing \($0)") })]]
        ])
        let found = Sample.engine.recommendations(for: bad)
        #expect(found.count == Engine.most)
        #expect(found.map(\.priority) == found.map(\.priority).sorted(by: >))
        #expect(found.first?.priority == 10)
        #expect(Sample.engine.recommendations(for: bad) == found)
        #expect(Set(Sample.findings(bad).map(\.id)).count == Sample.findings(bad).count)
    }

    @Test("scores: bases, what is subtracted, the floor, the weighted mean")
    func scores() throws {
        let none = Scores([])
        #expect(none.sections[.experience] == 75)
        // (70·25 + 75·30 + 70·20 + 65·15 + 70·15 + 80·5 + 85·5 + 70·5 + 60·5 + 75·2 + 80·1) / 128
        #expect(none.overall == 9_130 / 128)
        let found = Sample.findings(
            try Sample.resume([Sample.sound[0], "Led the rewrite of the product search for every team of the company"])
        )
        #expect(found.map(\.category) == ["no_quantity"])
        // 75 − (8 / 10) × (8 / 2)
        #expect(Scores(found).sections[.experience] == 71)
        #expect(Scores(Array(repeating: found[0], count: 50)).sections[.experience] == 30)
    }

    @Test("no keywords are 0 % covered, never 100 %; whole terms only; what is not there is never put in")
    func keywords() throws {
        let resume = try Sample.resume()
        #expect(Keywords([], in: resume).coverage == 0)
        #expect(Scores.ats(resume, keywords: []) == 90)
        #expect(
            Keywords(
                ["Java"],
                in: try Sample.resume([
                    Sample.sound[0], "Wrote 12 pages in JavaScript for the booking service of a bank",
                ])
            ).missing == ["Java"]
        )
        let keywords = Keywords(["swift", "SWIFT", "product search", "COBOL"], in: resume)
        #expect(keywords.covered == ["swift", "product search"])
        #expect(keywords.unlisted == ["product search"])
        #expect(keywords.missing == ["COBOL"])
        #expect(keywords.coverage == 66)
        let missing = try #require(Sample.findings(resume, ["COBOL"]).first)
        #expect(missing.suggestedContent == nil && missing.changes.isEmpty)
    }

    @Test("ATS: ten less for each thing that is missing")
    func ats() throws {
        let nothing = try Resume([:])
        #expect(Scores.ats(nothing, keywords: []) == 40)
        #expect(Scores.ats(try Sample.resume(), keywords: ["Swift", "Kafka", "product", "services"]) == 100)
    }

    @Test("a report has the contract's fields within their limits")
    func report() throws {
        let resume = try Sample.resume()
        let report = Report(
            on: resume,
            Sample.findings(resume, ["COBOL"]),
            role: "Senior Engineer",
            keywords: ["COBOL", "Swift"],
            now: Sample.now
        )
        #expect(report.compatibility?.score == (50 * 4 + 50 * 6) / 10)
        #expect((1...5).contains(report.insights.count))
        #expect(report.strengths.contains("4 of 4 bullets say how much."))
        let without = Report(on: resume, [], role: nil, keywords: [], now: Sample.now)
        #expect(without.compatibility == nil)
        for field in [
            "recommendations", "overallScore", "sectionScores", "strengths", "weaknesses", "missingElements",
            "atsCompatibility", "careerInsights",
        ] {
            #expect(without.json[field] != nil, "\(field)")
        }
    }

    @Test("a recommendation is the same after it was written and read")
    func coding() throws {
        let bad = try Sample.resume([
            "Responsible for the nightly billing jobs of fourteen regional offices", "I improved it",
        ])
        for recommendation in Sample.findings(bad, ["COBOL", "product search"]) {
            #expect(try Recommendation(json: try JSONValue(parsing: recommendation.json.bytes)) == recommendation)
        }
    }

    @Test(
        "malformed résumés are refused with the place",
        arguments: [
            ("[]", ""), ("{\"basics\":[]}", "/basics"), ("{\"basics\":{\"email\":7}}", "/basics/email"),
            ("{\"work\":{}}", "/work"), ("{\"work\":[7]}", "/work/0"),
            ("{\"work\":[{\"highlights\":[\"a\",{}]}]}", "/work/0/highlights/1"),
            ("{\"skills\":[{\"keywords\":\"x\"}]}", "/skills/0/keywords"),
            ("{\"basics\":{\"name\":\"a\\u0000b\"}}", "/basics/name"),
            ("{\"x\":[\"a\\u0000b\"]}", "/x/0"),
        ]
    )
    func malformed(_ text: String, _ pointer: String) throws {
        let value = try JSONValue(parsing: text)
        let fault = #expect(throws: ResumeFault.self) { try Resume(value) }
        #expect(fault?.pointer.description == pointer)
    }

    @Test(
        "odd texts are read without harm",
        arguments: [
            "👩‍👩‍👧‍👦 Led 3 teams 🚀 with joy and with two colleagues in Rome",
            "قاد فريقا من 5 مهندسين خلال عامين في برلين وميونخ",
            "Led\u{200B} 5 te\u{200D}ams\u{FEFF} through two rewrites of the search", "\u{202E}dedrawkcab saw siht 5",
            "－ｆｕｌｌ　ｗｉｄｔｈ　５",
            "", " ", "\n", "....", "((((", "a\u{0301}\u{0301}\u{0301}\u{0301}", String(repeating: "a", count: 19_000),
            String(repeating: "x ", count: 9_000),
        ]
    )
    func odd(_ text: String) throws {
        let resume = try Sample.resume([text, Sample.sound[0]])
        for recommendation in Sample.findings(resume) {
            if recommendation.changes.isEmpty || !recommendation.placeholders.isEmpty { continue }
            _ = try Improvement(of: resume.value, by: [recommendation])
        }
    }

    @Test(
        "dates",
        arguments: [
            ("2019", 2019, nil, "YYYY"), ("2019-03", 2019, 3, "YYYY-MM"), ("2019-03-31", 2019, 3, "YYYY-MM-DD"),
            ("03/2019", 2019, 3, "MM/YYYY"),
            ("3/2019", 2019, 3, "MM/YYYY"), ("Mar 2019", 2019, 3, "Mon YYYY"), ("Sept. 2019", 2019, 9, "Mon YYYY"),
            ("march 2019", 2019, 3, "Month YYYY"),
            ("2020-02-29", 2020, 2, "YYYY-MM-DD"), ("2019-02-29", nil, nil, ""), ("2019-13", nil, nil, ""),
            ("2019-3", nil, nil, ""), ("19", nil, nil, ""),
            ("soon", nil, nil, ""), ("13/2019", nil, nil, ""), ("", nil, nil, ""), ("2019-", nil, nil, ""),
            ("٢٠١٩", nil, nil, ""),
        ] as [(String, Int?, Int?, String)]
    )
    func dates(_ text: String, _ year: Int?, _ month: Int?, _ format: String) {
        let date = ResumeDate(text)
        #expect(date?.year == year)
        #expect(date?.month == month)
        #expect((date?.format.rawValue ?? "") == format)
    }

    @Test("the data files: no everyday word is a skill, and no word stands twice")
    func lexicon() {
        let lexicon = Lexicon.shared
        for skill in [
            "swift", "go", "rust", "java", "python", "kafka", "excel", "spark", "react", "sql", "docker", "phd", "mba",
            "bachelor", "degree", "google",
        ] {
            #expect(!lexicon.commonWords.contains(skill), "\(skill)")
            #expect(lexicon.verb(skill) == nil, "\(skill)")
        }
        #expect(Set(lexicon.verbs.map(\.base)).count == lexicon.verbs.count)
        #expect(lexicon.commonWords.isDisjoint(with: Quantities.words))
        #expect(lexicon.verbs.count > 250 && lexicon.commonWords.count > 500 && lexicon.terms.count > 80)
        for (word, base) in [
            ("planned", "plan"), ("running", "run"), ("applies", "apply"), ("wrote", "write"), ("written", "write"),
            ("managing", "manage"), ("Found", "find"),
        ] {
            #expect(lexicon.verb(word)?.base == base)
        }
    }
}

@Suite("The truth guard")
struct GuardTests {
    private let truth = TruthGuard(texts: [
        "Led a team of 5 engineers at Northwind through 2 rewrites in Swift",
        "Cut costs by 40 percent and saved $1,200", "Bachelor of Science in Computing",
        "machine vision and learning courses",
    ])

    @Test(
        "what the résumé holds may be said",
        arguments: [
            "Led a team of 5 engineers", "Managed the team at Northwind through its rewrites",
            "Improved the process for the customer, quickly and with attention",
            "Cut costs by 40%", "Saved $1,200 for the company", "{{ACTION_VERB}} the team by {{ADD_PERCENTAGE}}%",
            "Wrote Swift",
            "Completed a Bachelor of Science in Computing", "", "Led 5 engineers, and cut the time by [ADD PERCENTAGE]",
        ]
    )
    func grounded(_ text: String) { #expect(truth.verdict(on: text).ungrounded == []) }

    @Test(
        "what it does not hold is caught",
        arguments: [
            ("Led a team of 6 engineers", "6"), ("Led a team of 5 managers", "5"), ("Cut costs by 50%", "50%"),
            ("Cut costs by 5%", "5%"),
            ("Saved $40", "$40"), ("Led three teams", "three"), ("Doubled the revenue", "Doubled"),
            ("Led the team at Google", "Google"),
            ("Google team lead", "Google"), ("Wrote kubernetes services", "kubernetes"),
            ("Wrote Kubernetes", "Kubernetes"), ("Wrote swift and rust", "rust"),
            ("Completed a Master of Science", "Master"), ("Holds a PhD", "PhD"),
            ("Built machine learning systems", "machine learning"),
            ("Worked at SWIFT", "SWIFT"), ("Led the team at Goo\u{200B}gle", "Goo\u{200B}gle"),
            ("Led the Nоrthwind team", "Nоrthwind"),
            ("Led a team of 5x engineers", "5x"), ("Won the ISO-9001 audit", "ISO-9001"),
            ("Used front-end/GraphQL", "front-end/GraphQL"),
        ]
    )
    func ungrounded(_ text: String, _ word: String) {
        #expect(truth.verdict(on: text).ungrounded.contains(word), "\(truth.verdict(on: text))")
    }
}
