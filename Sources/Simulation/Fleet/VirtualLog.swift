import MigrationCore
import Routing

/// One migration's stream in a simulated database, with what routers and workers keep beside it.
struct VirtualLog: Sendable {
    final class Entry: Sendable {
        let commit: Commit
        /// The state with it; nil in a log that never loses anything.
        let state: MigrationState?
        /// A hash over it and all before it.
        let chain: UInt64
        /// A person's command ID; nil for a worker's.
        let id: Int?
        /// The measurements that left the table in the same transaction.
        let taken: [RouterSignal]

        init(_ commit: Commit, state: MigrationState?, chain: UInt64, id: Int?, taken: [RouterSignal]) {
            self.commit = commit
            self.state = state
            self.chain = chain
            self.id = id
            self.taken = taken
        }
    }

    /// What a router said of itself.
    struct Report: Hashable, Sendable {
        var router: String
        var environment: String
        var incarnation: Int?
        var revision: Int64
        var chain: String
        var at: Timestamp
    }

    enum Outcome: Hashable, Sendable {
        case appended
        /// Decided on another version than the head's.
        case conflict
        /// Decided so long ago that nobody believes the date.
        case tooOld
        /// The command's ID is in the log already.
        case repeated
    }

    /// No decision may be older when it is appended.
    static let oldest = TimeSpan.seconds(60)

    let name: String
    /// Whether commits can be lost, so that every state is kept.
    private let canRewind: Bool
    private(set) var incarnation = 1
    private(set) var entries: [Entry] = []
    private(set) var state = MigrationState.initial
    /// The commands of people that are in the log, by their IDs.
    private(set) var ids: Set<Int> = []
    /// In the order of the routers' names.
    private(set) var reports: [Report] = []
    private(set) var signals: [RouterSignal] = []
    var lease: (holder: Int, until: Timestamp)?

    init(name: String, canRewind: Bool) {
        self.name = name
        self.canRewind = canRewind
    }

    var migration: Migration? { state.migration }
    var version: Int64 { state.version }

    /// Appends what was decided on `expected`.
    ///
    /// - Throws: invariant 1 or 4 when what was decided does not fold.
    mutating func append(
        _ command: Command,
        _ events: [Event],
        by actor: String,
        decidedAt: Timestamp,
        expected: Int64,
        id: Int?,
        at: Timestamp,
        _ mutant: Mutant?
    ) throws(Violation) -> Outcome {
        if let id, ids.contains(id), mutant != .retryWithoutLookup { return .repeated }
        guard expected == version || mutant == .leaseInsteadOfCompareAndSet else { return .conflict }
        guard at - decidedAt <= Self.oldest else { return .tooOld }
        let commit = Commit(version: version + 1, actor: actor, decidedAt: decidedAt, command: command, events: events)
        let next: MigrationState
        do {
            next = try state.folding(commit)
        } catch {
            throw Violation(invariant: 4, message: "a commit cannot be folded: \(error.message)")
        }
        let chain = History.link(commit, entries.last?.chain ?? 0)
        entries.append(Entry(commit, state: canRewind ? next : nil, chain: chain, id: id, taken: take(command)))
        state = next
        if let id { ids.insert(id) }
        if case .declareRewound = command, !isRefused(events) { incarnation += 1 }
        return .appended
    }

    private func isRefused(_ events: [Event]) -> Bool {
        if case .overrideRefused? = events.first { return true }
        return false
    }

    /// What a command carries leaves the table in the same transaction.
    private mutating func take(_ command: Command) -> [RouterSignal] {
        let isTaken: (RouterSignal) -> Bool
        switch command {
        case .sealWindow(let window):
            let routers = Set(window.environments.flatMap(\.routers))
            isTaken = { $0.k == window.k && routers.contains($0.router) }
        case .recordLate(let k, let router, _): isTaken = { $0.k == k && $0.router == router }
        case .retireRouter(let router, _), .evictRouter(let router, _):
            reports.removeAll { $0.router == router }
            return []
        default: return []
        }
        let taken = signals.filter(isTaken)
        signals.removeAll(where: isTaken)
        return taken
    }

    mutating func report(_ report: Report) {
        if let index = reports.firstIndex(where: { $0.router == report.router }) {
            reports[index] = report
        } else {
            reports.append(report)
            reports.sort { $0.router < $1.router }
        }
    }

    /// Takes a router's measurements, as the log does: not of a migration that judges none, not of the future, and none twice.
    mutating func hand(in signal: RouterSignal, at: Timestamp) {
        guard let migration, migration.phase.takesWindows else { return }
        let latest = at + TimeSpan(rawValue: migration.plan.window.rawValue / 2)
        guard migration.plan.clock.end(of: signal.k) <= latest,
            !signals.contains(where: { $0.k == signal.k && $0.router == signal.router })
        else { return }
        signals.append(signal)
    }

    /// Everything that a worker looks at.
    func sight(at: Timestamp) -> WorkerMachine.Sight {
        let next = migration?.nextWindow
        return WorkerMachine.Sight(
            now: max(at, state.decidedAt),
            state: state,
            reports: reports.map { report in
                // A revision of another incarnation of the log says nothing about this one.
                let isOurs = report.incarnation == incarnation
                return RouterReport(
                    router: report.router,
                    environment: report.environment,
                    revision: isOurs ? report.revision : nil,
                    isForked: isOurs && isForked(report),
                    seenAt: report.at
                )
            },
            signals: signals.filter { $0.k == next },
            late: signals.filter { $0.k < next ?? .min }
        )
    }

    func isForked(_ report: Report) -> Bool {
        guard report.revision >= 1, report.revision <= Int64(entries.count) else { return false }
        return Self.text(entries[Int(report.revision) - 1].chain) != report.chain
    }

    static func text(_ chain: UInt64) -> String { String(chain, radix: 16) }

    /// The name of an incarnation of the log, as routers are told it.
    static func logID(_ incarnation: Int) -> String { "log \(incarnation)" }

    /// The route of an environment.
    func table(of environment: String) -> RouteTable? {
        guard let migration, let traffic = migration.traffic(in: environment),
            traffic.revision >= 1, traffic.revision <= Int64(entries.count)
        else { return nil }
        return RouteTable(
            logID: Self.logID(incarnation),
            migration: name,
            environment: environment,
            revision: traffic.revision,
            hash: Self.text(entries[Int(traffic.revision) - 1].chain),
            weights: Dictionary(zip(migration.plan.services.map(\.name), traffic.effective)) { first, _ in first }
        )
    }

    /// Goes back in time: a failover that lost the tail, or an old backup.
    ///
    /// - Returns: how many commits are gone.
    mutating func truncate(to version: Int64) -> Int {
        guard version >= 1, version < self.version, let kept = entries.dropLast(entries.count - Int(version)).last,
            let earlier = kept.state
        else { return 0 }
        let lost = entries.count - Int(version)
        for entry in entries.suffix(lost) {
            if let id = entry.id { ids.remove(id) }
            signals += entry.taken
        }
        entries.removeLast(lost)
        state = earlier
        // What routers said since then is lost with it; they say it again when they look next.
        reports.removeAll { $0.at > kept.commit.decidedAt }
        lease = nil
        return lost
    }
}
