import Cache
import Commands
import Foundation

/// The cache's policy by itself: operations a second beside a plain dictionary, and bytes an entry.
enum CacheMeasure {
    private static let operations = 4_000_000
    private static let keys = 200_000

    static func print() async throws {
        // The same look-ups for both, of which about nine in ten are hits.
        var state: UInt64 = 7
        let wanted = (0..<operations).map { _ in
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            let unit = Double(state >> 11) / Double(UInt64(1) << 53)
            return Int(Double(keys) * unit * unit * unit)
        }
        var plain: [Int: Int] = [:]
        let floor = time { for key in wanted { if plain[key] == nil { plain[key] = key } } }
        var cache = S3FIFO<Int, Int>(capacity: keys / 2)
        var hits = 0
        let took = time {
            for key in wanted {
                if cache.value(key) != nil { hits += 1 } else { cache.set(key, key) }
            }
        }
        Output.line("The cache's policy (S3-FIFO, one thread, \(keys / 2) entries, \(hits * 100 / operations) % hits):")
        Output.line(
            "  \(Int(Double(operations) / took / 1_000_000 * 10) / 10) million operations/s, \(Int(took / floor * 100)) % of a dictionary's time for the same keys"
        )
        let before = ResidentMemory.of(getpid())
        var full = S3FIFO<Int, Int>(capacity: 1_000_000)
        for key in 0..<1_000_000 { full.set(key, key) }
        let grown = ResidentMemory.of(getpid()) - before
        Output.line(
            "  \(grown / full.count) bytes an entry of a million, key and value of 8 bytes each, the keys that it remembers included"
        )
        try await printWhole()
    }

    /// The whole cache: its lock, keys of three parts, a version and two tags an entry.
    private static func printWhole() async throws {
        var settings = CacheSettings()
        settings.capacity = keys
        let cache = AnswerCache<Int>(settings)
        let before = ResidentMemory.of(getpid())
        func ask(_ number: Int) async throws -> Int {
            try await cache.value(
                for: CacheKey(user: "user-\(number)", "get", "job-\(number)"),
                version: 1,
                tags: [CacheTag("job", "job-\(number)"), CacheTag("user", "user-\(number)")]
            ) { number }.value
        }
        for number in 0..<keys { _ = try await ask(number) }
        let grown = ResidentMemory.of(getpid()) - before
        let started = ContinuousClock.now
        for number in 0..<keys { _ = try await ask(number) }
        let took = (ContinuousClock.now - started) / .seconds(1)
        Output.line("The whole cache (keys made anew for every look-up, as a service does):")
        Output.line(
            "  \(Int(Double(keys) / took)) hits/s of one task, \(cache.counts.hits) of \(keys) looked up again; \(grown / max(1, cache.count)) bytes an entry"
        )
    }

    private static func time(_ body: () -> Void) -> Double {
        let started = ContinuousClock.now
        body()
        return (ContinuousClock.now - started) / .seconds(1)
    }
}
