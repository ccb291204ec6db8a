import CLibPQ
import Synchronization

#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

/// One connection to PostgreSQL: an actor on a thread of its own, on which libpq's calls may block.
///
/// The statements of one synchronous closure given to ``run(_:)`` are not interleaved with anybody's: isolation is the lock.
package actor PostgresConnection {
    private nonisolated let executor: QueueExecutor
    package nonisolated var unownedExecutor: UnownedSerialExecutor { executor.asUnownedSerialExecutor() }

    private let connection: Handle
    private var prepared: [String: String] = [:]
    /// Once the server has gone, or the protocol is out of step, nothing more is said on this connection.
    private var isBroken = false
    /// Whether the server can still be spoken to.
    package var isUsable: Bool { !isBroken && PQstatus(connection.pointer) == CONNECTION_OK }

    /// Connects.
    ///
    /// - Parameters:
    ///   - conninfo: a libpq connection string or URI.
    ///   - name: shown in `pg_stat_activity`.
    /// - Throws: ``PostgresError/Code/unreachable`` or ``PostgresError/Code/refused``.
    package init(_ conninfo: String, name: String) async throws(PostgresError) {
        executor = QueueExecutor(label: "postgres.connection")
        connection = try await Connector(executor: executor).connect(conninfo, name: name)
    }

    deinit { connection.finish() }

    /// Closes the connection; a statement under way is waited for.
    package func close() { connection.finish() }

    /// Runs statements that nobody's come between.
    package func run<R: Sendable>(_ body: @Sendable (isolated PostgresConnection) throws -> R) async throws -> R {
        defer {
            // What was asked to stop may have been the rollback.
            if !connection.settle() || PQtransactionStatus(connection.pointer) != PQTRANS_IDLE { isBroken = true }
        }
        // What is begun in a task that was cancelled before is carried out.
        if Task.isCancelled { return try body(self) }
        return try await withTaskCancellationHandler {
            try body(self)
        } onCancel: {
            connection.cancel()
        }
    }

    /// As ``run(_:)``, with whether the server can still be spoken to afterwards.
    func attempt<R: Sendable>(_ body: @Sendable (isolated PostgresConnection) throws -> R) async -> (
        result: Result<R, any Error>, isUsable: Bool
    ) {
        do { return (.success(try await run(body)), isUsable) } catch { return (.failure(error), isUsable) }
    }

    /// Statements between BEGIN and COMMIT; rolled back when the closure throws.
    package func transact<R>(_ body: (isolated PostgresConnection) throws -> R) throws -> R {
        try query("begin")
        do {
            let result = try body(self)
            try query("commit")
            return result
        } catch {
            if isUsable { _ = try? query("rollback") }
            throw error
        }
    }

    /// One statement, prepared at its first use on this connection.
    @discardableResult
    package func query(_ sql: String, _ parameters: [PostgresValue] = []) throws(PostgresError) -> PostgresRows {
        let name = try prepare(PostgresStatement(sql, parameters))
        let result = withWire(parameters) { count, values, lengths, formats in
            PQexecPrepared(connection.pointer, name, count, values, lengths, formats, 1)
        }
        let rows = try take(result)
        try requireReplicated()
        return rows
    }

    /// Several statements without parameters in one go, such as a schema file; one transaction.
    package func script(_ sql: String) throws(PostgresError) {
        _ = try take(PQexec(connection.pointer, sql))
    }

    /// Several statements in one round trip, in one transaction; the first error undoes all of them.
    ///
    /// - Parameter statements: at most ``pipelineLimit``, so that neither side's buffers fill.
    package func pipeline(_ statements: [PostgresStatement]) throws(PostgresError) -> [PostgresRows] {
        guard statements.count <= Self.pipelineLimit else {
            throw PostgresError(.unavailable, "a pipeline has at most \(Self.pipelineLimit) statements")
        }
        let names = try prepareAll(statements)
        guard PQenterPipelineMode(connection.pointer) == 1 else { throw broken() }
        for (statement, name) in zip(statements, names) {
            let sent = withWire(statement.parameters) { count, values, lengths, formats in
                PQsendQueryPrepared(connection.pointer, name, count, values, lengths, formats, 1)
            }
            guard sent == 1 else { throw broken() }
        }
        guard PQpipelineSync(connection.pointer) == 1 else { throw broken() }
        let answers = try drain(statements.count)
        try requireReplicated()
        return answers
    }

    package static let pipelineLimit = 512

    /// Waits for notifications of the channels that this connection listens to.
    ///
    /// - Parameter milliseconds: how long to wait at most.
    /// - Returns: those that have arrived; none when the time is over.
    package func notifications(within milliseconds: Int32) throws(PostgresError) -> [PostgresNotification] {
        var arrived = takeNotifications()
        guard arrived.isEmpty else { return arrived }
        var descriptor = pollfd(fd: PQsocket(connection.pointer), events: Int16(POLLIN), revents: 0)
        guard descriptor.fd >= 0 else { throw broken() }
        _ = poll(&descriptor, 1, milliseconds)
        guard PQconsumeInput(connection.pointer) == 1 else { throw broken() }
        arrived = takeNotifications()
        return arrived
    }

    /// Begins to receive a channel's notifications.
    package func listen(_ channel: String) throws(PostgresError) {
        try query("listen \(Self.quoted(channel))")
    }

    /// An identifier in double quotes.
    package static func quoted(_ identifier: String) -> String {
        "\"" + identifier.split(separator: "\"", omittingEmptySubsequences: false).joined(separator: "\"\"") + "\""
    }
}

