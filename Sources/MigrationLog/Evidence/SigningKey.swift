import Crypto
import Foundation
package import MigrationCore

/// A private Ed25519 key (RFC 8032), kept in a file as others keep theirs: PKCS #8 in PEM (RFC 8410), which `openssl pkey` reads.
package struct SigningKey: Sendable {
    /// What comes before the 32 bytes in PKCS #8: a version, Ed25519's OID, and two octet strings' heads.
    private static let head: [UInt8] = [0x30, 0x2E, 2, 1, 0, 0x30, 5, 6, 3, 0x2B, 0x65, 0x70, 4, 0x22, 4, 0x20]
    private static let begin = "-----BEGIN PRIVATE KEY-----"
    private static let end = "-----END PRIVATE KEY-----"

    private let key: Curve25519.Signing.PrivateKey

    /// A new one.
    package init() { key = Curve25519.Signing.PrivateKey() }

    /// - Parameter pem: the text of a key file.
    /// - Returns: nil for a text that is not an Ed25519 key.
    package init?(pem: String) {
        let lines = pem.split(whereSeparator: \.isNewline).map { $0.trimmingCharacters(in: .whitespaces) }
        guard lines.first == Self.begin, lines.last == Self.end,
            let data = Data(base64Encoded: lines.dropFirst().dropLast().joined()),
            data.count == Self.head.count + 32, data.starts(with: Self.head),
            let key = try? Curve25519.Signing.PrivateKey(rawRepresentation: data.suffix(32))
        else { return nil }
        self.key = key
    }

    package var pem: String {
        let data = Data(Self.head) + key.rawRepresentation
        return "\(Self.begin)\n\(data.base64EncodedString())\n\(Self.end)\n"
    }

    package var publicKey: PublicKey { PublicKey(bytes: Array(key.publicKey.rawRepresentation)) }

    package func sign(_ bytes: [UInt8]) throws -> [UInt8] { Array(try key.signature(for: bytes)) }
}

extension PublicKey {
    init(bytes: [UInt8]) {
        self.init(id: Self.id(of: bytes), text: Data(bytes).base64EncodedString())
    }

    /// - Returns: nil for a text that is not 32 bytes in base64.
    package init?(base64 text: String) {
        guard let data = Data(base64Encoded: text), data.count == 32, data.base64EncodedString() == text else {
            return nil
        }
        self.init(bytes: Array(data))
    }

    /// The 32 bytes; nil when text and ID do not belong together.
    var bytes: [UInt8]? {
        guard let data = Data(base64Encoded: text), data.count == 32, Self.id(of: Array(data)) == id else { return nil }
        return Array(data)
    }

    package func isSignature(_ signature: [UInt8], of message: [UInt8]) -> Bool {
        guard let bytes, let key = try? Curve25519.Signing.PublicKey(rawRepresentation: bytes) else { return false }
        return key.isValidSignature(signature, for: message)
    }

    private static func id(of bytes: [UInt8]) -> String { String(Hex.text(SHA256.hash(data: bytes)).prefix(16)) }
}
