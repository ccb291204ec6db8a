import Foundation
import MigrationCore
import MigrationLog
import TestSupport
import Testing

@Suite("Bundles", .database)
struct BundleTests {
    @Test("a changed byte of a small export is found, wherever it stands: all of the head, and every seventh after it")
    func changedByte() async throws {
        let test = try await TestLog()
        try await test.sample()
        let log = try await test.log.incarnations()
        let rows = try await test.log.rows("m", after: 0)
        let last = try #require(rows.last)
        var bytes = try LogBundle.head(log: log, stream: "m", commits: last.version, last: last.hash)
        for row in rows { bytes += try LogBundle.line(row) }
        let report = try LogBundle.verify(Data(bytes))
        #expect(report.head.commits == 6)
        #expect(report.state.migration?.phase.name == "halted")
        let head = try #require(bytes.firstIndex(of: UInt8(ascii: "\n")))
        for place in Array(0...head) + Array(stride(from: head + 1, to: bytes.count, by: 7)) {
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
