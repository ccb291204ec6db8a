import Foundation
import MigrationCore
import MigrationLog
import TestSupport
import Testing

@Suite("Bundles", .database)
struct BundleTests {
    @Test("a bundle is verified without a database: keys, signatures, chain, decisions, and the checkpoint over it")
    func whole() async throws {
        let trusted = try await TrustedLog()
        let report = try LogBundle.verify(try await trusted.bundle())
        #expect(report.head.commits == 7)
        #expect(report.head.trust == 5)
        #expect(report.state.migration?.phase.name == "halted")
        #expect(report.covered == 6)
        #expect(report.checkpoint?.size == 17)
        #expect(report.signer?.owner == "sealer")
    }

    @Test(
        "of what a checkpoint covers nothing is left out at the end, whoever makes up the rest to fit: of the migration, nor of the keys"
    )
    func cut() async throws {
        let trusted = try await TrustedLog()
        #expect(try LogBundle.verify(try await trusted.bundle()).isComplete)
        let commits = try await trusted.bundle(endingAt: 5)
        let cut = #expect(throws: LogBundle.Broken.self) { try LogBundle.verify(commits) }
        #expect(cut?.message.contains("version 5 of m was not its last one") == true, "\(cut?.message ?? "")")
    }

    @Test("nor are the newest changes of the keys, by which no commit of it goes")
    func cutKeys() async throws {
        let trusted = try await TrustedLog(revoking: true)
        #expect(try LogBundle.verify(try await trusted.bundle()).head.trust == 6)
        let keys = try await trusted.bundle(endingAt: 6, keysAt: 5)
        let hidden = #expect(throws: LogBundle.Broken.self) { try LogBundle.verify(keys) }
        #expect(
            hidden?.message.contains("version 5 of @trust was not its last one") == true,
            "\(hidden?.message ?? "")"
        )
    }

    @Test("keys that are not in the checkpoint’s tree vouch for nothing, whatever they say")
    func otherKeys() async throws {
        let bundle = try await TrustedLog().bundle(keys: false)
        let broken = #expect(throws: LogBundle.Broken.self) { try LogBundle.verify(bundle) }
        #expect(broken?.message.contains("the keys up to version 5") == true)
    }

    @Test(
        "a bundle of every format that looks like no other is verified as it was when it was written",
        arguments: [
            ("format-1/small", 7, false), ("format-2/small", 7, false), ("format-4/small", 9, false),
            ("format-4/complete", 7, true),
        ]
    )
    func golden(_ name: String, _ commits: Int, _ isComplete: Bool) throws {
        let file = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
            .appendingPathComponent("Fixtures/\(name).bundle")
        let report = try LogBundle.verify(try Data(contentsOf: file))
        #expect(report.isComplete == isComplete)
        #expect(report.head.commits == commits)
        #expect(report.covered == 6)
        #expect(report.checkpoint?.size == 17)
        #expect(report.state.migration?.phase.name == "halted")
    }

    @Test(
        "a bundle is verified whose keys were rotated and revoked, with what they signed before, and what was refused after"
    )
    func rotated() throws {
        let file = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
            .appendingPathComponent("Fixtures/format-2/rotated.bundle")
        let data = try Data(contentsOf: file)
        let report = try LogBundle.verify(data)
        #expect(report.head.commits == 30)
        #expect(report.head.trust == 8)
        #expect(report.covered == 30)
        #expect(report.checkpoint?.size == 38)
        #expect(report.signer?.owner == "sealer")
        #expect(report.state.migration?.phase.name == "completed")
        // A command that later formats have to read too.
        #expect(String(decoding: data, as: UTF8.self).contains("evictRouter"))
    }

    @Test(
        "names that the log does not take are refused, whatever hashes stand beside them",
        arguments: [
            ("\"stream\":\"m\"", "\"stream\":\"\""),
            ("\"stream\":\"m\"", "\"stream\":\"\(String(repeating: "m", count: 201))\""),
            ("\"actor\":\"ana\"", "\"actor\":\"\""),
            ("\"actor\":\"ana\"", "\"actor\":\"\(String(repeating: "a", count: 201))\""),
        ]
    )
    func names(_ name: String, _ other: String) throws {
        let file = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
            .appendingPathComponent("Fixtures/format-2/small.bundle")
        let text = String(decoding: try Data(contentsOf: file), as: UTF8.self)
        #expect(text.contains(name))
        let broken = #expect(throws: LogBundle.Broken.self) {
            try LogBundle.verify(Data(text.replacing(name, with: other).utf8))
        }
        #expect(broken?.message.contains("1 to 200 characters") == true, "\(broken?.message ?? "")")
    }

    @Test(
        "every changed byte is found, wherever it stands: all of the head and the evidence, and every seventh between"
    )
    func changedByte() async throws {
        let bytes = Array(try await TrustedLog().bundle())
        let head = try #require(bytes.firstIndex(of: UInt8(ascii: "\n")))
        let last = try #require(bytes.dropLast().lastIndex(of: UInt8(ascii: "\n")))
        for place in Array(0...head) + Array(stride(from: head + 1, to: last, by: 7)) + Array(last..<bytes.count) {
            var changed = bytes
            // Another bit each time; a flip to a line's end and from it among them.
            changed[place] ^= 1 << UInt8(place % 8)
            #expect(throws: LogBundle.Broken.self, "byte \(place)") { try LogBundle.verify(Data(changed)) }
        }
        for length in stride(from: 0, to: bytes.count, by: 997) {
            #expect(throws: LogBundle.Broken.self) { try LogBundle.verify(Data(bytes.prefix(length))) }
        }
    }
}
