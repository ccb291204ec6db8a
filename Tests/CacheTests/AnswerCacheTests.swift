import Cache
import Synchronization
import TestSupport
import Testing

/// A load that waits until it is let go, and counts.
final class Gate: Sendable {
    private let state = Mutex<(waiting: [CheckedContinuation<Void, Never>], isOpen: Bool, loads: Int)>(([], false, 0))
    var loads: Int { state.withLock { $0.loads } }

    func pass() async {
        await withCheckedContinuation { continuation in
            let isOpen = state.withLock { state in
                state.loads += 1
                if !state.isOpen { state.waiting.append(continuation) }
                return state.isOpen
            }
            if isOpen { continuation.resume() }
        }
    }

    func open() {
        let waiting = state.withLock { state in
            defer { state.waiting = [] }
            state.isOpen = true
            return state.waiting
        }
        for continuation in waiting { continuation.resume() }
    }

    func close() { state.withLock { $0.isOpen = false } }
}

/// How often each user's answers were invalidated.
final class Versions: Sendable {
    private let byUser = Mutex<[String: Int]>([:])
    private let ended = Mutex<[String: Int]>([:])

    func raise(_ user: String) -> Int {
        byUser.withLock { byUser in
            byUser[user, default: 0] += 1
            return byUser[user] ?? 0
        }
    }

    /// The invalidation of a version, and of all before, is over.
    func done(_ user: String, _ version: Int) { ended.withLock { $0[user] = max($0[user] ?? 0, version) } }
    func of(_ user: String) -> Int { byUser.withLock { $0[user] ?? 0 } }
    func doneOf(_ user: String) -> Int { ended.withLock { $0[user] ?? 0 } }
}

/// What was said, in its order.
final class Told: Sendable {
    private let said = Mutex<[String]>([])
    func add(_ text: String) { said.withLock { $0.append(text) } }
    var all: [String] { said.withLock { $0 } }
}

enum TestError: Error, Hashable { case missing, broken, wrong }

@Suite("The cache")
struct AnswerCacheTests {
    private let clock = HandClock()
    private let key = CacheKey(user: "ana", "get", "job-1")
    private let tag = CacheTag("job", "job-1")

    private func cache(_ change: (inout CacheSettings) -> Void = { _ in }, tier: (any CacheTier)? = nil) -> AnswerCache<
        String
    > {
        var settings = CacheSettings()
        settings.jitter = 0
        change(&settings)
        let clock = clock
        return AnswerCache(
            settings,
            tier: tier.map {
                ($0, CacheCodec(encode: { Array($0.utf8) }, decode: { String(decoding: $0, as: UTF8.self) }))
            },
            policy: { error in
                switch error as? TestError {
                case .missing: .keptBriefly
                case .broken: .staleAnswers
                default: .told
                }
            },
            now: { clock.now },
            random: { 1 }
        )
    }

    @Test("a thousand look-ups of one key at once make one load")
    func singleFlight() async throws {
        let cache = cache(), gate = Gate()
        let outcomes = try await withThrowingTaskGroup(of: CacheOutcome.self) { group in
            for _ in 0..<1_000 {
                group.addTask {
                    try await cache.value(for: key) {
                        await gate.pass()
                        return "a"
                    }.outcome
                }
            }
            group.addTask {
                try await eventually("all to wait") { cache.counts.lookUps == 1_000 }
                gate.open()
                return .coalesced
            }
            return try await group.reduce(into: []) { $0.append($1) }
        }
        #expect(gate.loads == 1)
        #expect(outcomes.count { $0 == .miss } == 1)
        #expect(cache.counts.coalesced == 999)
        #expect(cache.counts.misses == 1)
        #expect(cache.counts.hitRate == 0.999)
    }

