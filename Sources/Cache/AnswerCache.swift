import Synchronization
import TimeLimits

/// Answers kept in memory, and behind that in a second tier, with one load at a time for each key.
///
/// - One flight a key: look-ups that find one under way wait for it. One that leaves does not end it, and an error is told to those who wait and not kept.
/// - One that takes longer than ``CacheSettings/loadTime`` is given up: its waiters are told so, and whoever comes later begins anew.
/// - An answer that is no longer fresh is given while one refresh goes on in the background, and where a new one cannot be made (RFC 5861).
/// - An invalidation of a tag is one step, whatever rests on it. A load that began before it is not kept.
/// - A key has a user in it, and so no look-up finds another user's answer.
///
/// Flights outlive the look-up that began them, which is why they are tasks of the cache and not the caller's children.
public final class AnswerCache<Value: Sendable>: Sendable {
    /// A look-up's answer, and how it ended.
    public typealias Answer = (value: Value, outcome: CacheOutcome)

    /// When so many tags were invalidated, all that was begun before is given up, so that they need not be known for ever.
    private static var mostTags: Int { 100_000 }

    let settings: CacheSettings
    let tier: (any CacheTier)?
    let codec: CacheCodec<Value>?
    private let price: @Sendable (CacheKey, Value?) -> Int
    private let policy: @Sendable (any Error) -> CacheErrorPolicy
    private let now: @Sendable () -> Duration
    private let random: @Sendable () -> Double
    let state: Mutex<State>

    /// - Parameters:
    ///   - tier: the second tier and how answers are written there; none without it.
    ///   - cost: what an answer, or without one a kept error, costs of ``CacheSettings/capacity``; 1 each where it is not said.
    ///   - policy: what becomes of an error.
    ///   - now: a clock that does not go back.
    ///   - random: -1…1.
    public init(
        _ settings: CacheSettings,
        tier: (any CacheTier, CacheCodec<Value>)? = nil,
        cost: @escaping @Sendable (CacheKey, Value?) -> Int = { _, _ in 1 },
        policy: @escaping @Sendable (any Error) -> CacheErrorPolicy = { _ in .staleAnswers },
        now: (@Sendable () -> Duration)? = nil,
        random: @escaping @Sendable () -> Double = { Double.random(in: -1...1) }
    ) {
        let start = ContinuousClock.now
        self.settings = settings
        self.tier = tier?.0
        codec = tier?.1
        price = cost
        self.policy = policy
        self.now = now ?? { ContinuousClock.now - start }
        self.random = random
        state = Mutex(State(entries: S3FIFO(capacity: settings.capacity)))
    }

