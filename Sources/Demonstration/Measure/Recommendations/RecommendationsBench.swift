import ArgumentParser
import AsyncHTTPClient
import Callable
import Commands
import Foundation
import JSON
import NIOCore
import NIOHTTP1
import Synchronization

/// `tools/bench recommendations`: many users at once on the legacy service and on the candidate, and the cache by itself.
struct RecommendationsBench: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "recommendations",
        abstract: "Loads the legacy service and the candidate with as many users at once, and the cache alone."
    )
    @OptionGroup var options: StageOptions
    @Option(help: "Users at once.") var concurrent = 200
    @Option(help: "How long on each service, in seconds.") var seconds = 120

    func run() async throws {
        try await CacheMeasure.print()
        try await Interruption.play(in: options.folder) { stage in try await measure(on: stage) }
    }

    /// Legacy takes three minutes for an answer, and here so much less.
    private static let scale = 100
    /// What the migration is for: at most so many answers that never came, and all but a twentieth within this time.
    private static let timeOuts = 0.02, answerTime = Duration.seconds(30), hitRate = 0.6
    /// How many bytes a request may leave behind in the second half, when the cache is warm: more is a leak. The cache's own entries are among them.
    private static let growth = 64.0
    /// Between two requests of a user who reads what is answered.
    private static let pause = Duration.seconds(2)

    private func measure(on stage: Stage) async throws {
        try await stage.startDatabases()
        let delay = 180_000 / Self.scale, limit = 300_000 / Self.scale
        let cast = try await Cast.start(
            stage,
            users: concurrent,
            legacy: ["--delay", "\(delay)", "--time-limit", "\(limit)"]
        )
        let tokens = try (0..<concurrent).map { try cast.issuer.token(user: "user-\($0)", life: 86_400) }
        let services = [("legacy", cast.legacy), ("candidate", cast.candidate)]
        Output.line("")
        Output.line(
            "\(concurrent) users at once, each waiting for one answer before the next, \(seconds) s on each service;"
        )
        Output.line("70 % recommendations, 20 % previews, 5 % made anew, 5 % applied.")
        Output.line(
            "Legacy takes \(delay) ms for an answer, and runs into its limit of \(limit) ms with 15 %: what it was, at 1:\(Self.scale)."
        )
        var leaks: [String] = []
        head()
        for (name, url) in services {
            let load = UserLoad(url: url, tokens: tokens)
            let memory = try await run(load, on: name, stage, seconds: seconds)
            for (status, count) in load.result.errors.sorted(by: { $0.key < $1.key }) {
                Output.line("    \(status): \(count)")
            }
            Output.line("    " + verdict(load.result))
            if let half = memory.dropFirst().first, let all = memory.last {
                let perRequest = Double(all - half) / Double(max(1, load.result.micros.count / 2))
                guard half > 0 else { throw StageError("the memory of \(name) cannot be read") }
                Output.line(
                    "    memory of the second half: \(Int(perRequest.rounded())) bytes a request (at most \(Int(Self.growth)))"
                )
                if perRequest > Self.growth { leaks.append(name) }
            }
        }
        let paced = max(10, seconds / 4)
        Output.line("")
        Output.line(
            "The same users, each with \(Self.pause) between an answer and the next request, \(paced) s; the targets of the migration at 1:\(Self.scale)"
        )
        head()
        for (name, url) in services {
            let load = UserLoad(url: url, tokens: tokens, pause: Self.pause)
            _ = try await run(load, on: name, stage, seconds: paced)
            Output.line("    " + verdict(load.result))
        }
        if !leaks.isEmpty { throw StageError("the memory grows all the time: \(leaks.joined(separator: ", "))") }
    }

    private func head() {
        Output.line(
            "service     requests/s   p50 ms   p95 ms   p99 ms   failed   timed out   hit rate   memory after 10 s, half the time, and all"
        )
    }

    /// - Returns: the memory after ten seconds, after half of the time, and at the end, in bytes.
    private func run(_ load: UserLoad, on name: String, _ stage: Stage, seconds: Int) async throws -> [Int] {
        let pid = stage.pid(of: name) ?? 0
        let memory = try await load.run(seconds: seconds) { ResidentMemory.of(pid) }
        let result = load.result
        try stage.requireRunning(name)
        func milliseconds(_ percent: Int) -> String { pad("\(Quantile.of(result.micros, percent) / 1_000)", 9) }
        let lookUps = result.hits + result.misses
        Output.line(
            "\(name.padding(toLength: 10, withPad: " ", startingAt: 0))\(pad("\(result.micros.count / seconds)", 12))"
                + "\(milliseconds(50))\(milliseconds(95))\(milliseconds(99))\(share(result.failed, of: result.micros.count))"
                + "   \(share(result.timedOut, of: result.micros.count))   \(lookUps == 0 ? pad("none", 8) : share(result.hits, of: lookUps))"
                + "   \(memory.map { "\($0 / 1_048_576) MiB" }.joined(separator: ", "))"
        )
        return memory
    }

    private func verdict(_ result: UserLoad.Result) -> String {
        let timedOut = Double(result.timedOut) / Double(max(1, result.micros.count))
        let lookUps = result.hits + result.misses
        let isTimely = Double(Quantile.of(result.micros, 95)) <= Self.answerTime / Self.scale / .microseconds(1)
        func word(_ isMet: Bool) -> String { isMet ? "met" : "missed" }
        return
            "time-outs at most 2 %: \(word(timedOut <= Self.timeOuts)); p95 within \(Self.answerTime / Self.scale): \(word(isTimely)); "
            + "hit rate above 60 %: \(lookUps == 0 ? "there is no cache" : word(Double(result.hits) / Double(lookUps) > Self.hitRate))"
    }

    private func pad(_ text: String, _ width: Int) -> String {
        String(repeating: " ", count: max(0, width - text.count)) + text
    }

    private func share(_ part: Int, of whole: Int) -> String {
        pad("\(Double(part * 10_000 / max(1, whole)) / 100) %", 9)
    }
}

