import Foundation
import JSON
import Resumes
import TestSupport
import Testing

/// `Fixtures/json-resume` holds schema and sample as JSON Resume publishes them (`@jsonresume/schema` 1.2.1, MIT).
@Suite("JSON Resume’s published schema")
struct PublishedSchemaTests {
    private static let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
        .appendingPathComponent("Fixtures")

    private static func file(_ name: String) throws -> String {
        try String(contentsOf: folder.appendingPathComponent(name), encoding: .utf8)
    }

    /// What owners fill in where a contact is missing.
    private static let contacts = [
        "missing_contact-name": "Ana Ruiz", "missing_contact-email": "ana@example.org",
        "missing_contact-phone": "+49 30 1234567",
    ]

    /// A résumé after everything that can be applied was, one after the other, and how much that was.
    private func improved(_ resume: JSONValue) throws -> (JSONValue, Int) {
        var resume = resume, applied = 0
        let found = Engine(now: ResumeDate(year: 2026, month: 11)).findings(in: try Resume(resume), keywords: ["Rust"])
        for var recommendation in found where !recommendation.changes.isEmpty {
            recommendation.customizedContent = Self.contacts[recommendation.id]
            guard let improvement = try? Improvement(of: resume, by: [recommendation]) else { continue }
            resume = improvement.resume
            applied += 1
        }
        return (resume, applied)
    }

    @Test("what it publishes as a sample is read, and written again as it was")
    func sample() throws {
        let sample = try JSONValue(parsing: Self.file("json-resume/sample.resume.json"))
        #expect(try Resume(sample).value == sample)
    }

    @Test("a résumé that holds to it does so when everything was applied, and one that does not is never worse")
    func improvements() async throws {
        let schema = try JSONValue(parsing: Self.file("json-resume/schema.json"))
        var before = [try JSONValue(parsing: Self.file("json-resume/sample.resume.json"))]
        before += try Self.file("seeded.jsonl").split(separator: "\n").map { line in
            try #require(JSONValue(parsing: String(line))["resume"])
        }
        let after = try before.map { try improved($0) }
        #expect(after.reduce(0) { $0 + $1.1 } > 150)
        let faults = try await TestPeers.faults((before + after.map(\.0)).map(\.text), schema: schema)
        try #require(faults.count == before.count * 2)
        var sound = 0, mended = 0
        for index in before.indices {
            let old = Set(faults[index]), new = Set(faults[before.count + index])
            #expect(new.isSubset(of: old), "\(index): \(new.subtracting(old).sorted())")
            if old.isEmpty { sound += 1 } else if new.isEmpty { mended += 1 }
        }
        // Dates that are written in some other way are what the seeded defects break it by.
        #expect(sound > 200 && sound < before.count)
        #expect(mended > 0)
    }
}
