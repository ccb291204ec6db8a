import MigrationCore
import Routing

extension World {
    /// Puts a commit at the log's end.
    ///
    /// - Throws: the invariant that it breaks.
    mutating func append(
        _ command: Command,
        _ events: [Event],
        by actor: String,
        at: Timestamp,
        _ mutant: Mutant?
    ) throws(Violation) {
        let version = log.version + (mutant == .versionGap && log.version == 4 ? 2 : 1)
        guard version == log.version + 1 else {
            throw Violation(invariant: 2, message: "version \(version) follows version \(log.version)")
        }
        let commit = Commit(version: version, actor: actor, decidedAt: at, command: command, events: events)
        do {
            log = try log.folding(commit)
        } catch {
            throw Violation(invariant: 4, message: "a commit cannot be folded: \(error.message)")
        }
        if mutant == .foldForgets { log.migration?.approvals = [] }
        if mutant == .weightTwice, let first = log.migration?.traffic.first, log.version > 4 {
            log.migration?.traffic.append(first)
        }
        history = History(commit, after: history)
        offerRoutes(of: events)
    }

    /// A route that was decided is announced; from then on it may reach a router at any time.
    private mutating func offerRoutes(of events: [Event]) {
        let changes = events.contains { event in
            switch event {
            case .weightsSet, .flagSet, .logRewound: true
            default: false
            }
        }
        if case .declareRewound? = history?.commit.command, changes { incarnation += 1 }
        guard changes, let migration = log.migration else { return }
        for environment in migration.plan.environments {
            guard let table = table(of: environment), !offered.contains(table) else { continue }
            offered.append(table)
            let key = Ghost.Key(incarnation: incarnation, revision: table.revision, environment: environment)
            ghost.weights[key] = table.weights
        }
        // What is older than these has been overtaken on any network that is not adrift for ever.
        offered = Array(offered.suffix(4))
    }
}
