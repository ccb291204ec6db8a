/// The unit of the log: one command and the events that it decided.
package struct Commit: Hashable, Sendable {
    /// Its place in its stream, from 1.
    package var version: Int64
    /// Whose command it was: a person's name, or `worker:` and a name.
    package var actor: String
    /// The time that was passed to `decide`.
    package var decidedAt: Timestamp
    package var command: Command
    package var events: [Event]
    /// By which it was decided.
    package var rules: Rules

    package init(
        version: Int64,
        actor: String,
        decidedAt: Timestamp,
        command: Command,
        events: [Event],
        rules: Rules = .current
    ) {
        self.rules = rules
        self.version = version
        self.actor = actor
        self.decidedAt = decidedAt
        self.command = command
        self.events = events
    }
}

extension MigrationState {
    /// The state after one more commit.
    ///
    /// - Throws: ``Misfit`` when the commit cannot stand at this place of this stream: a log that was damaged or forged.
    package func folding(_ commit: Commit) throws(Misfit) -> MigrationState {
        guard commit.version == version + 1 else {
            throw Misfit(version: commit.version, message: "version \(commit.version) follows version \(version)")
        }
        var next = self
        next.version = commit.version
        next.decidedAt = commit.decidedAt
        for event in commit.events {
            guard next.fits(event, of: commit) else {
                throw Misfit(version: commit.version, message: "an event names what the plan does not have: \(event)")
            }
            next.evolve(event, commit)
        }
        return next
    }
}
