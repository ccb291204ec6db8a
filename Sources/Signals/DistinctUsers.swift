import MigrationCore

/// The different users of one implementation in one window, by hashes of their keys.
struct DistinctUsers: Sendable {
    /// With more users than this in a window none are told: a count that stops is no count.
    private static let most = 100_000

    private var all: Set<UInt64> = []
    private var withErrors: Set<UInt64> = []
    private var withTimeouts: Set<UInt64> = []
    private var isTooMany = false

    mutating func count(_ user: UInt64, _ outcome: Outcome) {
        guard !isTooMany else { return }
        all.insert(user)
        switch outcome {
        case .answered: break
        case .failed: withErrors.insert(user)
        case .timedOut: withTimeouts.insert(user)
        }
        guard all.count > Self.most else { return }
        self = DistinctUsers()
        isTooMany = true
    }

    func put(into counts: inout Counts) {
        counts.users = all.count
        counts.usersWithErrors = withErrors.count
        counts.usersWithTimeouts = withTimeouts.count
    }
}
