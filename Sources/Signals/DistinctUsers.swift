import MigrationCore

/// The different users of one implementation in one window, by hashes of their keys. Beyond a number that fits, only those whose hash lies below a
/// bound are kept: a sample of users that says the same of their share.
struct DistinctUsers: Sendable {
    private static let most = 100_000

    private var all: Set<UInt64> = []
    private var withErrors: Set<UInt64> = []
    private var withTimeouts: Set<UInt64> = []
    private var bound = UInt64.max

    mutating func count(_ user: UInt64, _ outcome: Outcome) {
        guard user <= bound else { return }
        all.insert(user)
        switch outcome {
        case .answered: break
        case .failed: withErrors.insert(user)
        case .timedOut: withTimeouts.insert(user)
        }
        while all.count > Self.most {
            bound /= 2
            let bound = bound
            all = all.filter { $0 <= bound }
            withErrors = withErrors.filter { $0 <= bound }
            withTimeouts = withTimeouts.filter { $0 <= bound }
        }
    }

    func put(into counts: inout Counts) {
        counts.users = all.count
        counts.usersWithErrors = withErrors.count
        counts.usersWithTimeouts = withTimeouts.count
    }
}
