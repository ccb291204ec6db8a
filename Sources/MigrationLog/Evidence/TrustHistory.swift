package import MigrationCore

/// The keys of a log as they were at any time, from their verified stream.
package struct TrustHistory: Sendable {
    /// The name of the keys' stream; no migration can have it.
    package static let stream = "@trust"

    /// How long after a change of the keys the log may still have a decision that did not know of it, and by how much the clocks of two
    /// streams may differ after a failover.
    static let delay = TimeSpan.seconds(10)

    private var entries: [(at: Timestamp, state: TrustState)] = [(Timestamp(rawValue: .min), TrustState())]

    package init() {}

    package var latest: TrustState { entries[entries.count - 1].state }

    mutating func append(_ state: TrustState, at: Timestamp) { entries.append((at, state)) }

    /// The keys that a decision went by.
    ///
    /// - Parameters:
    ///   - version: of the keys' stream, as the commit says.
    ///   - decidedAt: when the decision was made.
    ///   - at: when it was appended.
    /// - Throws: a ``Replay/Divergence`` when it did not go by those that there were.
    func state(_ version: Int64, decidedAt: Timestamp, at: Timestamp, for commit: Int64) throws -> TrustState {
        guard let index = Int(exactly: version), entries.indices.contains(index), entries[index].at <= at + Self.delay
        else {
            throw Replay.Divergence(commit, "it goes by version \(version) of the keys, which there was not yet")
        }
        if entries.indices.contains(index + 1), entries[index + 1].at + Self.delay <= decidedAt {
            throw Replay.Divergence(
                commit,
                "it goes by version \(version) of the keys, and version \(version + 1) was there \((decidedAt - entries[index + 1].at).description) before"
            )
        }
        return entries[index].state
    }
}