/// A message from `pg_notify`.
package struct PostgresNotification: Hashable, Sendable {
    package let channel: String
    package let payload: String
}

extension PostgresConnection {
    /// The least that libpq has to know of a statement, prepared once a connection.
    private func prepare(_ statement: PostgresStatement) throws(PostgresError) -> String {
        if let name = prepared[statement.sql] { return name }
        let name = "s\(prepared.count)"
        let types = statement.parameters.map(\.oid)
        _ = try take(PQprepare(connection.pointer, name, statement.sql, Int32(types.count), types))
        prepared[statement.sql] = name
        return name
    }

    private func prepareAll(_ statements: [PostgresStatement]) throws(PostgresError) -> [String] {
        var names: [String] = []
        for statement in statements { names.append(try prepare(statement)) }
        return names
    }

    /// Reads every answer of a pipeline up to its synchronisation point, and leaves pipeline mode.
    private func drain(_ count: Int) throws(PostgresError) -> [PostgresRows] {
        var answers: [PostgresRows] = []
        var failure: PostgresError?
        for _ in 0..<count {
            do {
                answers.append(try take(PQgetResult(connection.pointer)))
            } catch {
                // What follows the first error is only said to be aborted.
                if failure == nil { failure = error }
                if error.code == .lost { throw error }
            }
            while let rest = PQgetResult(connection.pointer) { PQclear(rest) }
        }
        // The implicit transaction commits at the synchronisation point: an error there is the commit's.
        guard let sync = PQgetResult(connection.pointer) else { throw broken() }
        defer { PQclear(sync) }
        if PQresultStatus(sync) != PGRES_PIPELINE_SYNC, failure == nil {
            failure = error(of: sync)
            if let rest = PQgetResult(connection.pointer) { PQclear(rest) }
        }
        guard PQexitPipelineMode(connection.pointer) == 1 else { throw failure ?? broken() }
        if let failure { throw failure }
        return answers
    }

    private func take(_ result: OpaquePointer?) throws(PostgresError) -> PostgresRows {
        guard let result else { throw broken() }
        defer { PQclear(result) }
        switch PQresultStatus(result) {
        case PGRES_TUPLES_OK, PGRES_COMMAND_OK: return PostgresRows(result)
        case PGRES_PIPELINE_ABORTED: throw PostgresError(.statement, "not carried out: an earlier statement failed")
        default: throw error(of: result)
        }
    }

    private func error(of result: OpaquePointer) -> PostgresError {
        func field(_ code: Character) -> String? {
            PQresultErrorField(result, Int32(code.asciiValue ?? 0)).map { String(cString: $0) }
        }
        let state = field("C")
        guard let primary = field("M"), isUsable else { return broken() }
        let isCancelled = state == "57014" && Task.isCancelled
        // The server's parting words (an administrator's command, a crash, a shutdown) leave the outcome open.
        let isParting = state.map { $0.hasPrefix("57P0") || $0.hasPrefix("08") } ?? false
        if isParting { isBroken = true }
        return PostgresError(
            isCancelled ? .cancelled : isParting ? .lost : .statement,
            primary,
            sqlState: state,
            detail: field("D"),
            hint: field("H")
        )
    }

    private func requireReplicated() throws(PostgresError) {
        guard connection.takeUnreplicated() else { return }
        throw PostgresError(.unreplicated, "the synchronous standby did not confirm the commit in time")
    }

    /// The connection is of no use any more, and what was under way has an unknown outcome.
    private func broken() -> PostgresError {
        isBroken = true
        return PostgresError(.lost, Connector.lastMessage(connection.pointer))
    }

    private func takeNotifications() -> [PostgresNotification] {
        var arrived: [PostgresNotification] = []
        while let raw = PQnotifies(connection.pointer) {
            arrived.append(
                PostgresNotification(
                    channel: String(cString: raw.pointee.relname),
                    payload: String(cString: raw.pointee.extra)
                )
            )
            PQfreemem(raw)
        }
        return arrived
    }

    /// Hands a statement's parameters to a call of libpq in its own arrays.
    private func withWire<R>(
        _ parameters: [PostgresValue],
        _ body: (Int32, UnsafePointer<UnsafePointer<CChar>?>?, UnsafePointer<Int32>?, UnsafePointer<Int32>?) -> R
    ) -> R {
        var bytes: [UInt8] = []
        var offsets: [Int?] = [], lengths: [Int32] = []
        offsets.reserveCapacity(parameters.count)
        lengths.reserveCapacity(parameters.count)
        for parameter in parameters {
            let offset = bytes.count
            let length = parameter.write(to: &bytes)
            offsets.append(length == nil ? nil : offset)
            lengths.append(Int32(clamping: length ?? 0))
        }
        // An empty value must still be told from null: it needs an address.
        bytes.append(0)
        let formats = parameters.map(\.format)
        return bytes.withUnsafeBufferPointer { buffer in
            buffer.withMemoryRebound(to: CChar.self) { characters in
                let values = offsets.map { offset in offset.flatMap { characters.baseAddress?.advanced(by: $0) } }
                return body(Int32(parameters.count), values, lengths, formats)
            }
        }
    }
}
