package import Foundation
package import MigrationCore
package import Postgres
import TimeLimits

extension MigrationLog {
    /// A command that was decided and stands in the log.
    package struct Performed: Sendable {
        package var commit: Commit
        /// The stream after it.
        package var stream: Stream
        /// Whether the same command ID had made this commit before.
        package var isRepeated: Bool
    }

    /// How often in a row a connection is tried before a command has been sent: some seconds at most.
    private static let connects = 10
    /// How often a command is decided anew when others append meanwhile, or the database breaks off.
    private static let attempts = 40

    /// Decides a command and appends it with its events and projections, in one pipelined round trip.
    ///
    /// What a person wrote in it is kept apart from the commit (``KeptText``).
    ///
    /// A commit that fails on the wire is unknown, not failed: the command ID is looked up before anything else, so one ID gives one
    /// commit however often it is sent.
    ///
    /// - Parameters:
    ///   - command: what is asked.
    ///   - stream: the migration's name.
    ///   - actor: who asks.
    ///   - id: the command's own ID; the same for every retry.
    ///   - known: a state read earlier, to read on from.
    ///   - key: what a person signs the command with.
    ///   - also: statements of the same transaction, such as taking the signals that the command carries.
    /// - Returns: the commit; nil when there is nothing to record.
    /// - Throws: a `Refusal` of a worker's command or of one without a migration; a ``LogError``.
    package func perform(
        _ command: Command,
        on stream: String,
        by actor: String,
        id: UUID = UUID(),
        key: SigningKey? = nil,
        known: Stream? = nil,
        also: [PostgresStatement] = []
    ) async throws -> Performed? {
        let order = Order(command, stream, actor, id, key)
        var known = known
        var outcomeIsOpen = false
        var last: PostgresError?
        var unreachable = 0
        for attempt in 0..<Self.attempts {
            do {
                let base = known
                let isOpen = outcomeIsOpen
                return try await limited { connection in try Self.attempt(order, base, also, isOpen, connection) }
            } catch let error as PostgresError {
                last = error
                unreachable = error.code == .unreachable ? unreachable + 1 : 0
                switch (error.code, error.sqlState) {
                case (_, LogError.State.staleVersion?): known = nil
                case (.lost, _): outcomeIsOpen = true
                case (.unreplicated, _):
                    throw LogError(
                        .unknownOutcome,
                        "the commit stands on this server, and no standby has confirmed it: it is lost if this server is",
                        mend: "send the same command ID again when the standby is back: \(id.uuidString.lowercased())",
                        cause: error
                    )
                case (.cancelled, _) where outcomeIsOpen && !Task.isCancelled: throw unknown(id, error)
                case (.cancelled, _) where !Task.isCancelled:
                    throw LogError(
                        .contended,
                        "the database did not answer within \(patience), and nothing was appended",
                        mend: "see who is in the way: migrate doctor",
                        cause: error
                    )
                case (.unreachable, _) where outcomeIsOpen || unreachable < Self.connects: break
                case (.statement, let state?) where Self.isPassing(state): known = nil
                default: throw outcomeIsOpen ? unknown(id, error) : LogError(error)
                }
                try await Task.sleep(for: .milliseconds(min(500, 2 << min(attempt, 8))))
            }
        }
        let cause = last ?? PostgresError(.unavailable, "no attempt was made")
        guard outcomeIsOpen else {
            throw LogError(.contended, "others append to \(stream) all the time: \(cause)", cause: cause)
        }
        throw unknown(id, cause)
    }

    /// Runs statements within ``patience``, the wait for a connection included: what has none by then is not begun.
    func limited<R: Sendable>(_ body: @escaping @Sendable (isolated PostgresConnection) throws -> R) async throws -> R {
        let end = ContinuousClock.now + patience
        return try await TimeLimit.cancelling(after: patience) { [pool] in
            let late = PostgresError(.cancelled, "no connection was free in time")
            do {
                return try await pool.run(mayLeave: true) { connection in
                    // It may have come at that very moment.
                    guard ContinuousClock.now < end else { throw late }
                    return try body(connection)
                }
            } catch is CancellationError {
                guard ContinuousClock.now < end else { throw late }
                // Somebody ends this process, and what has to be done before that is done.
                return try await pool.run(body)
            }
        }
    }

