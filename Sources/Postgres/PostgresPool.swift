/// At most a fixed number of connections, handed out in the order of asking.
package actor PostgresPool {
    package static let largest = 16

    private let conninfo: String
    private let name: String
    private let limit: Int
    private var idle: [PostgresConnection] = []
    private var open = 0
    private let mayLeave: Bool
    private var waiting: [(id: Int, continuation: CheckedContinuation<Void, any Error>)] = []
    private var lastID = 0
    private var isClosed = false

    /// - Parameters:
    ///   - conninfo: a libpq connection string or URI.
    ///   - name: shown in `pg_stat_activity`.
    ///   - limit: 1…16 connections.
    ///   - mayLeave: whether a cancelled task stops waiting for a connection. Without it what was begun is carried out, as work that must be done
    ///     at a shutdown wants it.
    package init(_ conninfo: String, name: String, limit: Int = 4, mayLeave: Bool = false) {
        self.mayLeave = mayLeave
        self.conninfo = conninfo
        self.name = name
        self.limit = min(max(1, limit), Self.largest)
    }

    /// Runs statements on a connection of the pool, which nobody else uses meanwhile.
    ///
    /// A connection that turns out to be broken is thrown away with the error; the next call opens a new one.
    ///
    /// - Parameter mayLeave: whether a cancelled task stops waiting for a connection, also where others of the pool do not.
    /// - Throws: a `CancellationError` where it has stopped waiting; a ``PostgresError``; what the statements throw.
    package func run<R: Sendable>(
        mayLeave: Bool = false,
        _ body: @Sendable (isolated PostgresConnection) throws -> R
    ) async throws -> R {
        let connection = try await take(mayLeave || self.mayLeave)
        let (result, isUsable) = await connection.attempt(body)
        await give(back: connection, isUsable: isUsable)
        return try result.get()
    }

    /// As ``run(_:)``, between BEGIN and COMMIT.
    package func transact<R: Sendable>(_ body: @Sendable (isolated PostgresConnection) throws -> R) async throws -> R {
        try await run { try $0.transact(body) }
    }

    /// Closes what is idle, and whatever comes back.
    package func close() async {
        isClosed = true
        let connections = idle
        idle = []
        open -= connections.count
        for connection in connections { await connection.close() }
        for waiter in waiting { waiter.continuation.resume() }
        waiting = []
    }

    /// Connections that are open, and tasks that wait for one.
    package var openConnections: Int { open }
    package var waiters: Int { waiting.count }

    private func take(_ mayLeave: Bool) async throws -> PostgresConnection {
        while true {
            guard !isClosed else { throw PostgresError(.unavailable, "the pool is closed") }
            if let connection = idle.popLast() { return connection }
            if open < limit { break }
            try await wait(mayLeave)
        }
        open += 1
        do {
            return try await PostgresConnection(conninfo, name: name)
        } catch {
            open -= 1
            wake()
            throw error
        }
    }

    private func wait(_ mayLeave: Bool) async throws {
        lastID += 1
        let id = lastID
        try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { (continuation: CheckedContinuation<Void, any Error>) in
                if mayLeave, Task.isCancelled { return continuation.resume(throwing: CancellationError()) }
                waiting.append((id, continuation))
            }
        } onCancel: {
            if mayLeave { Task { await self.leave(id) } }
        }
    }

    private func leave(_ id: Int) {
        guard let index = waiting.firstIndex(where: { $0.id == id }) else { return }
        waiting.remove(at: index).continuation.resume(throwing: CancellationError())
    }

    private func give(back connection: PostgresConnection, isUsable: Bool) async {
        if !isClosed, isUsable {
            idle.append(connection)
        } else {
            open -= 1
            await connection.close()
        }
        wake()
    }

    private func wake() {
        if !waiting.isEmpty { waiting.removeFirst().continuation.resume() }
    }
}
