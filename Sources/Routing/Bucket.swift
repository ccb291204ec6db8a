package import MigrationCore

/// Which of 10 000 buckets a key lies in, and so which implementation it gets (4-routing.md).
///
/// The candidate has the buckets from 10 000 − weight on: raising the weight only adds users, lowering it only takes some away. Envoy
/// computes the same with a hash policy over clusters [legacy, candidate] of total weight 10 000.
package enum Bucket {
    package static let count = 10_000

    /// - Parameters:
    ///   - key: the user's key, as the request has it.
    ///   - migration: its name; every migration deals its buckets anew.
    /// - Returns: 0…9999: xxHash64 with seed 0 of `<migration>:<key>` modulo 10 000.
    package static func of(_ key: String, migration: String) -> Int {
        Int(XXHash64.hash("\(migration):\(key)") % UInt64(count))
    }

    /// The same for a key as bytes; allocates nothing.
    ///
    /// - Parameter prefix: the bytes of `<migration>:`.
    package static func of(_ key: UnsafeRawBufferPointer, prefix: [UInt8]) -> Int {
        withUnsafeTemporaryAllocation(byteCount: prefix.count + key.count, alignment: 8) { bytes in
            bytes.copyBytes(from: prefix)
            UnsafeMutableRawBufferPointer(rebasing: bytes[prefix.count...]).copyMemory(from: key)
            return Int(XXHash64.hash(UnsafeRawBufferPointer(bytes)) % UInt64(count))
        }
    }

    /// The implementation that a bucket gets at a weight.
    package static func implementation(_ bucket: Int, weight: Weight) -> Implementation {
        bucket >= count - weight.rawValue ? .candidate : .legacy
    }
}
