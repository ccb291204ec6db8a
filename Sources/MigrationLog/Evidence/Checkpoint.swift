import Crypto
package import Foundation
package import MigrationCore

/// A signed statement of how far the order reached and what its tree's root was: a signed note (C2SP signed-note and tlog-checkpoint), as Go's
/// checksum database and Rekor publish them.
package struct Checkpoint: Hashable, Sendable {
    /// Whose log: `migrate/` and the ID of its newest incarnation.
    package var origin: String
    package var size: Int64
    package var root: [UInt8]
    /// The tree over the streams' last commits; nil in one of a release before that.
    package var streams: StreamHeads.Root?
    /// The lines that vouch for it.
    package var signatures: [Signature]

    package struct Signature: Hashable, Sendable {
        package var name: String
        /// The first four bytes of SHA-256(name ‖ 0x0A ‖ 0x01 ‖ public key), by which a key is found.
        var hint: [UInt8]
        var bytes: [UInt8]
    }

    /// The name of every checkpoint key.
    package static let name = "migrate-checkpoint"

    /// What is wrong with a note.
    package struct Malformed: Error, Hashable, Sendable { package var message: String }

    package init(log: UUID, head: MigrationLog.OrderHead, streams: StreamHeads.Root? = nil) {
        self.streams = streams
        origin = Self.origin(of: log)
        size = head.size
        root = head.root
        signatures = []
    }

    package static func origin(of log: UUID) -> String { "migrate/\(log.uuidString.lowercased())" }

    /// What is signed.
    private var body: String {
        let streams = streams.map { "\(Self.streamsWord) \($0.count) \(Data($0.hash).base64EncodedString())\n" }
        return "\(origin)\n\(size)\n\(Data(root).base64EncodedString())\n" + (streams ?? "")
    }

    private static let streamsWord = "streams"

    /// Whether another says the same of the same log.
    package func isSame(as other: Checkpoint) -> Bool { body == other.body }

    /// The whole note.
    package var note: String {
        let lines = signatures.map { signature in
            "— \(signature.name) \(Data(signature.hint + signature.bytes).base64EncodedString())\n"
        }
        return body + "\n" + lines.joined()
    }

    package mutating func sign(with key: SigningKey) throws {
        guard let bytes = key.publicKey.bytes else { return }
        signatures.append(
            Signature(
                name: Self.name,
                hint: Self.hint(Self.name, bytes),
                bytes: try key.sign(Array(body.utf8))
            )
        )
    }

    /// Reads a note that says exactly what it has to.
    package init(note: String) throws(Malformed) {
        let parts = note.components(separatedBy: "\n\n")
        guard parts.count == 2, note.utf8.count < 4096 else {
            throw Malformed(message: "a note is a text, an empty line and signatures")
        }
        let lines = parts[0].components(separatedBy: "\n")
        guard (3...4).contains(lines.count), lines[0].hasPrefix("migrate/"), let size = Int64(lines[1]), size >= 0,
            let root = Data(base64Encoded: lines[2]), root.count == 32
        else {
            throw Malformed(
                message:
                    "a checkpoint is three lines, whose, how many, and the root in base64, and perhaps one of its streams"
            )
        }
        if lines.count == 4 {
            let words = lines[3].components(separatedBy: " ")
            guard words.count == 3, words[0] == Self.streamsWord, let count = Int64(words[1]), count > 0,
                let hash = Data(base64Encoded: words[2]), hash.count == 32
            else { throw Malformed(message: "the line of its streams is “streams”, how many, and the root in base64") }
            streams = StreamHeads.Root(count: count, hash: Array(hash))
        }
        origin = lines[0]
        self.size = size
        self.root = Array(root)
        signatures = []
        for line in parts[1].split(separator: "\n") {
            let words = line.split(separator: " ", omittingEmptySubsequences: false)
            guard words.count == 3, words[0] == "—", let data = Data(base64Encoded: String(words[2])), data.count == 68
            else {
                throw Malformed(message: "a signature is “— NAME BASE64”")
            }
            signatures.append(
                Signature(name: String(words[1]), hint: Array(data.prefix(4)), bytes: Array(data.dropFirst(4)))
            )
        }
        guard !signatures.isEmpty, self.note == note else {
            throw Malformed(message: "the note is not written as it has to be, or is not signed")
        }
    }

    /// What a file keeps; nil where there is no file.
    ///
    /// - Throws: ``Malformed`` for a file that holds something else; an error of the file's for one that cannot be read, which is not nothing.
    package static func kept(at file: URL) throws -> Checkpoint? {
        do {
            return try Checkpoint(note: String(decoding: Data(contentsOf: file), as: UTF8.self))
        } catch let error as CocoaError where error.code == .fileReadNoSuchFile {
            return nil
        }
    }

    /// Whether one of its signatures is a key's.
    package func isSigned(by key: PublicKey) -> Bool { signatures.contains { isMade($0, by: key) } }

    fileprivate func isMade(_ signature: Signature, by key: PublicKey) -> Bool {
        guard let bytes = key.bytes, signature.hint == Self.hint(signature.name, bytes) else { return false }
        return key.isSignature(signature.bytes, of: Array(body.utf8))
    }

    /// A key as `sumdb` and others write it: name, hint and the key after its kind.
    package static func verifierKey(_ key: PublicKey) -> String? {
        key.bytes.map { "\(name)+\(Hex.text(hint(name, $0)))+\(Data([1] + $0).base64EncodedString())" }
    }

    private static func hint(_ name: String, _ key: [UInt8]) -> [UInt8] {
        Array(SHA256.hash(data: Array(name.utf8) + [0x0A, 1] + key).prefix(4))
    }
}

extension TrustHistory {
    /// The key that vouches for a checkpoint: one that may, or might when the checkpoint was made.
    ///
    /// - Returns: nil also where another of its signatures is of no such key.
    package func signer(of checkpoint: Checkpoint) -> TrustedKey? {
        let keys = latest.keys.filter { $0.roles.contains(.checkpoint) }
        let signers = checkpoint.signatures.map { signature in
            keys.first { checkpoint.isMade(signature, by: $0.key) }
        }
        return signers.contains(nil) ? nil : signers.first ?? nil
    }
}
