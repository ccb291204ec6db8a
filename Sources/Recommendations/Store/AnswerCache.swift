/// Answers kept in memory for a while: one flight for each key, the oldest answer leaves first.
actor AnswerCache {
    /// How a look-up ended, as `Cache-Status` tells it (RFC 9211).
    enum Outcome: String, Sendable { case hit, miss }

    private struct Entry {
        var value: [String: JSONValue]
        var expires: ContinuousClock.Instant
    }

    private let capacity: Int
    private let life: Duration
    private var entries: [String: Entry] = [:]
    private var order: [String] = []
    private var flights: [String: Task<[String: JSONValue], any Error>] = [:]

    init(capacity: Int, life: Duration) {
        self.capacity = capacity
        self.life = life
    }

    /// The kept answer, or a new one. A caller that joins a flight has not loaded, and counts as a hit.
    ///
    /// - Parameters:
    ///   - key: has the user in it, so that nobody is given another's answer.
    ///   - isFresh: whether what is kept will not do.
    func value(
        _ key: String,
        isFresh: Bool,
        load: @escaping @Sendable () async throws -> [String: JSONValue]
    ) async throws -> ([String: JSONValue], Outcome) {
        if !isFresh {
            if let entry = entries[key], entry.expires > .now { return (entry.value, .hit) }
            if let flight = flights[key] { return (try await flight.value, .hit) }
        }
        // The flight belongs to the key, not to the caller: who leaves does not end it for those who wait.
        let flight = Task { try await load() }
        flights[key] = flight
        defer { flights[key] = nil }
        let value = try await flight.value
        keep(value, key)
        return (value, .miss)
    }

    /// Forgets every answer whose key begins so.
    func forget(prefix: String) {
        for key in entries.keys where key.hasPrefix(prefix) { entries[key] = nil }
        order.removeAll { $0.hasPrefix(prefix) }
    }

    private func keep(_ value: [String: JSONValue], _ key: String) {
        if entries[key] == nil { order.append(key) }
        entries[key] = Entry(value: value, expires: .now + life)
        while order.count > capacity { entries[order.removeFirst()] = nil }
    }
}
