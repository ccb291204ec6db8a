import Gateway
import MigrationCore
import NIOCore
import Testing

@Suite("What is told of differences")
struct ShadowJudgeTests {
    private func field(_ path: String) -> AnswerDifference.Field {
        AnswerDifference.Field(path: path, legacy: "1", candidate: "2")
    }

    @Test(
        "a field is worse from more than 20 % over its noise, and more than 0.03 % of all, on",
        arguments: [
            (100, 120, false), (100, 121, true), (0, 2, false), (0, 3, true), (1_000, 1_200, false),
            (1_000, 1_201, true),
        ]
    )
    func thresholds(_ noise: Int, _ raw: Int, _ isWorse: Bool) {
        var judge = ShadowJudge()
        // 9,999 comparisons: with the next one all count half.
        for turn in 0..<9_999 {
            _ = judge.judge(
                raw: turn < raw ? [field("a")] : [],
                noise: turn < noise ? [field("a")] : [],
                service: "s",
                at: Timestamp(rawValue: 0)
            )
        }
        #expect(judge.worse.map(\.path) == (isWorse ? ["a"] : []))
        #expect(judge.worse.allSatisfy { $0.raw == raw && $0.noise == noise && $0.compared == 9_999 })
    }

    @Test("what was long ago counts less")
    func memory() {
        var judge = ShadowJudge()
        for turn in 0..<10_000 {
            _ = judge.judge(raw: turn < 8 ? [field("a")] : [], noise: [], service: "s", at: Timestamp(rawValue: 0))
        }
        #expect(judge.worse.map(\.raw) == [4])
        #expect(judge.worse.map(\.compared) == [5_000])
        for _ in 0..<20_000 { _ = judge.judge(raw: [], noise: [], service: "s", at: Timestamp(rawValue: 0)) }
        #expect(judge.worse.isEmpty)
    }

    @Test("fifty samples are kept, the last, with five fields each; a thousand fields have a name of their own")
    func limits() {
        var judge = ShadowJudge()
        for turn in 0..<200 {
            let fields = (0..<10).map { field("f\(turn * 10 + $0)") }
            let isWorse = judge.judge(raw: fields, noise: [], service: "s", at: Timestamp(rawValue: Int64(turn)))
            #expect(isWorse)
        }
        #expect(judge.samples.map(\.at.rawValue) == Array(150..<200))
        #expect(judge.samples.allSatisfy { $0.fields.count == 5 })
        #expect(judge.worse.count == 1_001)
        #expect(judge.worse.first?.path == "others")
    }

    private func told(_ path: String, _ value: String) -> String? {
        func answer(_ value: String) -> ShadowAnswer {
            ShadowAnswer(status: 200, isJSON: true, body: ByteBuffer(string: "{\"\(path)\":\(value)}"))
        }
        return AnswerDifference(legacy: answer(value), candidate: answer("null")).fields.first?.legacy
    }

    @Test(
        "a value that looks like somebody's own, or like a secret, is not told, whatever its field is called",
        arguments: [
            (#""write to jo@example.org""#, false), (#""+49 (30) 1234-5678""#, false), ("4111111111111111", false),
            (#""Bearer 3f9a7c1e8b2d4f6a9c0e1b3d""#, false), (#""Swift""#, true), ("0.123456789", true), ("42", true),
            (#""2026-11-29T17:34:39.123Z""#, true), (#""since 2019, until 2024""#, true),
        ]
    )
    func values(_ value: String, _ isTold: Bool) {
        let text = value.trimmingPrefix("\"").prefix { $0 != "\"" }
        #expect(told("note", value) == (isTold ? String(text) : "[redacted]"))
        #expect(told("email", value) == "[redacted]")
    }

    @Test("a long value is cut at 120 characters")
    func long() {
        let words = String(repeating: "word ", count: 40)
        #expect(told("note", "\"\(words)\"") == String(words.prefix(120)))
    }
}
