import Cache
import Foundation
import Randomness
import TestSupport
import Testing

/// Traces of the shapes of the public ones (LIRS's sprite, multi2, 2_pools and glimpse), made here with stated parameters; the real ones are taken from the folder
/// `MIGRATE_TEST_TRACES` when it is given, a number a line in `sprite`, `multi2`, `2_pools` and `glimpse`.
enum Trace: String, CaseIterable {
    case sprite, multi2, pools = "2_pools", glimpse

    var capacity: Int {
        switch self {
        case .sprite: 500
        case .multi2: 1_000
        case .pools: 450
        case .glimpse: 1_000
        }
    }

    func keys() throws -> [Int] {
        if let folder = ProcessInfo.processInfo.environment["MIGRATE_TEST_TRACES"] {
            let text = try String(contentsOfFile: "\(folder)/\(rawValue)", encoding: .utf8)
            return text.split(whereSeparator: \.isWhitespace).compactMap { Int($0) }
        }
        var random = SplitMix(seed: UInt64(capacity) &* 977)
        switch self {
        // 7,000 blocks by Zipf's law (exponent 1.0); 42 % of the requests to one of the last 300 asked for.
        case .sprite:
            let zipf = Zipf(7_000, 1.0)
            var keys: [Int] = []
            for _ in 0..<130_000 {
                let recent = keys.count > 300 && random.unit() < 0.42
                keys.append(recent ? keys[keys.count - 1 - random.below(300)] : zipf.draw(&random))
            }
            return keys
        // Three programs in turn, 300 requests each: loops of 300 and 1,000 blocks, and 20,000 blocks by Zipf's law (exponent 1.0).
        case .multi2:
            let zipf = Zipf(20_000, 1.0)
            var places = [0, 0]
            return (0..<120_000).map { step in
                let program = step / 300 % 3
                guard program < 2 else { return zipf.draw(&random) }
                places[program] += 1
                return (program + 1) * 100_000 + places[program] % [300, 1_000][program]
            }
        // A quarter of the requests to one of the last 150 asked for; of the rest, 60 % to an index of 4,000 blocks by Zipf's law (exponent 1.0), and the
        // others to data of 10,000 at random.
        case .pools:
            let zipf = Zipf(4_000, 1.0)
            var keys: [Int] = []
            for _ in 0..<100_000 {
                if keys.count > 150, random.unit() < 0.25 {
                    keys.append(keys[keys.count - 1 - random.below(150)])
                } else {
                    keys.append(random.unit() < 0.6 ? zipf.draw(&random) : 100_000 + random.below(10_000))
                }
            }
            return keys
        // A loop of 2,500 blocks, with one request in five at random among 500 others.
        case .glimpse: return (0..<100_000).map { random.unit() < 0.2 ? 5_000 + random.below(500) : $0 % 2_500 }
        }
    }
}

struct Zipf {
    private let sums: [Double]

    init(_ count: Int, _ exponent: Double) {
        var sum = 0.0
        sums = (1...count).map { rank in
            sum += 1 / pow(Double(rank), exponent)
            return sum
        }
    }

    func draw(_ random: inout SplitMix) -> Int {
        let wanted = random.unit() * (sums.last ?? 1)
        var low = 0, high = sums.count - 1
        while low < high {
            let middle = (low + high) / 2
            if sums[middle] < wanted { low = middle + 1 } else { high = middle }
        }
        return low
    }
}

@Suite("The cache beside a reference simulator")
struct ReferenceTests {
    @Test("hit rates are not below the simulator's S3-FIFO by more than 0.1 points")
    func hitRates() async throws {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent("traces-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        var ours: [(Trace, hits: Int, requests: Int)] = []
        var input = ""
        for trace in Trace.allCases {
            let keys = try trace.keys()
            let file = folder.appendingPathComponent(trace.rawValue)
            try Data(keys.map { "\($0)\n" }.joined().utf8).write(to: file)
            input += "\(file.path) \(trace.capacity)\n"
            var cache = S3FIFO<Int, Void>(capacity: trace.capacity)
            var hits = 0
            for key in keys {
                if cache.value(key) != nil { hits += 1 } else { cache.set(key, ()) }
            }
            ours.append((trace, hits, keys.count))
        }
        let lines = try await TestPeers.output("caches.py", input: input).split(separator: "\n")
        try #require(lines.count == ours.count)
        print("trace     entries    ours  libcachesim's S3-FIFO      LRU")
        for (line, (trace, hits, requests)) in zip(lines, ours) {
            let numbers = line.split(separator: " ").compactMap { Int($0) }
            try #require(numbers.count == 3 && numbers[2] == requests)
            func share(_ hits: Int) -> Double { (Double(hits) / Double(requests) * 10_000).rounded() / 100 }
            print(
                "\(trace.rawValue)\t\(trace.capacity)\t\(share(hits)) %\t\(share(numbers[0])) %\t\(share(numbers[1])) %"
            )
            #expect(Double(hits - numbers[0]) / Double(requests) >= -0.001, "\(trace.rawValue)")
        }
    }
}