/// Users of a service, each with one request under way.
final class UserLoad: Sendable {
    struct Result: Sendable {
        var micros: [Int64] = []
        var failed = 0
        var timedOut = 0
        var hits = 0
        var misses = 0
        var errors: [String: Int] = [:]
    }

    private let url: String
    private let tokens: [String]
    private let pause: Duration
    private let kept = Mutex(Result())
    var result: Result { kept.withLock { $0 } }

    /// - Parameter pause: between a user's answer and the next request.
    init(url: String, tokens: [String], pause: Duration = .zero) {
        self.url = url
        self.tokens = tokens
        self.pause = pause
    }

    /// - Returns: what `memory` said after ten seconds, after half of the time, and at the end, in bytes.
    func run(seconds: Int, memory: @escaping @Sendable () -> Int) async throws -> [Int] {
        try await withThrowingTaskGroup(of: Void.self) { group in
            for user in tokens.indices { group.addTask { await self.play(user) } }
            let started = ContinuousClock.now
            var seen: [Int] = []
            for second in [min(10, seconds / 2), seconds / 2, seconds] {
                try await Task.sleep(until: started + .seconds(second), clock: .continuous)
                seen.append(memory())
            }
            group.cancelAll()
            try await group.waitForAll()
            return seen
        }
    }

    private func play(_ user: Int) async {
        var known: [String] = []
        while !Task.isCancelled {
            if pause > .zero { try? await Task.sleep(for: pause * Double.random(in: 0.5...1.5)) }
            let job: [String: JSONValue] = ["jobId": .string("job-\(user)")]
            switch Int.random(in: 0..<100) {
            case 0..<20 where !known.isEmpty:
                _ = await ask(
                    "previewImprovement",
                    job.merging(["recommendationId": .string(known.randomElement() ?? "")]) { $1 },
                    user
                )
            case 20..<25 where !known.isEmpty:
                // What is only advice changes nothing; what has placeholders is refused, as it should be.
                let ready = known.filter {
                    $0.hasPrefix("first_person") || $0.hasPrefix("duplicate") || $0.hasPrefix("few_skills")
                }
                guard let one = ready.first else { continue }
                _ = await ask(
                    "applyImprovements",
                    job.merging(["selectedRecommendationIds": [.string(one)]]) { $1 },
                    user
                )
            case let draw:
                let isForced: [String: JSONValue] = draw < 30 ? ["forceRegenerate": true] : [:]
                guard let answer = await ask("getRecommendations", job.merging(isForced) { $1 }, user) else { continue }
                known = (answer["recommendations"]?.array ?? []).compactMap { $0["id"]?.string }
            }
        }
    }

    private func ask(_ function: String, _ data: [String: JSONValue], _ user: Int) async -> JSONValue? {
        var request = HTTPClientRequest(url: "\(url)/\(function)")
        request.method = .POST
        request.headers.add(name: "content-type", value: "application/json")
        request.headers.add(name: "authorization", value: "Bearer \(tokens[user])")
        request.body = .bytes(ByteBuffer(bytes: JSONValue.object(["data": .object(data)]).bytes))
        let started = ContinuousClock.now
        do {
            let response = try await Web.client.execute(request, timeout: .seconds(60))
            let body = try await response.body.collect(upTo: 4 << 20)
            let micros = Int64((ContinuousClock.now - started) / .microseconds(1))
            let value = try JSONValue(parsing: body.readableBytesView)
            let cache = response.headers.first(name: "cache-status")
            kept.withLock { result in
                result.micros.append(micros)
                if let cache {
                    if cache.contains("; hit") || cache.contains("collapsed") {
                        result.hits += 1
                    } else {
                        result.misses += 1
                    }
                }
                guard response.status != .ok else { return }
                let status = value["error"]?["status"]?.string ?? "\(response.status.code)"
                if status == "DEADLINE_EXCEEDED" { result.timedOut += 1 } else { result.failed += 1 }
                result.errors["\(function) \(status)", default: 0] += 1
            }
            return response.status == .ok ? value["result"]?["data"] : nil
        } catch {
            guard !Task.isCancelled else { return nil }
            kept.withLock { result in
                result.failed += 1
                result.errors["\(function) \(error)", default: 0] += 1
            }
            return nil
        }
    }
}
