import Foundation

/// A service that is loaded.
struct Loaded {
    let name: String
    let url: String
    let admin: String

    /// Threads with nothing to do end after five seconds, and with them what the allocator keeps for each.
    private static let looks = 14, pause = Duration.milliseconds(500)

    /// What it holds in memory when nobody asks it anything: the least that is seen within seven seconds.
    ///
    /// - Parameter requests: how many it has answered.
    func memory(of stage: Stage, requests: Int) async throws -> ServiceMemory {
        var least = try await memoryNow(of: stage, requests: requests)
        for _ in 0..<Self.looks {
            try await Task.sleep(for: Self.pause)
            let now = try await memoryNow(of: stage, requests: requests)
            if now.heap < least.heap { least = now }
        }
        return least
    }

    private func memoryNow(of stage: Stage, requests: Int) async throws -> ServiceMemory {
        let metrics = String(decoding: try await Cast.get(admin + "/metrics"), as: UTF8.self)
        func value(_ name: String) -> Int? {
            metrics.split(separator: "\n").first { $0.hasPrefix("recommendations_\(name){") }?
                .split(separator: " ").last.flatMap { Int($0) }
        }
        guard let heap = value("heap_used_bytes"), let pid = stage.pid(of: name) else {
            throw StageError("\(name) does not say what it holds in memory")
        }
        return ServiceMemory(
            requests: requests,
            resident: ResidentMemory.of(pid),
            heap: heap,
            answers: value("cache_entries"),
            cost: value("cache_cost") ?? 0
        )
    }
}

/// What a service holds in memory; bytes.
struct ServiceMemory {
    let requests: Int
    let resident: Int
    let heap: Int
    /// In the cache; nil where there is none.
    let answers: Int?
    /// What they cost, which is about what they take.
    let cost: Int

    var besideCache: Int { heap - cost }

    var text: String {
        func mebibytes(_ bytes: Int) -> String { "\(Double(bytes * 100 / 1_048_576) / 100)" }
        let cache = answers.map { ", \($0) answers of \(mebibytes(cost))" } ?? ""
        return "\(mebibytes(resident)) MiB resident, \(mebibytes(heap)) taken\(cache)"
    }
}
