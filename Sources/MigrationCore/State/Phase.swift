/// Where a migration is.
///
///     planned ──start──► running ──last step passed──► watching ──► completed
///                          ⇅ halt, resume                ⇅
///                        halted ─────────────────────────┘
///     planned | running | halted | watching ──► rollingBack ──► rolledBack ──restart──► running
///                                                   └──► abandoned
package enum Phase: Hashable, Codable, Sendable {
    /// Exits: start, roll back, abandon.
    case planned
    /// Exits: halt, the last step's passing, roll back, abandon.
    case running(step: Step)
    /// Exits: resume, roll back, abandon. Guards go on.
    case halted(halt: Halt)
    /// After 100 %. Exits: the watch's end, halt, roll back, abandon.
    case watching(watch: Watch)
    /// The weight is 0, and has not been seen to be. Exits: its confirmation.
    case rollingBack(rollback: Rollback)
    /// Exits: restart; a part that is still at the candidate stays guarded, and may be rolled back too.
    case rolledBack(rollback: Rollback)
    case completed
    case abandoned(rollback: Rollback)
}

extension Phase {
    /// One word for lists and programs.
    package var name: String {
        switch self {
        case .planned: "planned"
        case .running: "running"
        case .halted: "halted"
        case .watching: "watching"
        case .rollingBack: "rollingBack"
        case .rolledBack(let rollback): rollback.isWhole ? "rolledBack" : "partlyRolledBack"
        case .completed: "completed"
        case .abandoned: "abandoned"
        }
    }

    /// Whether windows are judged in this phase.
    package var takesWindows: Bool {
        switch self {
        case .running, .halted, .watching, .rollingBack: true
        case .rolledBack(let rollback): !rollback.isWhole
        case .planned, .completed, .abandoned: false
        }
    }

    /// Whether nothing but a restart can happen any more.
    package var isOver: Bool {
        switch self {
        case .rolledBack(let rollback): rollback.isWhole
        case .completed, .abandoned: true
        case .planned, .running, .halted, .watching, .rollingBack: false
        }
    }

    /// Whether nothing at all can happen any more.
    package var isFinal: Bool {
        switch self {
        case .completed, .abandoned: true
        case .planned, .running, .halted, .watching, .rollingBack, .rolledBack: false
        }
    }

    /// The step under way, also while halted.
    package var step: Step? {
        get {
            switch self {
            case .running(let step): step
            case .halted(let halt): halt.held.step
            case .planned, .watching, .rollingBack, .rolledBack, .completed, .abandoned: nil
            }
        }
        set {
            guard let newValue else { return }
            switch self {
            case .running: self = .running(step: newValue)
            case .halted(var halt):
                halt.held = .stepping(step: newValue)
                self = .halted(halt: halt)
            case .planned, .watching, .rollingBack, .rolledBack, .completed, .abandoned: break
            }
        }
    }

    package var rollback: Rollback? {
        get {
            switch self {
            case .rollingBack(let rollback), .rolledBack(let rollback), .abandoned(let rollback): rollback
            case .planned, .running, .halted, .watching, .completed: nil
            }
        }
        set {
            guard let newValue else { return }
            switch self {
            case .rollingBack: self = .rollingBack(rollback: newValue)
            case .rolledBack: self = .rolledBack(rollback: newValue)
            case .abandoned: self = .abandoned(rollback: newValue)
            case .planned, .running, .halted, .watching, .completed: break
            }
        }
    }
}

/// One weight of one stage, on its way.
package struct Step: Hashable, Codable, Sendable {
    package enum Progress: Hashable, Codable, Sendable {
        /// Before the first step: legacy is measured; `windows` have counted.
        case recording(firstWindow: Int64, windows: Int)
        /// Set, and not yet acknowledged by every router.
        case shifting
        /// Acknowledged; `run` windows in a row have passed, of those from `firstWindow` on.
        case baking(firstWindow: Int64, run: Int)
        /// As baking, and the stage's checks are under way; since when.
        case checking(firstWindow: Int64, run: Int, since: Timestamp)
        /// As baking, and people must approve the step after it; since when.
        case awaitingApproval(firstWindow: Int64, run: Int, since: Timestamp)
    }

    package var position: Position
    package var enteredAt: Timestamp
    package var progress: Progress

    package init(position: Position, enteredAt: Timestamp, progress: Progress) {
        self.position = position
        self.enteredAt = enteredAt
        self.progress = progress
    }

    /// The first window that counts and how many have passed in a row; nil before the acknowledgement.
    package var bake: (firstWindow: Int64, run: Int)? {
        switch progress {
        case .recording, .shifting: nil
        case .baking(let firstWindow, let run), .checking(let firstWindow, let run, _),
            .awaitingApproval(let firstWindow, let run, _):
            (firstWindow, run)
        }
    }
}

