import MigrationCore
import Routing

/// Everything that is true at one moment: the log, the workers, the routers, what may still be under way, and what only we know.
struct World: Sendable {
    /// The fold of the log's commits.
    var log: MigrationState
    /// The log's commits, the last first.
    var history: History?
    /// Which incarnation of the log it is.
    var incarnation = 0
    /// Half windows since the beginning.
    var time = 0
    /// The worker that may be held up at any point.
    var slow = ModelWorker()
    var routers: [ModelRouter]
    /// Routes that may reach a router at any time, again and again, in any order.
    var offered: [RouteTable] = []
    var ghost = Ghost()
    var left: SmallWorld.Limits

    var now: Timestamp { Self.moment(time) }

    /// Any time that is a window's beginning.
    static func moment(_ time: Int) -> Timestamp {
        Timestamp(rawValue: 1_700_000_000_000_000 + Int64(time) * SmallWorld.tick.rawValue)
    }

    /// The window that the time lies in.
    func window(_ plan: Plan) -> Int64 { plan.clock.index(of: now) }
}

/// A commit and those before it.
final class History: Sendable {
    let commit: Commit
    let before: History?
    /// A hash over it and all before it.
    let chain: UInt64

    init(_ commit: Commit, after before: History?) {
        self.commit = commit
        self.before = before
        chain = Self.link(commit, before?.chain ?? 0)
    }

    static func link(_ commit: Commit, _ previous: UInt64) -> UInt64 {
        var mix = Mix(seed: previous)
        mix.add(commit.version)
        mix.add(commit.decidedAt.rawValue)
        mix.add(commit.events.count)
        mix.add(commit.actor.utf8.count)
        for event in commit.events { mix.add(event.digest) }
        return mix.value
    }

    /// The commits, the first one first.
    var commits: [Commit] {
        var all: [Commit] = []
        var node: History? = self
        while let current = node {
            all.append(current.commit)
            node = current.before
        }
        return all.reversed()
    }
}

/// A worker that looks, decides and appends, and may be left in the dark at any point between.
struct ModelWorker: Sendable {
    static let quick = "worker:quick"
    static let slow = "worker:slow"

    enum State: Sendable {
        case idle
        /// Decided on what it saw; not sent.
        case prepared(Prepared)
        /// Sent, and no answer came.
        case unknown(Prepared)
    }

    struct Prepared: Sendable {
        var id: Int
        var actor: String
        var command: Command
        var events: [Event]
        /// The version on which it was decided.
        var expected: Int64
        var at: Timestamp
        /// What the window that it seals was really like.
        var quality: Quality
    }

    var state = State.idle
}

/// What a window was like for those who can see all.
enum Quality: Int, Hashable, Sendable, CaseIterable {
    case good, bad
    /// Nobody reported.
    case missing
    /// One router reported, and it was good.
    case partial
}

struct ModelRouter: Sendable {
    var name: String
    var environment: String
    /// What is kept, and so in force.
    var fence = Fence()
    /// What it said of itself last.
    var reported: Report?

    struct Report: Hashable, Sendable {
        var incarnation: Int
        var revision: Int64
        var hash: String
    }

    var table: RouteTable? { fence.table }
    func weight(_ service: String) -> Weight { table?.weight(of: service) ?? .zero }
}

/// What no part of the system knows, and the invariants are checked by.
struct Ghost: Sendable {
    /// The weights that each revision set, by incarnation, revision and environment.
    var weights: [Key: [String: Weight]] = [:]
    /// Windows in which a candidate was served, by environment and service.
    var exposed: Set<Exposure> = []
    /// Command IDs that are in the log, of those that somebody may send again.
    var done: [Int] = []
    var nextID = 0
    /// The step that bakes: since when every router really has its weight, and how many whole good windows in a row it has had since.
    var acknowledgedAt: Timestamp?
    var goodRun = 0
    /// Bad windows in a row under the present guards.
    var badRun = 0
    var lastJudged: Int64?
    /// The steps that were entered since the last start.
    var entered: [Position] = []
    /// A commit has been lost.
    var hasLost = false
    /// How often the lease has changed hands.
    var epoch = 0

    struct Key: Hashable, Sendable {
        var incarnation: Int
        var revision: Int64
        var environment: String
    }

    struct Exposure: Hashable, Sendable {
        var k: Int64
        var environment: String
        var service: Int
    }
}

extension Event {
    /// Enough of it to tell two different commits apart.
    fileprivate var digest: Int {
        switch self {
        case .weightsSet(_, let weights, _, _): weights.reduce(1) { $0 * 31 + $1.rawValue }
        case .flagSet(let service, let enabled, _): 2 + service * 2 + (enabled ? 1 : 0)
        case .stepEntered(let position): 100 + position.stage * 8 + position.step
        case .routerAcknowledged(let router, let revision): 200 + Int(revision) * 8 + router.utf8.count
        case .windowJudged(let judgement):
            300 + Int(judgement.k % 1_000) + (judgement.criteria.first?.verdict == .pass ? 1_000 : 0)
        case .approvalRecorded(_, let by): 400 + by.utf8.count + (by == "ana" ? 50 : 0)
        case .halted: 500
        case .resumed: 501
        case .rollbackStarted: 502
        case .stepPassed: 503
        case .quarantined: 504
        case .logRewound: 505
        default: 506
        }
    }
}
