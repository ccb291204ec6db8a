import Crypto
package import Foundation
package import MigrationCore

/// The hash of a commit, computed here as `schema/` computes it there.
package enum CommitHash {
    private static let domain = Array("migrate/commit/1".utf8)

    /// SHA-256 over the domain tag and the fields, each after its length in eight bytes, big-endian.
    package static func hash(log: UUID, stream: String, row: CommitRow) -> [UInt8] {
        var hasher = SHA256()
        hasher.update(data: domain)
        field(&hasher, bytes(log))
        field(&hasher, Array(stream.utf8))
        field(&hasher, bytes(row.version))
        field(&hasher, bytes(row.commandID))
        field(&hasher, Array(row.actor.utf8))
        field(&hasher, bytes(row.at.rawValue))
        field(&hasher, row.body)
        field(&hasher, row.prev)
        return Array(hasher.finalize())
    }

    /// A plan's hash: SHA-256 of its canonical JSON, in hexadecimal digits.
    package static func hash(of plan: Plan) throws -> String {
        Hex.text(SHA256.hash(data: try CommitCodec.canonical(plan)))
    }

    private static func field(_ hasher: inout SHA256, _ value: [UInt8]) {
        hasher.update(data: bytes(Int64(value.count)))
        hasher.update(data: value)
    }

    static func bytes(_ value: Int64) -> [UInt8] { withUnsafeBytes(of: value.bigEndian) { Array($0) } }
    static func bytes(_ value: UUID) -> [UInt8] { withUnsafeBytes(of: value.uuid) { Array($0) } }
}

/// Bytes as hexadecimal digits.
package enum Hex {
    private static let digits = Array("0123456789abcdef")

    package static func text(_ bytes: some Sequence<UInt8>) -> String {
        String(bytes.flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] })
    }

    /// - Returns: nil for a text that is not pairs of lower-case digits.
    package static func bytes(_ text: String) -> [UInt8]? {
        let values = text.map { digits.firstIndex(of: $0) }
        guard values.count % 2 == 0 else { return nil }
        var bytes: [UInt8] = []
        for start in stride(from: 0, to: values.count, by: 2) {
            guard let high = values[start], let low = values[start + 1] else { return nil }
            bytes.append(UInt8(high * 16 + low))
        }
        return bytes
    }
}
