import MigrationCore

/// A simulated worker process: the real machines, and what becomes of the process.
struct VirtualWorker: Sendable {
    let name: String
    var isUp = true
    /// Stopped until then; what it has sent is on its way all the same.
    var pausedUntil = Timestamp(rawValue: 0)
    /// Cut off from the database.
    var isCut = false
    /// Its steady clock less the database's.
    var skew = TimeSpan.zero
    /// By migration.
    var posts: [Post]

    /// What a worker has for one migration.
    struct Post: Sendable {
        var machine: WorkerMachine
        var lease: LeaseMachine
        /// Only the last turn that was asked for is taken.
        var turn: UInt32 = 0
        /// An append is under way, and nothing else is done before it is known what became of it.
        var isWaiting = false
        var isLeading = false
        /// What sources have said of the next window.
        var readings: [SourceReading] = []
    }

    /// What it has decided, on its way to the log.
    struct Attempt: Sendable {
        var command: Command
        var events: [Event]
        /// The version on which it was decided.
        var expected: Int64
        var at: Timestamp
        /// The session with the database; one that has ended takes what was under way with it.
        var session: Int
    }

    var actor: String { Command.workerPrefix + name }

    func steady(_ now: Timestamp) -> TimeSpan { (now + skew) - Timestamp(rawValue: 0) }
}
