import Crypto
import CryptoExtras
package import Foundation
package import JSON

/// Signs ID tokens for development and tests, with a key of its own in a folder; real tokens come from the real issuer.
package struct DevelopmentIssuer: Sendable {
    private static let keyID = "development"

    /// Where the public key stands, for ``KeySource``.
    package let certificates: URL
    private let key: _RSA.Signing.PrivateKey
    private let project: String

    /// Takes the key that the folder has, or makes one.
    ///
    /// - Throws: where the folder cannot be written, or holds another thing by the key's name.
    package init(folder: URL, project: String) throws {
        self.project = project
        certificates = folder.appendingPathComponent("certificates.json")
        let file = folder.appendingPathComponent("key.pem")
        if let pem = try? String(contentsOf: file, encoding: .utf8) {
            key = try _RSA.Signing.PrivateKey(pemRepresentation: pem)
        } else {
            try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
            key = try _RSA.Signing.PrivateKey(keySize: .bits2048)
            // Nobody else may read it, from the first moment on.
            guard
                FileManager.default.createFile(
                    atPath: file.path,
                    contents: Data(key.pemRepresentation.utf8),
                    attributes: [.posixPermissions: 0o600]
                )
            else { throw TokenFault("\(file.path) cannot be written") }
        }
        let document = JSONValue.object([Self.keyID: .string(key.publicKey.pemRepresentation)])
        try Data(document.bytes).write(to: certificates, options: .atomic)
    }

    /// A token as the issuer of ID tokens would sign it.
    ///
    /// - Parameters:
    ///   - life: seconds from now on.
    package func token(user: String, life: Int = 3_600) throws -> String {
        let now = Int(Date.now.timeIntervalSince1970)
        let claims: [String: JSONValue] = [
            "aud": .string(project), "iss": .string("https://securetoken.google.com/\(project)"),
            "sub": .string(user), "user_id": .string(user), "iat": .int(now), "auth_time": .int(now),
            "exp": .int(now + life),
        ]
        return try sign(claims)
    }

    /// Signs any claims.
    package func sign(_ claims: [String: JSONValue], header: [String: JSONValue] = [:]) throws -> String {
        let head: [String: JSONValue] = ["alg": "RS256", "typ": "JWT", "kid": .string(Self.keyID)]
        let text = [head.merging(header) { $1 }, claims].map { Base64URL.encode(JSONValue.object($0).bytes) }
            .joined(separator: ".")
        let signature = try key.signature(for: SHA256.hash(data: Array(text.utf8)), padding: .insecurePKCS1v1_5)
        return "\(text).\(Base64URL.encode(signature.rawRepresentation))"
    }
}
