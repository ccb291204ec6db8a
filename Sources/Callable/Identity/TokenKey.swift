import CryptoExtras
import Foundation
import JSON
import NIOSSL

/// A key that tokens are signed with.
package struct TokenKey: Sendable {
    let rsa: _RSA.Signing.PublicKey

    init(_ rsa: _RSA.Signing.PublicKey) { self.rsa = rsa }

    /// Reads a certificate or a public key.
    init(pem: String) throws(TokenFault) {
        do {
            if pem.contains("BEGIN CERTIFICATE") {
                let certificate = try NIOSSLCertificate(bytes: Array(pem.utf8), format: .pem)
                rsa = try _RSA.Signing.PublicKey(derRepresentation: Data(certificate.extractPublicKey().toSPKIBytes()))
            } else {
                rsa = try _RSA.Signing.PublicKey(pemRepresentation: pem)
            }
        } catch {
            throw TokenFault("a key is neither a certificate nor a public key of RSA")
        }
    }

    /// The keys of a document by their IDs: `{"KID": "PEM"}`, as ID tokens have them, or a JWK set (RFC 7517), as App Check has them.
    static func all(in document: JSONValue) throws(TokenFault) -> [String: TokenKey] {
        if let set = document["keys"]?.array {
            var keys: [String: TokenKey] = [:]
            for key in set where key["kty"]?.string == "RSA" {
                guard let id = key["kid"]?.string, let n = key["n"]?.string.flatMap({ Base64URL.decode($0) }),
                    let e = key["e"]?.string.flatMap({ Base64URL.decode($0) }),
                    let rsa = try? _RSA.Signing.PublicKey(n: n, e: e)
                else { throw TokenFault("a key of the set is none of RSA") }
                keys[id] = TokenKey(rsa)
            }
            return keys
        }
        guard let fields = document.object else { throw TokenFault("the keys are not a JSON object") }
        var keys: [String: TokenKey] = [:]
        for (id, value) in fields {
            guard let pem = value.string else { throw TokenFault("the key \(id) is not a text") }
            keys[id] = try TokenKey(pem: pem)
        }
        return keys
    }
}