    @Test("a look-up is told how far it has come when it has to wait, and only then")
    func waiting() async throws {
        let tier = MemoryTier(), gate = Gate(), told = Told()
        let cache = cache(
            {
                $0.fresh = .seconds(100); $0.whileRevalidating = .seconds(50)
            },
            tier: tier
        )
        @Sendable func look(_ name: String, isReload: Bool = false, in cache: AnswerCache<String>) async throws {
            _ = try await cache.value(
                for: key,
                tags: [tag],
                isReload: isReload,
                waiting: { outcome in told.add("\(name): \(outcome.status(cache: "c"))") },
                load: {
                    await gate.pass(); return "a"
                }
            )
        }
        let maker = Task { try await look("maker", in: cache) }
        try await eventually("the load") { gate.loads == 1 }
        let waiter = Task { try await look("waiter", in: cache) }
        try await eventually("both to be told") { told.all.count == 2 }
        gate.open()
        try await maker.value
        try await waiter.value
        try await eventually("it to be written") { await tier.entries.count == 1 }
        // What is at hand, in memory or in the second tier, is not waited for.
        try await look("hit", in: cache)
        try await look("tier", in: self.cache(tier: tier))
        // The one that is given an old answer does not wait for its refresh.
        clock.advance(.seconds(120))
        try await look("stale", in: cache)
        try await eventually("the refresh") { gate.loads == 2 }
        try await look("reload", isReload: true, in: cache)
        #expect(told.all == ["maker: c; fwd=miss", "waiter: c; fwd=miss; collapsed", "reload: c; fwd=request"])
    }

    @Test("one that leaves does not end the flight, and is told at once")
    func leaving() async throws {
        let cache = cache(), gate = Gate()
        let first = Task {
            try await cache.value(for: key) {
                await gate.pass(); return "a"
            }
        }
        try await eventually("the load") { gate.loads == 1 }
        let second = Task { try await cache.value(for: key) { "b" } }
        try await eventually("the second") { cache.counts.coalesced == 1 }
        first.cancel()
        await #expect(throws: CancellationError.self) { try await first.value }
        gate.open()
        #expect(try await second.value.value == "a")
        #expect(try await cache.value(for: key) { "c" }.value == "a")
    }

    @Test("an error is told to those who wait, and not kept")
    func errors() async throws {
        let cache = cache(), gate = Gate()
        let waiters = (0..<5).map { _ in
            Task {
                try await cache.value(for: key) {
                    await gate.pass(); throw TestError.broken
                }
            }
        }
        try await eventually("all to wait") { cache.counts.lookUps == 5 }
        gate.open()
        for waiter in waiters { await #expect(throws: TestError.broken) { try await waiter.value } }
        #expect(try await cache.value(for: key) { "a" } == ("a", .miss))
        #expect(cache.counts.failedLoads == 1)
    }

    @Test("fresh, then stale while one refresh goes on, then over")
    func freshness() async throws {
        let cache = cache {
            $0.fresh = .seconds(100); $0.whileRevalidating = .seconds(50)
        }
        _ = try await cache.value(for: key) { "a" }
        clock.advance(.seconds(60))
        #expect(try await cache.value(for: key) { "b" } == ("a", .hit(rest: .seconds(40))))
        clock.advance(.seconds(60))
        let gate = Gate()
        for _ in 0..<5 {
            #expect(
                try await cache.value(for: key) {
                    await gate.pass(); return "b"
                } == ("a", .stale(over: .seconds(20)))
            )
        }
        try await eventually("one refresh") { gate.loads == 1 }
        gate.open()
        try await eventually("the new answer") { cache.counts.loads == 2 }
        try await eventually("it to be kept") { try await cache.value(for: key) { "x" }.value == "b" }
        #expect(gate.loads == 1)
        clock.advance(.seconds(150))
        #expect(try await cache.value(for: key) { "c" } == ("c", .miss))
        #expect(cache.counts.staleHits == 5)
    }

    @Test("freshness differs by up to a tenth")
    func jitter() async throws {
        let cache = cache {
            $0.jitter = 0.1; $0.fresh = .seconds(100); $0.whileRevalidating = .zero
        }
        _ = try await cache.value(for: key) { "a" }
        clock.advance(.seconds(109))
        #expect(try await cache.value(for: key) { "b" }.value == "a")
        clock.advance(.seconds(2))
        #expect(try await cache.value(for: key) { "b" }.value == "b")
    }

    @Test("where a new answer cannot be made, an old one is given for a while; another's error is told")
    func ifError() async throws {
        let cache = cache {
            $0.fresh = .seconds(10); $0.whileRevalidating = .zero; $0.ifError = .seconds(100)
        }
        _ = try await cache.value(for: key) { "a" }
        clock.advance(.seconds(30))
        #expect(try await cache.value(for: key) { throw TestError.broken } == ("a", .staleOnError(over: .seconds(20))))
        await #expect(throws: TestError.wrong) { try await cache.value(for: key) { throw TestError.wrong } }
        clock.advance(.seconds(100))
        await #expect(throws: TestError.broken) { try await cache.value(for: key) { throw TestError.broken } }
    }