    private func unknown(_ id: UUID, _ cause: PostgresError) -> LogError {
        LogError(
            .unknownOutcome,
            "the connection broke during the commit, and the database could not be asked whether it stands: \(cause)",
            mend: "send the same command ID again: \(id.uuidString.lowercased())",
            cause: cause
        )
    }

    /// Serialization failures, deadlocks, and limits of statement, lock and connections: the same statement may succeed in a moment. So may what was not unique: another stream's
    /// commit has taken the command ID meanwhile, and the append says so when it looks again.
    private static func isPassing(_ state: String) -> Bool {
        state.hasPrefix("40") || ["55P03", "57014", "53300", "25006", "23505"].contains(state)
    }

    /// What is asked, of which stream, by whom.
    private struct Order: Sendable {
        /// As it was given, in people's words.
        let given: Command
        /// As it stands in the log.
        let command: Command
        let texts: [KeptText]
        let stream: String
        let actor: String
        let id: UUID
        let key: SigningKey?

        init(_ command: Command, _ stream: String, _ actor: String, _ id: UUID, _ key: SigningKey?) {
            given = command
            (self.command, texts) = KeptText.takeApart(command)
            self.stream = stream
            self.actor = actor
            self.id = id
            self.key = key
        }
    }

    private static func attempt(
        _ order: Order,
        _ known: Stream?,
        _ also: [PostgresStatement],
        _ outcomeIsOpen: Bool,
        _ connection: isolated PostgresConnection
    ) throws -> Performed? {
        if outcomeIsOpen, let found = try find(order, connection) { return found }
        let (command, actor, name) = (order.command, order.actor, order.stream)
        let stream = try known.flatMap(Self.fresh) ?? load(name, from: known, on: connection)
        let authority = try authority(order, stream, connection)
        let events = try stream.state.decideRecorded(
            command,
            by: actor,
            at: stream.now,
            forbidden: authority.forbidden
        )
        guard !events.isEmpty else { return nil }
        let commit = Commit(
            version: stream.state.version + 1,
            actor: actor,
            decidedAt: stream.now,
            command: command,
            events: events
        )
        let next = try stream.state.folding(commit)
        let body = try CommitCodec.encode(
            CommitCodec.MigrationBody(
                command: command,
                decidedAt: stream.now,
                events: events,
                signed: authority.signed,
                trust: authority.trust
            )
        )
        let isKept = stream.folded + 1 >= snapshotEvery
        let begins = stream.state.beginsIncarnation(with: events)
        let append = appendStatement(name, stream.state.version, stream.head, order.id, actor, body, begins: begins)
        let answers: [PostgresRows]
        do {
            answers = try connection.pipeline(
                [append] + derived(name, from: stream.state, to: next, isKept: isKept) + keeping(order.texts, of: name)
                    // What is refused changes nothing else either.
                    + (events.contains { if case .overrideRefused = $0 { true } else { false } } ? [] : also)
            )
        } catch let error as PostgresError where error.sqlState == LogError.State.repeated {
            return try find(order, connection)
        } catch let error as PostgresError where error.sqlState == LogError.State.commandReused {
            // The same words have another token each time; whether they are the same is seen here.
            guard !order.texts.isEmpty, let found = try find(order, connection) else { throw error }
            return found
        }
        guard let answer = answers.first?.first else {
            throw PostgresError(.unexpectedValue, "append answered without a row")
        }
        let row = try answer.record("made", fields: ["version", "at", "hash", "incarnation"])
        var after = stream
        after.state = next
        after.folded = isKept ? 0 : stream.folded + 1
        after.head = try row.bytes("hash")
        after.now = Timestamp(rawValue: try row.microseconds("at"))
        after.readAt = .now
        if begins || stream.incarnation == 0 { after.incarnation = try row.int("incarnation") }
        return Performed(commit: commit, stream: after, isRepeated: false)
    }

