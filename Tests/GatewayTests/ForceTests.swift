import AsyncHTTPClient
import Foundation
import Gateway
import MigrationCore
import NIOCore
import NIOHTTP1
import Routing
import Signals
import TestSupport
import Testing

@Suite("A request for one side")
struct ForceTests {
    private let folder = FileManager.default.temporaryDirectory.appendingPathComponent("force-\(UUID().uuidString)")
    private let key: ForceKey

    init() throws {
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        key = try Self.key("a secret that is known to two and guessed by none\n", folder)
    }

    private static func key(_ secret: String, _ folder: URL, environment: String = "production") throws -> ForceKey {
        let file = folder.appendingPathComponent(UUID().uuidString)
        try Data(secret.utf8).write(to: file)
        return try ForceKey(file: file, migration: "m", environment: environment)
    }

    /// Who answers, and whether he was told of the header.
    private func side(_ url: String, user: String, _ value: String?) async throws -> String {
        var request = HTTPClientRequest(url: url + "/a")
        request.headers.add(name: "x-user-id", value: user)
        if let value { request.headers.add(name: "X-Migrate-Force", value: value) }
        let response = try await HTTPClient.shared.execute(request, timeout: .seconds(5))
        return String(buffer: try await response.body.collect(upTo: 1_000))
    }

    private static func says(_ name: String) -> TestUpstream.Behaviour {
        .says { request in
            let body = name + (request.lowercased().contains("x-migrate-force") ? " told" : "")
            return "HTTP/1.1 200 OK\r\ncontent-length: \(body.utf8.count)\r\n\r\n\(body)"
        }
    }

    @Test(
        "goes there where it is signed, whatever its key; to a candidate that has nobody none goes, and none is in a window"
    )
    func forced() async throws {
        let legacy = try await TestUpstream(Self.says("legacy")),
            candidate = try await TestUpstream(Self.says("candidate"))
        let gateway = TestGateway(), key = key
        let half = SamplePlan.weight(5_000)
        let users = (0..<100).map { "user-\($0)" }
        let old = try #require(users.first { Bucket.of($0, migration: "m") < 5_000 })
        let new = try #require(users.first { Bucket.of($0, migration: "m") >= 5_000 })
        let soon = SystemClock.now + .minutes(5)
        try await gateway.serve(
            TestGateway.plan(legacy: legacy.port, candidate: candidate.port),
            state: folder.appendingPathComponent("state.json"),
            first: TestGateway.table(1, half),
            change: { $0.forceKey = key }
        ) { url in
            try await gateway.untilMeasuring()
            #expect(try await side(url, user: old, key.value(.candidate, expires: soon)) == "candidate")
            #expect(try await side(url, user: new, key.value(.legacy, expires: soon)) == "legacy")
            // Two that are counted, on either side.
            #expect(try await side(url, user: old, nil) == "legacy")
            #expect(try await side(url, user: new, nil) == "candidate")
            for value in try Self.refused(key, folder, soon) {
                #expect(try await side(url, user: old, value) == "legacy", "\(value)")
            }
            gateway.route(TestGateway.table(2, .zero))
            try await eventually("revision 2") { gateway.acknowledged.contains(2) }
            #expect(try await side(url, user: new, key.value(.candidate, expires: soon)) == "legacy")
            gateway.route(TestGateway.table(3, .all))
            try await eventually("revision 3") { gateway.acknowledged.contains(3) }
            #expect(try await side(url, user: new, key.value(.legacy, expires: soon)) == "legacy")
            func total(_ side: Implementation) -> Int {
                gateway.signals.reduce(0) { $0 + $1.services[0][side].requests }
            }
            let counted = try Self.refused(key, folder, soon).count + 1
            try await eventually("those that are counted") { total(.legacy) >= counted && total(.candidate) >= 1 }
            #expect(total(.legacy) == counted)
            #expect(total(.candidate) == 1)
        }
        await legacy.close()
        await candidate.close()
    }

    /// What nobody who may has signed for this moment.
    private static func refused(_ key: ForceKey, _ folder: URL, _ soon: Timestamp) throws -> [String] {
        let signed = key.value(.legacy, expires: soon)
        return [
            signed.replacing("legacy", with: "candidate"),
            key.value(.candidate, expires: SystemClock.now - .seconds(1)),
            key.value(.candidate, expires: SystemClock.now + .hours(25)),
            try Self.key("another secret of as many letters as the first one had", folder).value(
                .candidate,
                expires: soon
            ),
            try Self.key("a secret that is known to two and guessed by none", folder, environment: "staging")
                .value(.candidate, expires: soon),
            "candidate", "candidate 99999999999", "candidate -1 x", "candidate 99999999999999999999 AAAA", "",
        ]
    }

    @Test("a secret that could be guessed, and one that is not there, are refused")
    func weak() throws {
        let error = #expect(throws: ForceKey.Weak.self) {
            try Self.key("  0123456789012345678901234567890  \n", folder)
        }
        #expect(error?.message.contains("has 31 bytes") == true)
        // What is no text has as many bytes as it has.
        let file = folder.appendingPathComponent("bytes")
        try Data([UInt8](repeating: 0xC3, count: 20)).write(to: file)
        let bytes = #expect(throws: ForceKey.Weak.self) { try ForceKey(file: file, migration: "m", environment: "e") }
        #expect(bytes?.message.contains("has 20 bytes") == true)
        #expect(throws: ForceKey.Weak.self) {
            try ForceKey(file: folder.appendingPathComponent("none"), migration: "m", environment: "e")
        }
    }
}
