import Synchronization

// The second tier: asked before an answer is made, told afterwards, and gone round where it fails.
extension AnswerCache {
    /// The tags' generation; nil without a tier, and where it cannot be relied on.
    func generation(_ tags: [CacheTag]) async -> Int64? {
        guard let tier else { return nil }
        for tag in state.withLock({ state in tags.filter(state.untold.contains) }) {
            do { try await tell(tag) } catch { return nil }
        }
        return await counted { try await limited { try await tier.generation(tags) } }
    }

    func read(_ wanted: Wanted) async -> (Value, Duration)? {
        guard let tier, let codec else { return nil }
        let read = await counted { () -> (Value, Duration)? in
            guard let entry = try await limited({ try await tier.read(wanted.text) }), entry.age < settings.fresh else {
                return nil
            }
            return (try codec.decode(entry.bytes), entry.age)
        }
        return read ?? nil
    }

    func write(_ wanted: Wanted, _ value: Value, _ generation: Int64) async {
        guard let tier, let codec else { return }
        _ = await counted {
            let bytes = codec.encode(value)
            try await limited { try await tier.write(wanted.text, bytes, tags: wanted.tags, generation: generation) }
        }
    }

    func tell(_ tag: CacheTag) async throws {
        guard let tier else { return }
        do {
            try await limited { try await tier.invalidate(tag) }
            state.withLock { _ = $0.untold.remove(tag) }
        } catch {
            state.withLock { state in
                state.untold.insert(tag)
                state.counts.tierErrors += 1
            }
            throw error
        }
    }

    /// What the tier answers in ``CacheSettings/tierTime``; one that says nothing is given up, and is told so by being cancelled.
    private func limited<R: Sendable>(_ body: @escaping @Sendable () async throws -> R) async throws -> R {
        let first = FirstResult<R>()
        let limit = settings.tierTime
        // Not children of this: a tier that does not hear that it is cancelled would be waited for.
        let work = Task {
            do { first.set(.success(try await body())) } catch { first.set(.failure(error)) }
        }
        let clock = Task {
            try await Task.sleep(for: limit)
            first.set(.failure(TierSilence()))
        }
        defer {
            work.cancel()
            clock.cancel()
        }
        return try await first.value()
    }

    func counted<R>(_ body: () async throws -> R) async -> R? {
        do {
            return try await body()
        } catch {
            state.withLock { $0.counts.tierErrors += 1 }
            return nil
        }
    }
}

/// A second tier that has not answered in time.
struct TierSilence: Error {}

/// The first of several results; later ones are nothing.
private final class FirstResult<Value: Sendable>: Sendable {
    private struct State {
        var result: Result<Value, any Error>?
        var waiter: CheckedContinuation<Value, any Error>?
    }

    private let state = Mutex(State())

    func set(_ result: Result<Value, any Error>) {
        let waiter = state.withLock { state -> CheckedContinuation<Value, any Error>? in
            guard state.result == nil else { return nil }
            state.result = result
            defer { state.waiter = nil }
            return state.waiter
        }
        waiter?.resume(with: result)
    }

    /// Asked for once.
    func value() async throws -> Value {
        try await withCheckedThrowingContinuation { continuation in
            let result = state.withLock { state -> Result<Value, any Error>? in
                if state.result == nil { state.waiter = continuation }
                return state.result
            }
            if let result { continuation.resume(with: result) }
        }
    }
}
