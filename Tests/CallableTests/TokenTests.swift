import Callable
import Foundation
import JSON
import TestSupport
import Testing

/// A folder that is gone with the test.
final class TestFolder: Sendable {
    let url = FileManager.default.temporaryDirectory.appendingPathComponent("callable-\(UUID().uuidString)")
    init() throws { try FileManager.default.createDirectory(at: url, withIntermediateDirectories: true) }
    deinit { try? FileManager.default.removeItem(at: url) }
}

@Suite("ID tokens")
struct TokenTests {
    private let folder: TestFolder
    private let issuer: DevelopmentIssuer
    private let authenticator: Authenticator
    private static let project = "demo"

    init() throws {
        folder = try TestFolder()
        issuer = try DevelopmentIssuer(folder: folder.url, project: Self.project)
        authenticator = Authenticator(project: Self.project, keys: KeySource(issuer.certificates.absoluteString))
    }

    private static var now: Int { Int(Date.now.timeIntervalSince1970) }

    private static var claims: [String: JSONValue] {
        [
            "aud": .string(project), "iss": .string("https://securetoken.google.com/\(project)"), "sub": "ana",
            "iat": .int(now), "auth_time": .int(now), "exp": .int(now + 60),
        ]
    }

    @Test("a token of the issuer names its user; the scheme's case does not matter; none is nobody")
    func good() async throws {
        let token = try issuer.token(user: "ana")
        #expect(try await authenticator.user("Bearer \(token)") == "ana")
        #expect(try await authenticator.user("bearer \(token)") == "ana")
        #expect(try await authenticator.user(nil) == nil)
        let again = try DevelopmentIssuer(folder: folder.url, project: Self.project)
        #expect(try await authenticator.user("Bearer \(again.token(user: "ben"))") == "ben")
        let mode = try FileManager.default.attributesOfItem(atPath: folder.url.appendingPathComponent("key.pem").path)[
            .posixPermissions
        ]
        #expect(mode as? Int == 0o600)
    }

    @Test(
        "every claim is held to what it must be",
        arguments: [
            ("aud", "other", "audience"), ("aud", ["demo"], "audience"), ("aud", nil, "audience"),
            ("iss", "https://securetoken.google.com/other", "issuer"), ("iss", nil, "issuer"),
            ("sub", "", "subject"), ("sub", nil, "subject"), ("sub", 7, "subject"),
            ("sub", .string(String(repeating: "a", count: 129)), "subject"),
            ("exp", .int(now - 61), "expired"), ("exp", nil, "lacks"), ("exp", "soon", "lacks"),
            ("iat", .int(now + 300), "future"), ("iat", nil, "lacks"),
            ("auth_time", .int(now + 300), "future"), ("auth_time", nil, "lacks"),
        ] as [(String, JSONValue?, String)]
    )
    func claims(_ name: String, _ value: JSONValue?, _ reason: String) async throws {
        var claims = Self.claims
        claims[name] = value
        let token = try issuer.sign(claims)
        let fault = await #expect(throws: TokenFault.self) { try await authenticator.user("Bearer \(token)") }
        #expect(fault?.description.contains(reason) ?? false, "\(fault?.description ?? "")")
    }

    @Test("a skew of a minute is forgiven", arguments: [("exp", -30), ("iat", 30), ("auth_time", 30)])
    func skew(_ name: String, _ seconds: Int) async throws {
        var claims = Self.claims
        claims[name] = .int(Self.now + seconds)
        #expect(try await authenticator.user("Bearer \(issuer.sign(claims))") == "ana")
    }

    @Test(
        "headers: none but RS256, a key that is known, nothing critical",
        arguments: [
            ["alg": "none"], ["alg": "HS256"], ["alg": "rs256"], ["alg": "RS384"], ["alg": .null], ["kid": "unknown"],
            ["kid": ""], ["kid": .null], ["crit": ["exp"]],
        ] as [[String: JSONValue]]
    )
    func headers(_ header: [String: JSONValue]) async throws {
        let token = try issuer.sign(Self.claims, header: header)
        await #expect(throws: TokenFault.self) { try await authenticator.user("Bearer \(token)") }
    }

    @Test("forged, cut and senseless tokens")
    func forged() async throws {
        let token = try issuer.token(user: "ana")
        let parts = token.split(separator: ".").map(String.init)
        let strangers = try TestFolder()
        let other = try DevelopmentIssuer(folder: strangers.url, project: Self.project).token(user: "ana")
        let eve = try issuer.token(user: "eve").split(separator: ".").map(String.init)
        let bad = [
            "\(parts[0]).\(parts[1]).", "\(parts[0]).\(parts[1])", "\(parts[0]).\(eve[1]).\(parts[2])", other, "",
            "a.b.c", "...", "Bearer",
            token + "=", token + ".x", " \(token)", "\(parts[0]).\(parts[1]).\(parts[2].dropLast(4))AAAA",
            "development.ana",
            String(repeating: "a", count: 20_000),
        ]
        for text in bad {
            await #expect(throws: TokenFault.self, "\(text.prefix(30))") {
                try await authenticator.user("Bearer \(text)")
            }
        }
        for text in ["Basic \(token)", token, "Bearer", ""] {
            await #expect(throws: TokenFault.self) { try await authenticator.user(text) }
        }
        // Every single bit of a signature counts.
        var bytes = Array(parts[2].utf8)
        for index in stride(from: 0, to: bytes.count - 1, by: 17) {
            let kept = bytes[index]
            bytes[index] = kept == UInt8(ascii: "A") ? UInt8(ascii: "B") : UInt8(ascii: "A")
            let text = "\(parts[0]).\(parts[1]).\(String(decoding: bytes, as: UTF8.self))"
            await #expect(throws: TokenFault.self) { try await authenticator.user("Bearer \(text)") }
            bytes[index] = kept
        }
    }

    @Test("keys that cannot be had make no token valid")
    func keys() async throws {
        let token = try issuer.token(user: "ana")
        for (index, text) in [
            "", "[]", "{\"development\":7}", "{\"development\":\"PEM\"}",
            "{\"keys\":[{\"kty\":\"RSA\",\"kid\":\"development\"}]}", nil,
        ].enumerated() {
            let file = folder.url.appendingPathComponent("keys-\(index).json")
            if let text { try Data(text.utf8).write(to: file) }
            let authenticator = Authenticator(project: Self.project, keys: KeySource(file.absoluteString))
            await #expect(throws: TokenFault.self) { try await authenticator.user("Bearer \(token)") }
        }
    }

    @Test("App Check, where it is enforced")
    func appCheck() async throws {
        let enforced = Authenticator(
            project: Self.project,
            keys: KeySource(issuer.certificates.absoluteString),
            appCheck: .init(project: "123", keys: KeySource(issuer.certificates.absoluteString))
        )
        let claims: [String: JSONValue] = [
            "aud": ["projects/123", "projects/demo"], "iss": "https://firebaseappcheck.googleapis.com/123",
            "sub": "1:123:web:abc",
            "exp": .int(Self.now + 60),
        ]
        try await enforced.checkApp(try issuer.sign(claims))
        try await authenticator.checkApp(nil)
        await #expect(throws: TokenFault.self) { try await enforced.checkApp(nil) }
        for (name, value) in [("aud", ["projects/9"]), ("iss", "x"), ("exp", 1), ("sub", "")] as [(String, JSONValue)] {
            var bad = claims
            bad[name] = value
            let token = try issuer.sign(bad)
            await #expect(throws: TokenFault.self) { try await enforced.checkApp(token) }
        }
    }
}