    @Test("what is not there is kept briefly, and an invalidation ends that too")
    func negative() async throws {
        let cache = cache { $0.negative = .seconds(5) }
        await #expect(throws: TestError.missing) {
            try await cache.value(for: key, tags: [tag]) { throw TestError.missing }
        }
        await #expect(throws: TestError.missing) { try await cache.value(for: key, tags: [tag]) { "a" } }
        #expect(cache.counts.negativeHits == 1)
        try await cache.invalidate(tag)
        #expect(try await cache.value(for: key, tags: [tag]) { "a" }.value == "a")
        let other = CacheKey(user: "ana", "other")
        await #expect(throws: TestError.missing) { try await cache.value(for: other) { throw TestError.missing } }
        clock.advance(.seconds(6))
        #expect(try await cache.value(for: other) { "b" }.value == "b")
    }

    @Test("a load that began before an invalidation is not kept, and not waited for by those who come after")
    func overtaken() async throws {
        let cache = cache(), gate = Gate()
        let old = Task {
            try await cache.value(for: key, tags: [tag]) {
                await gate.pass(); return "old"
            }
        }
        try await eventually("the load") { gate.loads == 1 }
        try await cache.invalidate(tag)
        #expect(try await cache.value(for: key, tags: [tag]) { "new" } == ("new", .miss))
        gate.open()
        #expect(try await old.value == ("old", .unkept(isReload: false)))
        #expect(try await cache.value(for: key, tags: [tag]) { "x" }.value == "new")
        // And one that nobody replaced.
        gate.close()
        let other = CacheKey(user: "ana", "other")
        let second = Task {
            try await cache.value(for: other, tags: [tag]) {
                await gate.pass(); return "old"
            }
        }
        try await eventually("the load") { gate.loads == 2 }
        try await cache.invalidate(tag)
        gate.open()
        _ = try await second.value
        #expect(cache.counts.droppedFills == 2)
        #expect(try await cache.value(for: other, tags: [tag]) { "new" }.value == "new")
    }

    @Test("a reload takes nothing that is kept or on its way, and its answer is the one that is kept")
    func reload() async throws {
        let cache = cache(), gate = Gate()
        let old = Task {
            try await cache.value(for: key) {
                await gate.pass(); return "old"
            }
        }
        try await eventually("the load") { gate.loads == 1 }
        #expect(try await cache.value(for: key, isReload: true) { "new" } == ("new", .reloaded))
        gate.open()
        #expect(try await old.value == ("old", .unkept(isReload: false)))
        #expect(try await cache.value(for: key) { "x" }.value == "new")
    }

    @Test("a load that takes too long is given up: who waits is told so, and who comes later begins anew")
    func hangingLoad() async throws {
        let tier = MemoryTier(), gate = Gate()
        let cache = cache({ $0.loadTime = .milliseconds(50) }, tier: tier)
        let first = Task {
            try await cache.value(for: key) {
                await gate.pass(); return "late"
            }
        }
        await #expect(throws: TookTooLong.self) { try await first.value }
        #expect(try await cache.value(for: key) { "new" } == ("new", .miss))
        gate.open()
        try await eventually("it to be written") { await tier.entries.count == 1 }
        #expect(try await cache.value(for: key) { "x" }.value == "new")
        #expect(cache.counts.failedLoads == 1 && cache.counts.coalesced == 0)
    }

    @Test("an answer of another version is none, and takes no newer one's place")
    func versions() async throws {
        let cache = cache(), gate = Gate()
        #expect(try await cache.value(for: key, version: 1) { "one" }.value == "one")
        #expect(try await cache.value(for: key, version: 2) { "two" } == ("two", .miss))
        #expect(try await cache.value(for: key, version: 2) { "x" }.value == "two")
        // Whoever still knows the old version is answered, and keeps nothing.
        #expect(try await cache.value(for: key, version: 1) { "one" }.value == "one")
        #expect(try await cache.value(for: key, version: 2) { "x" }.value == "two")
        let third = Task {
            try await cache.value(for: key, version: 3) {
                await gate.pass()
                return "three"
            }
        }
        try await eventually("the load") { gate.loads == 1 }
        #expect(try await cache.value(for: key, version: 4) { "four" }.value == "four")
        gate.open()
        #expect(try await third.value.value == "three")
        #expect(try await cache.value(for: key, version: 4) { "x" }.value == "four")
        #expect(cache.count == 1)
    }

    @Test("no parts of a key are another's, however they are cut")
    func keys() {
        let keys = [
            CacheKey(user: "a", "bc"), CacheKey(user: "ab", "c"), CacheKey(user: "a", "b", "c"),
            CacheKey(user: "a", "b|c"),
            CacheKey(user: "a", "1:b"), CacheKey(user: "a"), CacheKey(user: "a", ""), CacheKey(user: "", "a"),
        ]
        #expect(Set(keys.map(\.text)).count == keys.count)
        #expect(CacheTag("a", "b:c").description != CacheTag("a:b", "c").description)
        #expect(CacheTag("job", "1x").description != CacheTag("jo", "b1x").description)
    }

    @Test("a hundred thousand random operations: no look-up ever sees another user's, or an invalidated answer")
    func isolation() async throws {
        let cache = cache {
            $0.capacity = 300; $0.fresh = .seconds(50)
        }
        let versions = Versions()
        try await withThrowingTaskGroup(of: Void.self) { group in
            for worker in 0..<8 {
                group.addTask {
                    for step in 0..<12_500 {
                        let user = "user-\(Int.random(in: 0..<20))", item = "\(Int.random(in: 0..<30))"
                        let tag = CacheTag("user", user)
                        switch Int.random(in: 0..<100) {
                        case 0:
                            let version = versions.raise(user)
                            try await cache.invalidate(tag)
                            versions.done(user, version)
                        case 1: clock.advance(.seconds(1))
                        default:
                            let before = versions.doneOf(user)
                            let answer = try await cache.value(
                                for: CacheKey(user: user, item),
                                tags: [tag],
                                isReload: step % 50 == worker
                            ) {
                                let version = versions.of(user)
                                if Bool.random() { await Task.yield() }
                                return "\(user)/\(item)/\(version)"
                            }.value
                            let parts = answer.split(separator: "/")
                            #expect(parts[0] == user && parts[1] == item)
                            if let version = Int(parts[2]), version < before {
                                Issue.record("\(answer) after \(before)")
                            }
                        }
                    }
                }
            }
            try await group.waitForAll()
        }
        let counts = cache.counts
        #expect(counts.lookUps == counts.hits + counts.staleHits + counts.coalesced + counts.misses)
        #expect(cache.count <= 300)
    }

    @Test(
        "RFC 9211: what a look-up says of itself",
        arguments: [
            (.hit(rest: .seconds(30)), "c; hit; ttl=30"), (.stale(over: .seconds(5)), "c; hit; ttl=-5"),
            (.coalesced, "c; fwd=miss; collapsed"),
            (.miss, "c; fwd=miss; stored"), (.reloaded, "c; fwd=request; stored"),
            (.unkept(isReload: false), "c; fwd=miss"), (.unkept(isReload: true), "c; fwd=request"),
            (.staleOnError(over: .seconds(9)), "c; fwd=stale; detail=stale-if-error-9s"),
        ] as [(CacheOutcome, String)]
    )
    func status(_ outcome: CacheOutcome, _ text: String) { #expect(outcome.status(cache: "c") == text) }
}

