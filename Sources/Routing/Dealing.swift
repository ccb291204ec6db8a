package import MigrationCore

/// By which hash of `<migration>:<key>` a kind of data plane deals users: each user has a weight from which on he is the candidate's, so that
/// raising the weight only adds users, and lowering it only takes some away.
package enum Dealing: CaseIterable, Sendable {
    /// ``Bucket``: the gateway, an Envoy where the key is a header, resolvers by etcd.
    case gateway
    /// The xxHash32 modulo 10 000; the candidate has the buckets from 10 000 − weight on.
    case haproxy
    /// The MurmurHash2; the candidate has what is below the weight's share of 2³² − 1 (`split_clients`).
    case nginx

    /// The least weight at which a key is the candidate's.
    ///
    /// - Parameter text: `<migration>:<key>`.
    package func least(_ text: String) -> Weight {
        let buckets = UInt64(Bucket.count)
        let basisPoints =
            switch self {
            case .gateway: buckets - XXHash64.hash(text) % buckets
            case .haproxy: buckets - UInt64(XXHash32.hash(text)) % buckets
            case .nginx:
                // The least of which the share, rounded down, is more than the hash.
                ((UInt64(MurmurHash2.hash(text)) + 1) * buckets + UInt64(UInt32.max) - 1) / UInt64(UInt32.max)
            }
        return Weight(rawValue: Int(min(basisPoints, buckets))) ?? .all
    }

    /// The implementation that a key gets at a weight.
    ///
    /// - Parameter text: `<migration>:<key>`.
    package func implementation(_ text: String, weight: Weight) -> Implementation {
        weight >= least(text) ? .candidate : .legacy
    }
}