/// The time after 100 % in which legacy is kept warm.
package struct Watch: Hashable, Codable, Sendable {
    package var since: Timestamp
    package var until: Timestamp

    package init(since: Timestamp, until: Timestamp) {
        self.since = since
        self.until = until
    }
}

/// A stop of advance, and what it stopped.
package struct Halt: Hashable, Codable, Sendable {
    package enum Cause: String, Hashable, Codable, Sendable {
        case person, expired, approvalTimedOut, checkFailed, checkTimedOut, stepTimedOut, rewound
    }
    package enum Held: Hashable, Codable, Sendable {
        case stepping(step: Step)
        case watching(watch: Watch)

        package var step: Step? {
            switch self {
            case .stepping(let step): step
            case .watching: nil
            }
        }
    }

    package var cause: Cause
    package var reason: String
    package var since: Timestamp
    package var held: Held

    package init(cause: Cause, reason: String, since: Timestamp, held: Held) {
        self.cause = cause
        self.reason = reason
        self.since = since
        self.held = held
    }
}

/// A return of all traffic to legacy, with its ledger of times.
package struct Rollback: Hashable, Codable, Sendable {
    package enum Cause: Hashable, Codable, Sendable {
        /// By its place among the triggers of the stage, with the service that is at fault where each is judged by itself.
        case trigger(stage: Int, index: Int, service: Int?)
        case person(name: String, reason: String)
        /// A gate whose plan says so, with what happened to it.
        case gate(reason: String)
    }
    /// What goes back in one environment.
    package struct Part: Hashable, Codable, Sendable {
        package var environment: String
        /// By their places in the plan, rising.
        package var services: [Int]

        package init(environment: String, services: [Int]) {
            self.environment = environment
            self.services = services
        }
    }
    /// What the migration becomes once the return is confirmed.
    package enum Outcome: String, Hashable, Codable, Sendable { case rolledBack, abandoned }

    /// Counted from 1 within the migration.
    package var number: Int
    package var cause: Cause
    package var outcome: Outcome
    /// Where it happened; nil when nothing had been started.
    package var position: Position?
    /// What goes back, by the plan's order of environments.
    package var parts: [Part]
    /// Whether that is every service in every environment.
    package var isWhole: Bool
    /// The weight at that place before.
    package var from: Weight
    /// The version of the commit that set the weights to 0.
    package var revision: Int64
    /// The beginning of the first breaching window; nil for a person's.
    package var onset: Timestamp?
    /// When the firing window could first be judged; nil for a person's.
    package var detectedAt: Timestamp?
    package var decidedAt: Timestamp
    /// When the last router had acknowledged.
    package var acknowledgedAt: Timestamp?
    /// The end of the first window that showed no candidate traffic.
    package var confirmedAt: Timestamp?
    package var isOverdue: Bool
    /// Its cause in words, once the plan that has the trigger is no longer the migration's.
    package var told: String?
    /// Where it happened in words, then too.
    package var toldPlace: String?
    /// When it was opened again after its acknowledgement; nil for one that never was.
    package var reopenedAt: Timestamp?
    /// The routers that the plan had evicted before, and that have not said since that they have it: whoever they still reach may go to the candidate. Nil for
    /// none.
    package var unheard: [String]?

    package init(
        number: Int,
        cause: Cause,
        outcome: Outcome,
        position: Position?,
        parts: [Part],
        isWhole: Bool,
        from: Weight,
        revision: Int64,
        onset: Timestamp?,
        detectedAt: Timestamp?,
        decidedAt: Timestamp,
        unheard: [String]? = nil
    ) {
        self.unheard = unheard
        self.number = number
        self.cause = cause
        self.outcome = outcome
        self.position = position
        self.parts = parts
        self.isWhole = isWhole
        self.from = from
        self.revision = revision
        self.onset = onset
        self.detectedAt = detectedAt
        self.decidedAt = decidedAt
        isOverdue = false
    }
}
