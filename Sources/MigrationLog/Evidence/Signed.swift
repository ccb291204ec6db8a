package import Foundation
package import MigrationCore

/// A person's signature over a command, kept in the commit that it made.
package struct Signed: Hashable, Codable, Sendable {
    /// The ID of the key.
    package var key: String
    /// The version of the stream that the person saw: the command counts for what comes after it.
    package var seen: Int64
    /// After this moment the signature is not taken.
    package var expires: Timestamp
    /// 64 bytes of Ed25519 in base64.
    package var signature: String

    /// How long a signature may be valid for.
    package static let longestLife = TimeSpan.hours(24)

    /// What is signed: a domain tag, and each field after its length in eight bytes, as in a commit's hash. The command's own ID is the nonce:
    /// the log has each ID once.
    ///
    /// - Parameters:
    ///   - log: the ID of the incarnation that the stream is in.
    ///   - command: its exact bytes in the commit.
    package static func message(
        log: UUID,
        stream: String,
        seen: Int64,
        command: [UInt8],
        actor: String,
        expires: Timestamp,
        id: UUID
    ) -> [UInt8] {
        var message = Array("migrate/override/1".utf8)
        let fields = [
            CommitHash.bytes(log), Array(stream.utf8), CommitHash.bytes(seen), command, Array(actor.utf8),
            CommitHash.bytes(expires.rawValue), CommitHash.bytes(id),
        ]
        for field in fields { message += CommitHash.bytes(Int64(field.count)) + field }
        return message
    }

    /// Signs a command; the parameters are those of ``message(log:stream:seen:command:actor:expires:id:)``.
    package static func sign(
        _ command: [UInt8],
        with key: SigningKey,
        log: UUID,
        stream: String,
        seen: Int64,
        actor: String,
        expires: Timestamp,
        id: UUID
    ) throws -> Signed {
        let message = message(
            log: log,
            stream: stream,
            seen: seen,
            command: command,
            actor: actor,
            expires: expires,
            id: id
        )
        return Signed(
            key: key.publicKey.id,
            seen: seen,
            expires: expires,
            signature: Data(try key.sign(message)).base64EncodedString()
        )
    }

    /// Why this is no signature of a commit's command; nil when it is one.
    ///
    /// - Parameters:
    ///   - key: the one that it names.
    ///   - row: the commit's.
    ///   - log: the ID of the incarnation that the stream was in before it.
    ///   - command: its exact bytes.
    func flaw(key: PublicKey, row: CommitRow, log: UUID, stream: String, command: [UInt8], decidedAt: Timestamp)
        -> String?
    {
        guard seen < row.version else { return "the signature is for a state that comes after it" }
        guard decidedAt <= expires else { return "the signature had expired" }
        guard expires - decidedAt <= Self.longestLife else { return "the signature is valid for too long" }
        let message = Self.message(
            log: log,
            stream: stream,
            seen: seen,
            command: command,
            actor: row.actor,
            expires: expires,
            id: row.commandID
        )
        guard let bytes = Data(base64Encoded: signature), key.isSignature(Array(bytes), of: message) else {
            return "the signature is not that of key \(self.key) over this command"
        }
        return nil
    }
}
