/// What somebody asks of a migration: a person's override, or what a worker saw.
package enum Command: Hashable, Codable, Sendable {
    // By people.

    /// Begins a stream. `hash` is the plan's, over the bytes in which the log keeps it.
    case plan(plan: Plan, hash: String)
    /// Another plan for what has not been done yet, with its hash.
    case amend(plan: Plan, hash: String, reason: String)
    case start(reason: String?)
    /// Stops advance; guards go on.
    case halt(reason: String)
    case resume(reason: String)
    /// Everything, or the named services in every environment.
    case rollBack(reason: String, services: [String]? = nil)
    /// A weight for one service, or for all, in one environment, or in the current one.
    case setWeight(weight: Weight, service: String?, environment: String?, reason: String)
    /// Takes a service (or all) to legacy everywhere, or lets it have the weight of its step again.
    case setFlag(service: String?, enabled: Bool, reason: String)
    /// Opens the gate before the step that is named, as one of the people who must.
    case approve(stage: String, step: Weight, reason: String?)
    /// Ends the named step without its bake and criteria.
    case skip(stage: String, step: Weight, reason: String)
    /// What a check of the current step showed; a person's, or a worker's that ran it since the checks were asked for.
    case reportCheck(check: String, isPassed: Bool, detail: String, since: Timestamp? = nil)
    /// Takes everything to legacy and ends the migration.
    case abandon(reason: String)
    /// Begins again after a rollback.
    case restart(reason: String)
    /// Ends a quarantine: the log, as it stands, is a new incarnation, and routers take its routes anew.
    case declareRewound(reason: String)
    /// Stops waiting for a router that will not come back.
    case retireRouter(router: String, reason: String)
    /// Another plan that is judged on the same windows and does nothing, in place of the one before it.
    case beginShadow(plan: Plan, hash: String, reason: String)
    case endShadow(reason: String)
    /// Drops the content of texts that people wrote in earlier commands, by their tokens.
    case redact(texts: [String], reason: String)

    // By workers.

    case registerRouter(router: String, environment: String)
    case acknowledge(router: String, revision: Int64)
    /// A router has a revision of this log that the log does not have, or (forked) has with other content.
    case quarantine(router: String, revision: Int64, isForked: Bool = false)
    /// The log does not go on from a checkpoint of it that is kept elsewhere, of so many commits of its order and with that root (base64).
    case quarantineByCheckpoint(place: String, size: Int64, root: String)
    case sealWindow(window: Window)
    /// Stops waiting for a router that has been silent for so long, where the plan says so.
    case evictRouter(router: String, silent: TimeSpan)
    /// Measurements of a window that was sealed without them.
    case recordLate(k: Int64, router: String, requests: Int)
    /// Time has passed; whatever is due is due.
    case tick

    /// Whether a person decided it: then a refusal is recorded too.
    package var isOverride: Bool {
        switch self {
        case .plan, .amend, .start, .halt, .resume, .rollBack, .setWeight, .setFlag, .approve, .skip, .reportCheck,
            .abandon, .restart, .declareRewound, .retireRouter, .beginShadow, .endShadow,
            .redact:
            true
        case .registerRouter, .acknowledge, .quarantine, .quarantineByCheckpoint, .evictRouter, .sealWindow,
            .recordLate,
            .tick:
            false
        }
    }

    /// What the names of workers begin with.
    package static let workerPrefix = "worker:"

    /// Whether no worker may give it.
    var isForPeople: Bool {
        if case .reportCheck = self { return false }
        return isOverride
    }
}
