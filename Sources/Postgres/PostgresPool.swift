/// At most a fixed number of connections, handed out in the order of asking.
package actor PostgresPool {
    package static let largest = 16

    private let conninfo: String
    private let name: String
    private let limit: Int
    private var idle: [PostgresConnection] = []
    private var open = 0
    private var waiting: [CheckedContinuation<Void, Never>] = []
    private var isClosed = false

    /// - Parameters:
    ///   - conninfo: a libpq connection string or URI.
    ///   - name: shown in `pg_stat_activity`.
    ///   - limit: 1…16 connections.
    package init(_ conninfo: String, name: String, limit: Int = 4) {
        self.conninfo = conninfo
        self.name = name
        self.limit = min(max(1, limit), Self.largest)
    }

    /// Runs statements on a connection of the pool, which nobody else uses meanwhile.
    ///
    /// A connection that turns out to be broken is thrown away with the error; the next call opens a new one.
    package func run<R: Sendable>(_ body: @Sendable (isolated PostgresConnection) throws -> R) async throws -> R {
        let connection = try await take()
        do {
            let result = try await connection.run(body)
            await give(back: connection)
            return result
        } catch {
            await give(back: connection)
            throw error
        }
    }

    /// As ``run(_:)``, between BEGIN and COMMIT.
    package func transact<R: Sendable>(_ body: @Sendable (isolated PostgresConnection) throws -> R) async throws -> R {
        let connection = try await take()
        do {
            let result = try await connection.transact(body)
            await give(back: connection)
            return result
        } catch {
            await give(back: connection)
            throw error
        }
    }

    /// Closes what is idle, and whatever comes back.
    package func close() async {
        isClosed = true
        let connections = idle
        idle = []
        open -= connections.count
        for connection in connections { await connection.close() }
        for waiter in waiting { waiter.resume() }
        waiting = []
    }

    private func take() async throws -> PostgresConnection {
        while true {
            guard !isClosed else { throw PostgresError(.unavailable, "the pool is closed") }
            if let connection = idle.popLast() { return connection }
            if open < limit { break }
            await withCheckedContinuation { waiting.append($0) }
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

    private func give(back connection: PostgresConnection) async {
        if !isClosed, await connection.isUsable {
            idle.append(connection)
        } else {
            open -= 1
            await connection.close()
        }
        wake()
    }

    private func wake() {
        if !waiting.isEmpty { waiting.removeFirst().resume() }
    }
}
