import Crypto
import CryptoExtras
import Foundation
package import JSON

/// Why a token is none. Its holder learns only that it is not valid; the reason is for the log.
package struct TokenFault: Error, Hashable, Sendable, CustomStringConvertible {
    package let description: String
    package init(_ description: String) { self.description = description }
}

/// A JSON Web Token signed with RS256 (RFC 7515, RFC 7519), taken apart and not yet believed.
package struct SignedToken: Sendable {
    package let keyID: String
    package let claims: JSONValue
    private let signed: [UInt8]
    private let signature: [UInt8]

    private static let longest = 16_384

    /// - Throws: ``TokenFault`` for what is no such token; `alg: none` and every algorithm but RS256 are refused here, before any key is looked at.
    package init(_ text: String) throws(TokenFault) {
        let parts = text.split(separator: ".", omittingEmptySubsequences: false)
        guard text.utf8.count <= Self.longest, parts.count == 3, let header = Base64URL.decode(parts[0]),
            let payload = Base64URL.decode(parts[1]), let signature = Base64URL.decode(parts[2])
        else { throw TokenFault("it is not three parts of base64url") }
        guard let head = try? JSONValue(parsing: header), let claims = try? JSONValue(parsing: payload),
            claims.object != nil
        else { throw TokenFault("its parts are not JSON objects") }
        guard head["alg"]?.string == "RS256" else { throw TokenFault("its algorithm is not RS256") }
        guard head["crit"] == nil else { throw TokenFault("it has critical extensions, and none is known") }
        guard let keyID = head["kid"]?.string, !keyID.isEmpty else { throw TokenFault("it names no key") }
        self.keyID = keyID
        self.claims = claims
        self.signature = signature
        signed = Array("\(parts[0]).\(parts[1])".utf8)
    }

    func isSigned(by key: TokenKey) -> Bool {
        key.rsa.isValidSignature(
            _RSA.Signing.RSASignature(rawRepresentation: signature),
            for: SHA256.hash(data: signed),
            padding: .insecurePKCS1v1_5
        )
    }
}

/// What an ID token must say, and whom it names.
///
/// Source: `https://firebase.google.com/docs/auth/admin/verify-id-tokens`, “Verify ID tokens using a third-party JWT library”.
package struct IdentityToken: Hashable, Sendable {
    package static let skew = 60

    package let user: String

    /// - Parameters:
    ///   - token: one whose signature holds.
    ///   - now: seconds since 1970.
    init(_ token: SignedToken, project: String, now: Int) throws(TokenFault) {
        let claims = token.claims
        guard claims["aud"]?.string == project else { throw TokenFault("it is for another audience") }
        guard claims["iss"]?.string == "https://securetoken.google.com/\(project)" else {
            throw TokenFault("it is from another issuer")
        }
        guard let user = claims["sub"]?.string, (1...128).contains(user.utf16.count) else {
            throw TokenFault("its subject is not of 1 to 128 characters")
        }
        guard let expires = claims["exp"]?.double, let issued = claims["iat"]?.double,
            let signedIn = claims["auth_time"]?.double
        else { throw TokenFault("it lacks exp, iat or auth_time") }
        let time = Double(now), skew = Double(Self.skew)
        guard time < expires + skew else { throw TokenFault("it has expired") }
        guard issued <= time + skew, signedIn <= time + skew else { throw TokenFault("it is from the future") }
        self.user = user
    }
}

enum Base64URL {
    static func decode(_ text: some StringProtocol) -> [UInt8]? {
        guard text.utf8.allSatisfy({ isLetter($0) }), text.utf8.count % 4 != 1 else { return nil }
        let plain = String(text).replacing("-", with: "+").replacing("_", with: "/")
        return Data(base64Encoded: plain + String(repeating: "=", count: (4 - plain.utf8.count % 4) % 4)).map {
            Array($0)
        }
    }

    static func encode(_ bytes: some Sequence<UInt8>) -> String {
        Data(bytes).base64EncodedString().replacing("+", with: "-").replacing("/", with: "_").replacing("=", with: "")
    }

    private static func isLetter(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "a")...UInt8(ascii: "z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "_"):
            true
        default: false
        }
    }
}
