// What a cache holds, and what is under way.
extension AnswerCache {
    /// What a look-up wants.
    struct Wanted: Sendable {
        var key: CacheKey
        var version: Int64
        var tags: [CacheTag]

        /// The key in a second tier.
        var text: String { version == 0 ? key.text : "\(key.text)@\(version)" }
    }

    struct Entry: Sendable {
        var content: Result<Value, any Error>
        var freshUntil: Duration
        var version: Int64
        /// The invalidations that there had been when its making began.
        var begun: UInt64
        /// The flight that made it: of two, the one with the higher number began later.
        var flight: Int
        var tags: [CacheTag]
    }

    struct Flight {
        var wanted: Wanted
        var begun: UInt64
        /// Whoever began it is told that it was made for them; the others that it was on its way.
        var waiters: [Int: Waiter] = [:]
    }

    typealias Waiter = (continuation: CheckedContinuation<Answer, any Error>, outcome: CacheOutcome)

    struct State {
        var entries: S3FIFO<CacheKey, Entry>
        var flights: [Int: Flight] = [:]
        var current: [CacheKey: Int] = [:]
        var nextID = 0
        /// Counts invalidations.
        var clock: UInt64 = 0
        var invalidated: [CacheTag: UInt64] = [:]
        /// What was begun before is none, of whatever tag.
        var floor: UInt64 = 0
        /// Invalidations that the second tier has not taken.
        var untold: Set<CacheTag> = []
        var counts = CacheCounts()

        func isValid(begun: UInt64, _ tags: [CacheTag]) -> Bool {
            begun >= floor && tags.allSatisfy { (invalidated[$0] ?? 0) <= begun }
        }

        mutating func takeID() -> Int {
            nextID += 1
            return nextID
        }

        /// The flight of a key that a look-up may wait for: one that no invalidation has overtaken.
        func underWay(_ wanted: Wanted) -> Int? {
            guard let id = current[wanted.key], let flight = flights[id], flight.wanted.version == wanted.version,
                isValid(begun: flight.begun, flight.wanted.tags)
            else {
                return nil
            }
            return id
        }

        mutating func begin(_ wanted: Wanted) -> Int {
            let id = takeID()
            flights[id] = Flight(wanted: wanted, begun: clock)
            current[wanted.key] = id
            return id
        }
    }
}
