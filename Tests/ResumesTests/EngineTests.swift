import JSON
import Randomness
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
            let improvement = try Improvement(of: resume.value, by: [recommendation])
            // What it says, in its place and nowhere else.
            #expect(Set(improvement.changes.map(\.pointer)) == Set(recommendation.changes.map(\.pointer)))
            #expect(improvement.changes.map(\.after) == recommendation.changes.map(\.after))
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

    @Test("keywords that differ in a sign are two, and those that differ in case are one")
    func keywordIdentities() throws {
        let resume = try Resume(["skills": [["name": "Swift"]]])
        let found = Engine(now: ResumeDate(year: 2026, month: 11)).findings(
            in: resume,
            keywords: [".NET", "NET", "net", "C", "C++", "C#"]
        )
        let ids = found.filter { $0.category == "missing_keyword" }.map(\.id)
        #expect(Set(ids).count == ids.count && ids.count == 5, "\(ids)")
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
        #expect(lexicon.commonWords.isDisjoint(with: lexicon.words(.number)))
        for name in Lexicon.WordClass.allCases { #expect(!lexicon.words(name).isEmpty, "\(name)") }
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
            ("Led the team and hold a master", "master"), ("Led the team with a pilot license", "license"),
            ("Managed the team as senior manager", "senior"),
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

    @Test("no rank, degree, licence or trade passes for being an everyday word or the form of a verb")
    func trades() {
        let bare = TruthGuard(texts: ["Led the work of the shop"])
        let words = """
            accountant accounting architect attorney auditing audits bachelor certificate certified chemist coach coaching code coding \
            computing consultant cooking counsel dentist design designer designs diploma director doctorate drafting drawing editor \
            electrician engineer engineering executive forecasting founder graduate junior law lawyer lecturer lecturing license licenses \
            licensing magistrate manager marketing master masters mathematics mechanic medicine mentoring modeling nurse nursing painting \
            partner physics pilot piloting president professor programming recruiting sales scripting senior statistics supervisor surgeon \
            advocate author broker chair coded cook graduating head judge programmed tutor teacher teaching testing trading translating translator tutoring university welding writing
            """
        for word in words.split(whereSeparator: \.isWhitespace) {
            #expect(bare.verdict(on: "Led the work as \(word) of the shop").ungrounded == ["\(word)"], "\(word)")
        }
    }

    private static let other = TruthGuard(texts: [
        "Reduced the time of a full build from 40 to 12 minutes for every team",
        "Grew sales to 9 million bookings, 2.5% more",
    ])

    @Test(
        "nor in disguise: hyphens, trades, units from elsewhere, numbers of other things",
        arguments: [
            "Improved machine-learning for every team", "Improved load-balancing for every team",
            "Reduced version-control time",
            "Studied engineering and finance", "Improved in programming, marketing, auditing and coding",
            "Became certified",
            "Improved quality control", "Reduced the build by 40 % for every team", "Reduced the build by 40％",
            "Reduced 40$ in total",
            "Reduced the build by ₹40", "Improved by 40 × for every team", "Grew by 25%", "Reduced by 10+",
            "Led a team of 40",
            "Made a change that doubles sales", "Reduced time to halve the build", "Grew to 9 million customers",
            "Led 12 teams",
            "Grew to 2.5 bookings",
        ]
    )
    func disguised(_ text: String) { #expect(!Self.other.verdict(on: text).isGrounded) }

    @Test(
        "and the line itself may be said in other words",
        arguments: [
            "Cut the time of a full build from 40 to 12 minutes",
            "Lowered every team's build time from 40 to 12 minutes",
            "Grew sales to 9 million bookings",
            "Increased sales by 2.5%".replacing("by 2.5%", with: "to 9 million bookings, 2.5% more"),
        ]
    )
    func inOtherWords(_ text: String) { #expect(Self.other.verdict(on: text).ungrounded == []) }
}

@Suite("Ordinary lines")
struct OrdinaryTests {
    private func categories(_ bullet: String, ended: Bool = true) throws -> [String] {
        let resume = try Sample.resume { value in
            var role: [String: JSONValue] = [
                "name": "Contoso", "position": "Analyst", "startDate": "2022-03",
                "highlights": [.string(bullet), .string(Sample.sound[1])],
            ]
            if ended { role["endDate"] = "2026-10" }
            value["work"] = [
                .object(role),
                [
                    "name": "Northwind", "position": "Engineer", "startDate": "2018-03", "endDate": "2022-02",
                    "highlights": [.string(Sample.sound[2]), .string(Sample.sound[3])],
                ],
            ]
        }
        return Sample.findings(resume).map(\.category)
    }

    @Test(
        "are left alone",
        arguments: [
            "Optimised 12 queries that had slowed the checkout for a year",
            "Submitted 40 grant applications, and won 12 of them for the lab",
            "Boosted the open rate of the newsletter from 12% to 31% in spring",
            "Co-founded a charity that feeds 300 people every single week",
            "Onboarded 25 new colleagues in two offices during the last summer",
            "Motivated 12 volunteers to raise $5,000 for the local shelter",
            "Taught dynamic programming to 40 students in their second year",
            "Taught Calculus I to 60 students in two lecture halls each week",
            "Lead engineer for 5 teams that kept the payment service running".replacing(
                "Lead engineer",
                with: "Guided as lead engineer"
            ),
            "Utilised 3 sources to prove where the missing parcels had gone",
            "Prioritised 140 open tickets with the managers of 6 departments",
        ]
    )
    func leftAlone(_ bullet: String) throws { #expect(try categories(bullet) == []) }

    @Test(
        "a noun at the beginning is not told in the past",
        arguments: [
            "Support for 300 users in two countries and four different languages",
            "Project manager for 12 fairs and the travel of 60 colleagues",
            "Research assistant for 2 professors in the department of history",
        ]
    )
    func nouns(_ bullet: String) throws { #expect(try !categories(bullet).contains("tense")) }

    private func suggestion(_ bullet: String, _ category: String) throws -> String? {
        let resume = try Sample.resume { value in
            value["work"] = [
                [
                    "name": "Contoso", "position": "Analyst", "startDate": "2022-03", "endDate": "2026-10",
                    "highlights": [.string(bullet), .string(Sample.sound[1])],
                ]
            ]
        }
        let found = try #require(
            Sample.findings(resume).first { $0.category == category && $0.currentContent == bullet },
            "\(category)"
        )
        return found.suggestedContent
    }

    @Test(
        "suggestions are sentences, or there are none",
        arguments: [
            (
                "Responsible for managing a team of 8 in two offices and one warehouse", "weak_opener",
                "Managed a team of 8 in two offices and one warehouse"
            ),
            (
                "Helped to reduce costs by 12% across all of the three warehouses", "weak_opener",
                "Reduced costs by 12% across all of the three warehouses"
            ),
            (
                "Worked on .NET services that 40 shops call on every single day", "weak_opener",
                "{{ACTION_VERB}} .NET services that 40 shops call on every single day"
            ),
            ("Develop and test the app that 10,000 drivers start their day with", "tense", nil),
            (
                "Manage a team of 6 engineers who keep the payment service up", "tense",
                "Managed a team of 6 engineers who keep the payment service up"
            ),
            ("I am the one engineer of 12 who keeps the payment service running", "first_person", nil),
            ("Built 3 apps on my own that the whole department uses every day", "first_person", nil),
            (
                "We shipped 3 apps that the whole department uses every single day", "first_person",
                "Shipped 3 apps that the whole department uses every single day"
            ),
            (
                "Built 3 apps. My team of 4 keeps them running for the department", "first_person",
                "Built 3 apps. The team of 4 keeps them running for the department"
            ),
            ("Introduced code review in 2019 to a group that had worked alone", "no_quantity", nil),
            (
                "Improved the search of the shop for every customer of the chain.", "no_quantity",
                "Improved the search of the shop for every customer of the chain, by {{ADD_PERCENTAGE}}%"
            ),
        ] as [(String, String, String?)]
    )
    func suggestions(_ bullet: String, _ category: String, _ expected: String?) throws {
        #expect(try suggestion(bullet, category) == expected)
    }

    @Test("keywords that are ordinary words too, and those with a point, are not found where they are not meant")
    func keywords() throws {
        let resume = try Sample.resume([
            "Negotiated 4 contracts in spring that lowered the net costs of the shop",
            "Went to 12 teams that go online and excel at what they do",
        ]) {
            $0["skills"] = [["name": "Microsoft Excel"], ["name": "PostgreSQL"]]
        }
        let keywords = Keywords(["Spring", "Go", ".NET", "Excel", "postgresql", "C++"], in: resume)
        #expect(keywords.missing == ["Spring", "Go", ".NET", "C++"])
        #expect(keywords.covered == ["Excel", "postgresql"] && keywords.unlisted == [])
    }

    @Test(
        "an acronym that stands in brackets, or before some, needs no more to be said of it",
        arguments: [
            ("Signed the quick zone vendor (QZV) terms with 5 carriers of the house", false),
            ("Signed the quick zone vendor(QZV) terms with 5 carriers of the house", false),
            ("Signed the QZV (quick zone vendor) terms with 5 carriers of the house", false),
            ("Signed the QZV terms with 5 carriers for the whole of the house", true),
        ]
    )
    func brackets(_ line: String, _ isFound: Bool) throws {
        let found = Sample.findings(try Sample.resume([line, Sample.sound[0]])).map(\.category)
        #expect(found.contains("acronym") == isFound)
    }

    @Test("a keyword's signs are looked for where its word stands, and not in an address elsewhere")
    func signs() throws {
        let resume = try Sample.resume(["Negotiated 4 contracts in spring that lowered the net costs of the shop"]) {
            $0["basics"] = ["name": "A", "email": "ana@gmx.net", "phone": "1"]
        }
        let keywords = Keywords([".NET", ".net", "NET-"], in: resume)
        #expect(keywords.covered == [] && keywords.coverage == 0)
        let real = try Sample.resume(["Moved 4 services to .NET, and 3 to C++ (C# before), for 9 shops"])
        #expect(Keywords([".net", "C++", "C#", "(C#"], in: real).covered == [".net", "C++", "C#", "(C#"])
        #expect(Keywords(["C+", ".C++"], in: real).covered == [])
        let listed = try Sample.resume { $0["skills"] = [["name": "kubernetes"], ["name": "node.js"]] }
        let spelt = Keywords(["Kubernetes", "Node.js", "Spring", "- kubernetes", "kubernetes,"], in: listed)
        #expect(spelt.missing == ["Spring"] && spelt.unlisted == [])
        let ids = Sample.findings(resume, ["code review", "code-review"]).map(\.id)
        #expect(Set(ids).count == ids.count && ids.filter { $0.hasPrefix("missing_keyword") }.count == 2)
    }

    @Test("what is read word by word has limits as a whole, and within them is read")
    func largeTexts() throws {
        var random = SplitMix(seed: 7)
        func acronym() -> String { String((0..<5).map { _ in Character(UnicodeScalar(UInt8(65 + random.below(26)))) }) }
        func roles(_ count: Int, bytes: Int) -> JSONValue {
            .array(
                (0..<count).map { _ in
                    ["summary": .string("Ran " + (0..<bytes / 6).map { _ in acronym() }.joined(separator: " "))]
                }
            )
        }
        let most = try Resume(["work": roles(10, bytes: 19_900)])
        // Without a limit this was minutes.
        #expect(Engine(now: Sample.now).recommendations(for: most).count == Engine.most)
        // The same number with ever another word beside it, in each of ten lines that have a finding.
        var word = 0
        let lines = (0..<10).map { _ -> JSONValue in
            let pairs = (0..<2_400).map { _ -> String in
                word += 1
                return "7 a\(String(word, radix: 36, uppercase: false).filter(\.isLetter))\(word % 7 == 0 ? "b" : "c")"
            }
            return .string("Responsible for " + pairs.joined(separator: " "))
        }
        let numbers = try Resume(["work": [["highlights": .array(lines)]]])
        #expect(!Engine(now: Sample.now).findings(in: numbers).isEmpty)
        let fault = #expect(throws: ResumeFault.self) { try Resume(["work": roles(11, bytes: 19_900)]) }
        #expect(fault?.description.contains("200000 bytes") ?? false, "\(fault?.description ?? "")")
        let bullets = JSONValue.array((0..<251).map { .string("Led \($0) shops") })
        let many = #expect(throws: ResumeFault.self) {
            try Resume(["work": [["highlights": bullets], ["highlights": bullets]]])
        }
        #expect(many?.description.contains("/work: must have at most 500 highlights") ?? false)
    }

    @Test("dates of one kind, whatever their precision, are not mixed")
    func dates() throws {
        let resume = try Sample.resume {
            $0["education"] = [
                ["institution": "A", "endDate": "2015"], ["institution": "B", "endDate": "2014-07-31"],
            ]
        }
        #expect(Sample.findings(resume).map(\.category) == [])
    }

    @Test("two bullets that differ in a number or a name are two")
    func duplicates() throws {
        let one = "Led a team of 5 engineers through two rewrites of the product search in the north of Germany"
        for other in [
            one.replacing("5", with: "9"), one.replacing("Germany", with: "France"),
            one.replacing("two", with: "three"),
        ] {
            #expect(try !Sample.findings(Sample.resume([one, other])).map(\.category).contains("duplicate_bullet"))
        }
        let near = try #require(
            try Sample.findings(Sample.resume([one, one.replacing("rewrites", with: "revisions")])).first {
                $0.category == "duplicate_bullet"
            }
        )
        #expect(near.changes.isEmpty)
    }

    @Test(
        "empty and null fields can be filled in",
        arguments: [
            ["basics": ["email": "", "summary": ""]], ["basics": ["email": .null, "summary": .null]], ["basics": .null],
            [:],
        ] as [JSONValue]
    )
    func empty(_ value: JSONValue) throws {
        let resume = try Resume(value)
        var email = try #require(Sample.findings(resume).first { $0.id == "missing_contact-email" })
        email.customizedContent = "ana@example.org"
        #expect(try Improvement(of: value, by: [email]).resume["basics"]?["email"] == "ana@example.org")
    }

    @Test("several changes of one text leave its paragraphs")
    func paragraphs() throws {
        let resume = try Sample.resume {
            $0["basics"] = [
                "name": "A", "email": "a@b.c", "phone": "1",
                "summary": "Runs services for a bank.\n\nA seasoned leader who built the the team.",
            ]
        }
        let found = Sample.findings(resume).filter {
            ["buzzwords", "repeated_words"].contains($0.category) && !$0.changes.isEmpty
        }
        #expect(found.count == 2)
        #expect(
            try Improvement(of: resume.value, by: found).resume["basics"]?["summary"]
                == "Runs services for a bank.\n\nA leader who built the team."
        )
    }
}
