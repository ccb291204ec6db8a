import Synchronization
import TimeLimits

// The second tier: asked before an answer is made, told afterwards, and gone round where it fails.
extension AnswerCache {
    /// The tags' generation; nil without a tier, and where it cannot be relied on.
    func generation(_ tags: [CacheTag]) async -> Int64? {
        guard let tier else { return nil }
        for tag in state.withLock({ state in tags.filter(state.untold.contains) }) {
            do { try await tell(tag) } catch { return nil }
        }
        return await counted { try await TimeLimit.within(settings.tierTime) { try await tier.generation(tags) } }
    }

    func read(_ wanted: Wanted) async -> (Value, Duration)? {
        guard let tier, let codec else { return nil }
        let read = await counted { () -> (Value, Duration)? in
            guard let entry = try await TimeLimit.within(settings.tierTime, { try await tier.read(wanted.text) }),
                entry.age < settings.fresh
            else {
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
            try await TimeLimit.within(settings.tierTime) {
                try await tier.write(wanted.text, bytes, tags: wanted.tags, generation: generation)
            }
        }
    }

    func tell(_ tag: CacheTag) async throws {
        guard let tier else { return }
        do {
            try await TimeLimit.within(settings.tierTime) { try await tier.invalidate(tag) }
            state.withLock { _ = $0.untold.remove(tag) }
        } catch {
            state.withLock { state in
                state.untold.insert(tag)
                state.counts.tierErrors += 1
            }
            throw error
        }
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
