import Foundation
import JSON
import Resumes
import TestSupport
import Testing

@Suite("Seeded defects: what the rules find of what was put in")
struct SeededTests {
    private static let now = ResumeDate(year: 2026, month: 11)
    private static var file: URL {
        URL(fileURLWithPath: #filePath).deletingLastPathComponent().appendingPathComponent("Fixtures/seeded.jsonl")
    }

    @Test("the committed data is what its generator makes")
    func data() throws {
        let made = SeededResume.all.map { $0.line + "\n" }.joined()
        if ProcessInfo.processInfo.environment["MIGRATE_RECORD"] != nil {
            try Data(made.utf8).write(to: Self.file)
        }
        #expect(try String(contentsOf: Self.file, encoding: .utf8) == made)
    }

    @Test("every rule: precision at least 0.95, recall at least 0.90")
    func rules() throws {
        var counts: [String: (right: Int, wrong: Int, missed: Int)] = [:]
        var surprises: [String] = []
        var applied = 0, different: [String: Set<String>] = [:]
        let lines = try String(contentsOf: Self.file, encoding: .utf8).split(separator: "\n")
        #expect(lines.count >= 300)
        for (number, line) in lines.enumerated() {
            let value = try JSONValue(parsing: String(line))
            let resume = try Resume(try #require(value["resume"]))
            let keywords = (value["keywords"]?.array ?? []).compactMap(\.string)
            let expected = Set((value["expected"]?.array ?? []).compactMap(\.string))
            let all = Engine(now: Self.now).findings(in: resume, keywords: keywords)
            let found = Set(all.map(\.id))
            for recommendation in all where !recommendation.changes.isEmpty && recommendation.placeholders.isEmpty {
                // What is put in mends what it was made for, and brings nothing new.
                let mended = try Improvement(of: resume.value, by: [recommendation]).resume
                let after = Set(Engine(now: Self.now).findings(in: try Resume(mended), keywords: keywords).map(\.id))
                applied += 1
                #expect(
                    !after.contains(recommendation.id) || recommendation.category == "duplicate_bullet",
                    "\(number): \(recommendation.id)"
                )
                if recommendation.category != "duplicate_bullet", !after.isSubset(of: found) {
                    Issue.record("\(number): \(recommendation.id) brings \(after.subtracting(found))")
                }
            }
            for id in found.union(expected) {
                let rule = try #require(
                    Rule.allCases.filter { id.hasPrefix($0.rawValue) }.max { $0.rawValue.count < $1.rawValue.count }
                )
                if expected.contains(id), let line = all.first(where: { $0.id == id })?.currentContent {
                    different[rule.rawValue, default: []].insert(line)
                }
                var count = counts[rule.rawValue] ?? (0, 0, 0)
                switch (found.contains(id), expected.contains(id)) {
                case (true, true): count.right += 1
                case (true, false): count.wrong += 1
                default: count.missed += 1
                }
                counts[rule.rawValue] = count
                if found.contains(id) != expected.contains(id) {
                    surprises.append("\(number): \(found.contains(id) ? "found" : "missed") \(id)")
                }
            }
        }
        #expect(applied > 100, "hardly a suggestion could be applied by itself")
        print("rule                 seeded  precision  recall")
        for rule in Rule.allCases {
            let count = counts[rule.rawValue] ?? (0, 0, 0)
            let precision = Double(count.right) / Double(max(1, count.right + count.wrong))
            let recall = Double(count.right) / Double(max(1, count.right + count.missed))
            let name = rule.rawValue.padding(toLength: 20, withPad: " ", startingAt: 0)
            print("\(name) \(count.right + count.missed)\t\(precision)\t\(recall)")
            #expect(count.right + count.missed >= 8, "\(rule.rawValue) is hardly seeded")
            #expect(precision >= 0.95, "\(rule.rawValue)")
            #expect(recall >= 0.90, "\(rule.rawValue)")
        }
        // Not the same few lines again and again.
        let ofLines: [Rule] = [
            .weakOpener, .noActionVerb, .noQuantity, .passiveVoice, .tense, .firstPerson, .bulletLength, .buzzwords,
            .repeatedWords, .acronym,
        ]
        for rule in ofLines {
            let count = different[rule.rawValue]?.count ?? 0
            print("\(rule.rawValue): \(count) different lines")
            #expect(count >= 20, "\(rule.rawValue)")
        }
        for surprise in surprises.prefix(40) { print(surprise) }
    }
}
