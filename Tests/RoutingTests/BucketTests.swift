import MigrationCore
import Routing
import Signals
import Testing

@Suite("Who goes where")
struct BucketTests {
    private static let keys = (0..<4_000).map { "user-\($0)" }

    @Test("raising a weight only adds users, lowering it only takes some away")
    func monotone() {
        let buckets = Self.keys.map { Bucket.of($0, migration: "m") }
        var before = 0
        for points in stride(from: 0, through: 10_000, by: 37) {
            let weight = Weight(rawValue: points) ?? .zero
            let there = buckets.filter { Bucket.implementation($0, weight: weight) == .candidate }
            #expect(there.count >= before)
            #expect(there.allSatisfy { $0 >= 10_000 - points })
            before = there.count
        }
        #expect(before == 0 + buckets.count { $0 >= 10_000 - 9_990 })
    }

    /// Of the specification's and of Python's `xxhash`.
    @Test(
        "xxHash32 is the known one",
        arguments: [
            ("", 0x02CC_5D05), ("a", 0x550D_7456), ("abc", 0x32D1_53FF),
            ("Nobody inspects the spammish repetition", 0xE229_3B2F),
        ] as [(String, UInt32)]
    )
    func xxHash32(_ text: String, _ expected: UInt32) { #expect(XXHash32.hash(text) == expected) }

    @Test(
        "each way of dealing is its documented formula at every weight, and moves users one way only",
        arguments: Dealing.allCases
    )
    func dealing(_ dealing: Dealing) {
        var wrong: [String] = []
        for text in Self.keys.prefix(200).map({ "m:\($0)" }) {
            let (long, short, other) = (XXHash64.hash(text), XXHash32.hash(text), MurmurHash2.hash(text))
            var wasThere = false
            for points in Array(stride(from: 0, through: 10_000, by: 37)) + [10_000] {
                let weight = Weight(rawValue: points) ?? .zero
                let isThere = dealing.implementation(text, weight: weight) == .candidate
                let formula =
                    switch dealing {
                    case .gateway: Bucket.implementation(Int(long % 10_000), weight: weight) == .candidate
                    case .haproxy: Int(short % 10_000) - (10_000 - points) >= 0
                    case .nginx: points == 10_000 || UInt64(other) < 0xFFFF_FFFF * UInt64(points) / 10_000
                    }
                if isThere != formula || wasThere && !isThere { wrong.append("\(text) at \(weight)") }
                wasThere = isThere
            }
            if !wasThere { wrong.append("\(text) at 100 %") }
        }
        #expect(wrong.isEmpty, "\(wrong.prefix(5))")
    }

    @Test("at 0 nobody goes to the candidate, at 100 % everybody does")
    func ends() {
        for bucket in 0..<10_000 {
            #expect(Bucket.implementation(bucket, weight: .zero) == .legacy)
            #expect(Bucket.implementation(bucket, weight: .all) == .candidate)
        }
    }

    /// Worked out with Python's `xxhash`: xxh64("<migration>:<key>") % 10000.
    @Test("buckets are the documented formula", arguments: [("alice", 9_673), ("bob", 9_012)])
    func formula(_ key: String, _ expected: Int) { #expect(Bucket.of(key, migration: "recommendations") == expected) }

    private static func table(
        _ revision: Int64,
        log: String = "log",
        after ancestors: [String]? = nil,
        weight: Weight = .all,
        hash: String = "h"
    ) -> RouteTable {
        RouteTable(
            logID: log,
            ancestors: ancestors,
            migration: "m",
            environment: "e",
            revision: revision,
            hash: hash,
            weights: ["a": weight]
        )
    }

    @Test(
        "a fence follows a log that was begun anew from its own, whatever the revision, and never goes back to the one before"
    )
    func begunAnew() throws {
        var fence = Fence(Self.table(9))
        #expect(throws: RoutingError.self) { try fence.admit(Self.table(5, log: "new", after: ["another"])) }
        #expect(try fence.admit(Self.table(5, log: "new", after: ["older", "log"], weight: .zero)))
        #expect(throws: RoutingError.self) { try fence.admit(Self.table(10)) }
        #expect(fence.table?.revision == 5)
        var other = Self.table(5, log: "newer", after: ["log", "new"])
        other.environment = "another"
        #expect(throws: RoutingError.self) { try fence.admit(other) }
    }

    @Test("a fence takes the same or a higher revision of the same log, and nothing else")
    func fence() throws {
        var fence = Fence()
        #expect(try fence.admit(Self.table(5)))
        #expect(try !fence.admit(Self.table(5)))
        #expect(throws: RoutingError(.stale, "revision 4 was offered after revision 5")) {
            try fence.admit(Self.table(4))
        }
        #expect(throws: RoutingError.self) { try fence.admit(Self.table(9, log: "other")) }
        #expect(throws: RoutingError.self) { try fence.admit(Self.table(5, weight: .zero)) }
        #expect(throws: RoutingError.self) { try fence.admit(Self.table(5, hash: "other")) }
        #expect(fence.table?.revision == 5)
        #expect(try fence.admit(Self.table(6, weight: .zero)))
    }

    @Test(
        "RFC 9211's Cache-Status tells a hit from a miss, or nothing",
        arguments: [
            ("cache; hit", .hit), ("cache; hit; ttl=30", .hit), ("cache; fwd=miss; stored", .miss), ("cache", nil),
            ("", nil),
            ("a; fwd=stale, b; hit", .miss), ("a; fwd=miss; collapsed", .hit),
        ] as [(String, CacheOutcome?)]
    )
    func cacheStatus(_ header: String, _ expected: CacheOutcome?) { #expect(CacheOutcome(header: header) == expected) }

    @Test("different users are counted once, those without a key not at all, and of more than can be kept a sample")
    func users() {
        let meter = Meter(services: 1, clock: WindowClock(length: .seconds(1)))
        func count(_ user: UInt64?, _ outcome: Outcome, window: Int64) {
            let at = Timestamp(rawValue: window * 1_000_000)
            meter.count(service: 0, .legacy, outcome, latency: .zero, cache: nil, user: user, at: at)
        }
        for user in [1, 2, 2, 3, nil] as [UInt64?] { count(user, .answered, window: 0) }
        for user in [2, 2, 3] as [UInt64] { count(user, .timedOut, window: 0) }
        for user in 0...100_000 {
            count(XXHash64.hash("\(user)"), user % 4 == 0 ? .failed : .answered, window: 1)
        }
        let windows = meter.take(from: 0, before: 2).map { $0.services[0].legacy }
        #expect([windows[0].users, windows[0].usersWithErrors, windows[0].usersWithTimeouts] == [3, 0, 2])
        // Half of them, and a quarter of these.
        #expect((49_000...51_000).contains(windows[1].users))
        #expect((12_000...13_000).contains(windows[1].usersWithErrors))
        #expect(windows[1].requests == 100_001)
    }

    @Test("a meter counts by windows of event time, and an empty window is there")
    func meter() {
        let meter = Meter(services: 2, clock: WindowClock(length: .seconds(1)))
        let at = Timestamp(rawValue: 7_500_000)
        meter.count(service: 1, .candidate, .failed, latency: .milliseconds(40), cache: .hit, user: 7, at: at)
        meter.count(service: 1, .candidate, .answered, latency: .milliseconds(10), cache: .miss, user: 7, at: at)
        meter.probe(service: 0, .legacy, isUp: false, at: at)
        let windows = meter.take(from: 6, before: 9)
        #expect(windows.map(\.k) == [6, 7, 8])
        #expect(windows[0].services == [ServiceWindow(), ServiceWindow()])
        let counts = windows[1].services[1].candidate
        #expect([counts.requests, counts.errors, counts.cacheHits, counts.cacheMisses] == [2, 1, 1, 1])
        #expect([counts.users, counts.usersWithErrors, counts.usersWithTimeouts] == [1, 1, 0])
        #expect(windows[1].services[0].legacy.probesDown == 1)
        let slowest = counts.latency.quantile(permille: 1_000) ?? 0
        #expect((40_000...40_400).contains(slowest))
        #expect(meter.take(from: 6, before: 9)[1].services[1].candidate == Counts())
        // Held up until its window had been taken.
        meter.count(service: 1, .candidate, .failed, latency: .zero, cache: nil, user: nil, at: at)
        #expect(meter.take(from: 9, before: 10)[0].services[1].candidate.errors == 1)
    }
}