/// A tier in memory, that can be made to fail.
actor MemoryTier: CacheTier {
    var entries: [String: (bytes: [UInt8], tags: [CacheTag], generation: Int64)] = [:]
    var generations: [CacheTag: Int64] = [:]
    var isBroken = false
    var reads = 0

    func setBroken(_ broken: Bool) { isBroken = broken }
    private func check() throws { if isBroken { throw TestError.broken } }
    private func sum(_ tags: [CacheTag]) -> Int64 { tags.reduce(0) { $0 + (generations[$1] ?? 0) } }

    func generation(_ tags: [CacheTag]) throws -> Int64 {
        try check()
        return sum(tags)
    }

    func read(_ key: String) throws -> TierEntry? {
        try check()
        reads += 1
        guard let entry = entries[key], entry.generation == sum(entry.tags) else { return nil }
        return TierEntry(bytes: entry.bytes, age: .seconds(1))
    }

    func write(_ key: String, _ bytes: [UInt8], tags: [CacheTag], generation: Int64) throws {
        try check()
        entries[key] = (bytes, tags, generation)
    }

    func invalidate(_ tag: CacheTag) throws {
        try check()
        generations[tag, default: 0] += 1
    }
}

@Suite("The cache's second tier")
struct TierTests {
    private let key = CacheKey(user: "ana", "get")
    private let tag = CacheTag("job", "1")

    private func cache(_ tier: any CacheTier) -> AnswerCache<String> {
        AnswerCache(
            CacheSettings(),
            tier: (tier, CacheCodec(encode: { Array($0.utf8) }, decode: { String(decoding: $0, as: UTF8.self) }))
        )
    }

