import Foundation
import JSON
import PlanFile
import TestSupport
import Testing

@Suite("The plan file’s JSON Schema")
struct SchemaTests {
    /// What a validator that editors use says of each text.
    private func accepted(_ texts: [String]) async throws -> [Bool] {
        try await TestPeers.faults(texts, schema: JSONValue(parsing: PlanFile.schema)).map(\.isEmpty)
    }

    private func isRead(_ text: String) -> Bool { (try? PlanFile.parse(text, file: "p.yaml")) != nil }

    private static var example: String {
        get throws {
            let file = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
                .deletingLastPathComponent().appendingPathComponent("examples/recommendations.yaml")
            return try String(contentsOf: file, encoding: .utf8)
        }
    }

    @Test("accepts every example, and what is rendered of it")
    func examples() async throws {
        let texts = [try Self.example, PlanFileTests.good, RichPlanTests.rich, SourcePlanTests.text]
        let rendered = try texts.map { PlanFile.render(try PlanFile.parse($0, file: "p.yaml")) }
        #expect(try await accepted(texts + rendered).allSatisfy(\.self))
    }

    @Test("refuses what is wrong in shape, as the reader does")
    func shapes() async throws {
        let changes = [
            ("watch: 24h", "wach: 24h"), ("watch: 24h", "watch: [24h]"), ("watch: 24h", "watch: 24"),
            ("watch: 24h\n", ""),
            ("[10%, 100%]", "[10%, 101%]"), ("[10%, 100%]", "[]"), ("[10%, 100%]", "10%"),
            ("timeout: 1d }", "timout: 1d }"),
            ("drill: { timeout: 1d }", "drill: { then: halt }"), ("then: rollback\n", "then: stop\n"),
            ("record 10m", "10m"),
            ("\"http://127.0.0.1:9/load\"", "load.example"), ("migration: shop", "migration: my shop"),
            ("by: 2, timeout", "by: 0, timeout"), ("window: 10s", "window: ten"), ("[client_ip]", "[ip]"),
            ("services: [reads]", "services: []"), ("- throughput > 0.5/s", "- throughput"),
        ]
        let texts = changes.map { RichPlanTests.rich.replacing($0.0, with: $0.1) }
        for text in texts { #expect(text != RichPlanTests.rich) }
        let verdicts = try await accepted(texts)
        for (index, change) in changes.enumerated() {
            #expect(!isRead(texts[index]), "\(change)")
            #expect(!verdicts[index], "\(change)")
        }
    }

    @Test("accepts whatever the reader reads, of a thousand mutated plans")
    func mutated() async throws {
        var state: UInt64 = 7
        func next(_ bound: Int) -> Int {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return Int((state >> 33) % UInt64(max(1, bound)))
        }
        let words = ["10%", "50%", "2m", "halt", "all", "stage", "p99", "1.5x", "[]", "24h", "ana", "5", "0.5/s"]
        let texts = (0..<1_000).map { _ in
            var lines = RichPlanTests.rich.split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
            switch next(3) {
            case 0: lines.remove(at: next(lines.count))
            case 1: lines.swapAt(next(lines.count), next(lines.count))
            default:
                let line = next(lines.count)
                var parts = lines[line].split(separator: " ", omittingEmptySubsequences: false).map(String.init)
                if !parts.isEmpty { parts[next(parts.count)] = words[next(words.count)] }
                lines[line] = parts.joined(separator: " ")
            }
            return lines.joined(separator: "\n")
        }
        let verdicts = try await accepted(texts)
        let read = texts.map(isRead)
        for (index, text) in texts.enumerated() where read[index] { #expect(verdicts[index], "\(text)") }
        #expect(read.count { $0 } > 50)
        #expect(verdicts.count { !$0 } > 200)
    }
}
