import Crypto
package import Foundation
package import MigrationCore

/// A secret with which people ask a gateway for one side, whatever their bucket: to look at the candidate before they are moved, or to go on with legacy.
///
/// The field `x-migrate-force` is `SIDE EXPIRES SIGNATURE`: `legacy` or `candidate`, seconds since 1970, and the HMAC-SHA256 in base64 of
/// `migrate/force/1`, the migration, the environment, the side and the seconds, each on a line of its own.
package struct ForceKey: Sendable {
    package static let field = "x-migrate-force"
    /// The longest that a signature may be valid for.
    package static let longestLife = TimeSpan.hours(24)
    /// A shorter secret could be guessed.
    private static let leastBytes = 32

    private let key: SymmetricKey
    private let beginning: String

    /// What is no secret.
    package struct Weak: Error {
        package let message: String
    }

    /// - Parameters:
    ///   - file: the secret, at least 32 bytes; blanks around it are not part of it.
    ///   - migration: whose requests it is for.
    ///   - environment: where.
    /// - Throws: ``Weak`` for a file that cannot be read or is too short.
    package init(file: URL, migration: String, environment: String) throws(Weak) {
        guard let data = FileManager.default.contents(atPath: file.path) else {
            throw Weak(message: "the file \(file.path) cannot be read")
        }
        func trimmed(_ bytes: some Sequence<UInt8>) -> [UInt8] {
            bytes.drop { [0x09, 0x0A, 0x0D, 0x20].contains($0) }.reversed()
        }
        let secret = trimmed(trimmed(data))
        guard secret.count >= Self.leastBytes else {
            throw Weak(message: "\(file.path) has \(secret.count) bytes, and a secret has \(Self.leastBytes) at least")
        }
        key = SymmetricKey(data: Data(secret))
        beginning = "migrate/force/1\n\(migration)\n\(environment)\n"
    }

    /// The field's value that asks for a side.
    ///
    /// - Parameter expires: from when on it asks for nothing.
    package func value(_ side: Implementation, expires: Timestamp) -> String {
        let seconds = expires.rawValue / 1_000_000
        let code = HMAC<SHA256>.authenticationCode(for: message(side.rawValue, seconds), using: key)
        return "\(side.rawValue) \(seconds) \(Data(code).base64EncodedString())"
    }

    /// The side that a field's value asks for; nil for one that nobody with this secret has signed for this moment.
    func side(_ value: some StringProtocol, at now: Timestamp) -> Implementation? {
        let parts = value.split(separator: " ", omittingEmptySubsequences: false)
        guard parts.count == 3, let side = Implementation(rawValue: String(parts[0])),
            parts[1].utf8.allSatisfy({ (0x30...0x39).contains($0) }), let seconds = Int64(parts[1]),
            seconds < Int64.max / 1_000_000, let code = Data(base64Encoded: String(parts[2]))
        else { return nil }
        let left = Timestamp(rawValue: seconds * 1_000_000) - now
        guard left > .zero, left <= Self.longestLife else { return nil }
        let isSigned = HMAC<SHA256>.isValidAuthenticationCode(
            code,
            authenticating: message(side.rawValue, seconds),
            using: key
        )
        return isSigned ? side : nil
    }

    private func message(_ side: String, _ seconds: Int64) -> Data { Data("\(beginning)\(side)\n\(seconds)\n".utf8) }
}