    /// A tier that answers nothing, and does not even hear that it is given up.
    private struct SilentTier: CacheTier {
        private func silence() async {
            for await _ in AsyncStream<Void>.makeStream().stream {}
            await withUnsafeContinuation { (_: UnsafeContinuation<Void, Never>) in }
        }
        func generation(_ tags: [CacheTag]) async throws -> Int64 {
            await silence()
            return 0
        }
        func read(_ key: String) async throws -> TierEntry? {
            await silence()
            return nil
        }
        func write(_ key: String, _ bytes: [UInt8], tags: [CacheTag], generation: Int64) async throws {
            await silence()
        }
        func invalidate(_ tag: CacheTag) async throws { await silence() }
    }

    @Test("a tier that is silent is gone round after its time, by look-ups and invalidations alike")
    func silent() async throws {
        var settings = CacheSettings()
        settings.tierTime = .milliseconds(50)
        let cache = AnswerCache<String>(
            settings,
            tier: (
                SilentTier(), CacheCodec(encode: { Array($0.utf8) }, decode: { String(decoding: $0, as: UTF8.self) })
            )
        )
        #expect(try await cache.value(for: key, tags: [tag]) { "a" } == ("a", .miss))
        await #expect(throws: (any Error).self) { try await cache.invalidate(tag) }
        #expect(try await cache.value(for: key, tags: [tag]) { "b" } == ("b", .miss))
        #expect(cache.counts.tierErrors >= 2 && cache.counts.lookUps == 2)
    }

    @Test("what one process made, another finds; what one invalidated, another does not")
    func shared() async throws {
        let tier = MemoryTier()
        _ = try await cache(tier).value(for: key, tags: [tag]) { "a" }
        try await eventually("it to be written") { await tier.entries.count == 1 }
        let other = cache(tier)
        let (value, outcome) = try await other.value(for: key, tags: [tag]) { "b" }
        #expect(value == "a" && outcome.isHit)
        #expect(other.counts.hits == 1 && other.counts.tierHits == 1 && other.counts.misses == 0)
        try await cache(tier).invalidate(tag)
        #expect(try await cache(tier).value(for: key, tags: [tag]) { "c" }.value == "c")
    }

    @Test("an answer that was begun before an invalidation is written, and never read")
    func overtaken() async throws {
        let tier = MemoryTier(), one = cache(tier), gate = Gate()
        let old = Task {
            try await one.value(for: key, tags: [tag]) {
                await gate.pass(); return "old"
            }
        }
        try await eventually("the load") { gate.loads == 1 }
        try await cache(tier).invalidate(tag)
        gate.open()
        _ = try await old.value
        try await eventually("it to be written") { await tier.entries.count == 1 }
        #expect(try await cache(tier).value(for: key, tags: [tag]) { "new" }.value == "new")
    }

    @Test("a tier that fails is counted and gone round, and one that has not taken an invalidation is not read")
    func broken() async throws {
        let tier = MemoryTier(), one = cache(tier)
        _ = try await one.value(for: key, tags: [tag]) { "a" }
        try await eventually("it to be written") { await tier.entries.count == 1 }
        await tier.setBroken(true)
        #expect(try await cache(tier).value(for: key, tags: [tag]) { "b" }.value == "b")
        await #expect(throws: TestError.broken) { try await one.invalidate(tag) }
        #expect(one.counts.tierErrors == 1)
        #expect(try await one.value(for: key, tags: [tag]) { "c" }.value == "c")
        // It is there again, and is told first.
        await tier.setBroken(false)
        #expect(try await one.value(for: CacheKey(user: "ana", "x"), tags: [tag]) { "d" }.value == "d")
        #expect(await tier.generations[tag] == 1)
    }

    @Test("while a cache is migrated both sides are written and the old one is read")
    func dual() async throws {
        let old = MemoryTier(), new = MemoryTier()
        let dual = DualTier(reading: old, writing: new)
        _ = try await cache(dual).value(for: key, tags: [tag]) { "a" }
        try await eventually("both to be written") { await new.entries.count == 1 }
        #expect(await old.entries.count == 1)
        #expect(try await cache(dual).value(for: key, tags: [tag]) { "b" }.value == "a")
        #expect(await new.reads == 0)
        try await dual.invalidate(tag)
        for tier in [old, new] { #expect(try await cache(tier).value(for: key, tags: [tag]) { "c" }.value == "c") }
        await new.setBroken(true)
        await #expect(throws: TestError.broken) { try await dual.invalidate(tag) }
        #expect(await old.generations[tag] == 2)
    }
}