    /// A person's right to a command, by the keys of the log: the signature, the keys' version, and why he may not.
    private static func authority(
        _ order: Order,
        _ stream: Stream,
        _ connection: isolated PostgresConnection
    ) throws -> (signed: Signed?, trust: Int64?, forbidden: Refusal?) {
        let (command, actor) = (order.command, order.actor)
        guard command.isOverride, !actor.hasPrefix(Command.workerPrefix) else { return (nil, nil, nil) }
        // After the stream, so that a key that was taken away before the decision is known to be.
        let keys = try trust(connection).history.latest
        let incarnation = stream.incarnation == 0 ? stream.log.newest : stream.incarnation
        var signed: Signed?
        if let key = order.key, let log = stream.log.id(of: incarnation) {
            signed = try Signed.sign(
                Array(CommitCodec.canonical(command)),
                with: key,
                log: log,
                stream: stream.name,
                seen: stream.state.version,
                actor: actor,
                expires: stream.now + signatureLife,
                id: order.id
            )
        }
        let forbidden = keys.forbids(command, by: actor, signer: signed?.key)
        return (signed, keys.version == 0 ? nil : keys.version, forbidden)
    }

    /// What was read a moment ago is decided on as it was read: the append refuses it when the stream has another head by now.
    private static func fresh(_ stream: Stream) -> Stream? {
        guard stream.state.version > 0, stream.readAt + readLife > .now else { return nil }
        return stream
    }

    /// For how long. A decision's time may lie no more than 60 s before its append.
    private static let readLife = Duration.seconds(5)

    static func appendStatement(
        _ stream: String,
        _ expected: Int64,
        _ head: [UInt8],
        _ id: UUID,
        _ actor: String,
        _ body: [UInt8],
        begins: Bool
    ) -> PostgresStatement {
        PostgresStatement(
            """
            select migrate.append($1::text, $2::bigint, $3::bytea, $4::uuid, $5::text, $6::bytea, $7::boolean) as made
            """,
            [
                .text(stream), .int(expected), expected == 0 ? .null : .bytes(head), .text(id.uuidString), .text(actor),
                .bytes(body), .bool(begins),
            ]
        )
    }

    /// The projections that change, and now and then a snapshot.
    ///
    /// - Parameter isKept: whether it is time for a snapshot.
    private static func derived(
        _ stream: String,
        from old: MigrationState,
        to new: MigrationState,
        isKept: Bool
    ) throws -> [PostgresStatement] {
        let changes = Projections.changes(from: old, to: new)
        var statements = Dictionary(grouping: changes.written, by: \.table).map { table, rows in
            PostgresStatement(
                table.upsert(rows.count),
                [.text(stream)] + rows.flatMap { [.int(new.version)] + $0.values }
            )
        }
        statements += changes.removed.map { PostgresStatement($0.table.delete, [.text(stream)] + $0.key) }
        if isKept {
            let body = try Snapshot.body(new)
            statements.append(
                PostgresStatement(
                    """
                    insert into migrate.snapshot as s (stream, version, head, body)
                    select $1::text, $2::bigint, h.head, $3::bytea from migrate.stream h where h.stream = $1::text
                    on conflict (stream) do update set version = excluded.version, head = excluded.head, body = excluded.body
                    where s.version < excluded.version
                    """,
                    [.text(stream), .int(new.version), .bytes(body)]
                )
            )
        }
        return statements
    }

    /// The commit that a command ID has made, with the stream as it is now.
    private static func find(
        _ order: Order,
        _ connection: isolated PostgresConnection
    ) throws -> Performed? {
        let row = try connection.query(
            "select \(CommitRow.columns) from migrate.commit where command_id = $1::uuid and stream = $2::text",
            [.text(order.id.uuidString), .text(order.stream)]
        ).first
        guard let row = try row.map({ try CommitRow($0) }) else { return nil }
        let commit = try CommitCodec.decode(row.body, version: row.version, actor: row.actor)
        let texts = try texts(of: order.stream, commit.command.texts, connection)
        guard commit.actor == order.actor, texts.isSame(commit.command, as: order.given) else {
            throw LogError(
                .commandReused,
                "command \(order.id.uuidString.lowercased()) was already used for another command"
            )
        }
        // It may stand here and on no standby yet, and a reading waits for none: something that is written now is confirmed after it.
        try connection.query("select pg_logical_emit_message(true, 'migrate', '')")
        return Performed(commit: commit, stream: try load(order.stream, from: nil, on: connection), isRepeated: true)
    }
}