    /// A kept answer, or a new one.
    ///
    /// - Parameters:
    ///   - version: of what the answer is made of, where that is counted somewhere: an answer of another one is none.
    ///   - tags: what the answer rests on.
    ///   - isReload: what is kept will not do, nor what is on its way.
    ///   - waiting: is told how far the look-up has come when there is no answer at hand: it waits for another's (`coalesced`), or one is being made for it
    ///     (`unkept`, as it is until it is kept). Not told by a refresh in the background.
    ///   - load: makes the answer; may go on after this look-up was left.
    /// - Throws: what `load` threw, what is kept of an earlier such error, or `CancellationError` for a look-up that was left.
    public func value(
        for key: CacheKey,
        version: Int64 = 0,
        tags: [CacheTag] = [],
        isReload: Bool = false,
        waiting: @escaping @Sendable (CacheOutcome) -> Void = { _ in },
        load: @escaping @Sendable () async throws -> Value
    ) async throws -> Answer {
        try Task.checkCancellation()
        let wanted = Wanted(key: key, version: version, tags: tags)
        if !isReload, let answer = kept(wanted, load) { return try answer.get() }
        let id = state.withLock { $0.takeID() }
        return try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { continuation in
                enter(id, wanted, isReload, continuation, waiting, load)
                // One that was left before it was known is not found by whoever ends it.
                if Task.isCancelled { leave(id, key) }
            }
        } onCancel: {
            leave(id, key)
        }
    }

    /// Forgets whatever rests on a tag: what is kept, and what is being made.
    ///
    /// - Throws: what the second tier threw; it is then not asked for what rests on the tag until it has taken the invalidation.
    public func invalidate(_ tag: CacheTag) async throws {
        state.withLock { state in
            state.clock += 1
            if state.invalidated.count >= Self.mostTags {
                state.invalidated = [:]
                state.floor = state.clock
            }
            state.invalidated[tag] = state.clock
            if tier != nil { state.untold.insert(tag) }
        }
        try await tell(tag)
    }

    /// What the cache has done since it began.
    public var counts: CacheCounts {
        state.withLock { state in
            var counts = state.counts
            counts.evictions = state.entries.evictions
            return counts
        }
    }

    /// How many answers are in memory.
    public var count: Int { state.withLock { $0.entries.count } }

    /// What they cost together, of ``CacheSettings/capacity``.
    public var cost: Int { state.withLock { $0.entries.cost } }

    // MARK: What is kept

    private func kept(
        _ wanted: Wanted,
        _ load: @escaping @Sendable () async throws -> Value
    ) -> Result<Answer, any Error>? {
        let time = now()
        let (answer, refresh) = state.withLock { state -> (Result<Answer, any Error>?, Int?) in
            guard let answer = lookUp(wanted, &state, time) else { return (nil, nil) }
            state.counts.lookUps += 1
            switch answer {
            case .success(let (_, outcome)):
                guard case .stale = outcome else {
                    state.counts.hits += 1
                    return (answer, nil)
                }
            case .failure:
                state.counts.hits += 1
                state.counts.negativeHits += 1
                return (answer, nil)
            }
            state.counts.staleHits += 1
            guard state.underWay(wanted) == nil else { return (answer, nil) }
            return (answer, state.begin(wanted))
        }
        if let refresh { fly(refresh, wanted, isReload: true, { _ in }, load) }
        return answer
    }

    private func lookUp(_ wanted: Wanted, _ state: inout State, _ time: Duration) -> Result<Answer, any Error>? {
        guard let entry = state.entries.value(wanted.key), entry.version == wanted.version else { return nil }
        guard state.isValid(begun: entry.begun, entry.tags) else {
            state.entries.remove(wanted.key)
            return nil
        }
        let rest = entry.freshUntil - time
        switch entry.content {
        case .success(let value):
            if rest > .zero { return .success((value, .hit(rest: rest))) }
            let over = Duration.zero - rest
            return over < settings.whileRevalidating ? .success((value, .stale(over: over))) : nil
        case .failure(let error):
            if rest > .zero { return .failure(error) }
            state.entries.remove(wanted.key)
            return nil
        }
    }

    // MARK: Flights

    private func enter(
        _ id: Int,
        _ wanted: Wanted,
        _ isReload: Bool,
        _ continuation: CheckedContinuation<Answer, any Error>,
        _ waiting: @escaping @Sendable (CacheOutcome) -> Void,
        _ load: @escaping @Sendable () async throws -> Value
    ) {
        let time = now()
        let (answer, begun) = state.withLock { state -> (Result<Answer, any Error>?, Int?) in
            state.counts.lookUps += 1
            if !isReload {
                // Another flight may have landed since.
                if let answer = lookUp(wanted, &state, time) {
                    state.counts.hits += 1
                    return (answer, nil)
                }
                if let flight = state.underWay(wanted) {
                    state.counts.coalesced += 1
                    state.flights[flight]?.waiters[id] = (continuation, .coalesced)
                    return (nil, nil)
                }
            }
            state.counts.misses += 1
            let flight = state.begin(wanted)
            state.flights[flight]?.waiters[id] = (continuation, isReload ? .reloaded : .miss)
            return (nil, flight)
        }
        if let answer { return continuation.resume(with: answer) }
        guard let begun else { return waiting(.coalesced) }
        fly(begun, wanted, isReload: isReload, waiting, load)
    }

    private func leave(_ id: Int, _ key: CacheKey) {
        let waiter = state.withLock { state -> CheckedContinuation<Answer, any Error>? in
            for flight in state.flights.keys {
                if let waiter = state.flights[flight]?.waiters.removeValue(forKey: id) { return waiter.continuation }
            }
            return nil
        }
        waiter?.resume(throwing: CancellationError())
    }

    private func fly(
        _ flight: Int,
        _ wanted: Wanted,
        isReload: Bool,
        _ waiting: @escaping @Sendable (CacheOutcome) -> Void,
        _ load: @escaping @Sendable () async throws -> Value
    ) {
        Task {
            let generation = await generation(wanted.tags)
            if !isReload, generation != nil, let (value, age) = await read(wanted) {
                land(flight, wanted.key, .success(value), age: age, fromTier: true)
                return
            }
            waiting(.unkept(isReload: isReload))
            let started = now()
            let result: Result<Value, any Error>
            do {
                result = .success(try await TimeLimit.within(settings.loadTime, load))
            } catch {
                result = .failure(error)
            }
            let took = now() - started
            state.withLock { state in
                state.counts.loads += 1
                state.counts.loadTime += took
                if case .failure = result { state.counts.failedLoads += 1 }
            }
            let isKept = land(flight, wanted.key, result, age: .zero, fromTier: false)
            if isKept, let generation, case .success(let value) = result { await write(wanted, value, generation) }
        }
    }

    /// - Returns: whether its result is kept.
    @discardableResult
    private func land(
        _ id: Int,
        _ key: CacheKey,
        _ result: Result<Value, any Error>,
        age: Duration,
        fromTier: Bool
    ) -> Bool {
        let time = now()
        let life = freshness(result) - age
        // Asked before the lock: they may take their time.
        let (cost, policy): (Int, CacheErrorPolicy)
        switch result {
        case .success(let value): (cost, policy) = (price(key, value), .told)
        case .failure(let error): (cost, policy) = (price(key, nil), self.policy(error))
        }
        let (waiters, stale, isKept) = state.withLock { state -> ([Int: Waiter], Answer?, Bool) in
            guard let flight = state.flights.removeValue(forKey: id) else { return ([:], nil, false) }
            if state.current[key] == id { state.current[key] = nil }
            if fromTier {
                let own = flight.waiters.values.count { $0.outcome == .miss }
                state.counts.tierHits += own
                state.counts.hits += own
                state.counts.misses -= own
            }
            let stale = keep(result, key, flight, id, cost, policy, until: time + life, &state, time)
            let kept = state.entries.peek(key)
            return (flight.waiters, stale, kept?.flight == id)
        }
        for waiter in waiters.values {
            switch result {
            case .success(let value):
                let outcome: CacheOutcome
                switch waiter.outcome {
                case .miss where fromTier: outcome = .hit(rest: max(.zero, life))
                case .miss where !isKept, .reloaded where !isKept:
                    outcome = .unkept(isReload: waiter.outcome == .reloaded)
                default: outcome = waiter.outcome
                }
                waiter.continuation.resume(returning: (value, outcome))
            case .failure(let error):
                if let stale {
                    waiter.continuation.resume(returning: stale)
                } else {
                    waiter.continuation.resume(throwing: error)
                }
            }
        }
        return isKept
    }

    /// Keeps what is to be kept of a flight's result, and says what is given in its place.
    private func keep(
        _ result: Result<Value, any Error>,
        _ key: CacheKey,
        _ flight: Flight,
        _ id: Int,
        _ cost: Int,
        _ policy: CacheErrorPolicy,
        until freshUntil: Duration,
        _ state: inout State,
        _ time: Duration
    ) -> Answer? {
        let old = state.entries.peek(key).flatMap { old in
            old.version == flight.wanted.version && state.isValid(begun: old.begun, old.tags) ? old : nil
        }
        if case .failure = result {
            switch policy {
            case .keptBriefly: break
            case .staleAnswers:
                guard let old, case .success(let value) = old.content else { return nil }
                let over = max(.zero, time - old.freshUntil)
                return over < settings.ifError ? (value, .staleOnError(over: over)) : nil
            case .told: return nil
            }
        }
        guard state.isValid(begun: flight.begun, flight.wanted.tags) else {
            state.counts.droppedFills += 1
            return nil
        }
        // A flight that began earlier and landed later has the older answer, and one of another version is not to take a newer one's place.
        if let old, old.flight > id { return nil }
        if let other = state.entries.peek(key), other.version > flight.wanted.version { return nil }
        state.entries.set(
            key,
            Entry(
                content: result,
                freshUntil: freshUntil,
                version: flight.wanted.version,
                begun: flight.begun,
                flight: id,
                tags: flight.wanted.tags
            ),
            cost: cost
        )
        return nil
    }

    private func freshness(_ result: Result<Value, any Error>) -> Duration {
        guard case .success = result else { return settings.negative }
        let wanted = settings.fresh * (1 + settings.jitter * min(1, max(-1, random())))
        return wanted
    }
}
