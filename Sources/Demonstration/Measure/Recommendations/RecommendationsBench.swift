import ArgumentParser
import Callable
import Commands
import Foundation

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
    /// How many bytes a request may leave behind, the cache's answers aside: more in every quarter that tells is a leak. A table that doubles is in one.
    private static let growth = 16.0
    /// A quarter tells nothing while the cache fills by more than this share: what its answers cost is an estimate.
    private static let filling = 0.05
    /// How often the memory is looked at.
    private static let parts = 4
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
        let services = [
            Loaded(name: "legacy", url: cast.legacy, admin: cast.legacyAdmin),
            Loaded(name: "candidate", url: cast.candidate, admin: cast.candidateAdmin),
        ]
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
        for service in services {
            let load = UserLoad(url: service.url, tokens: tokens)
            let memory = try await run(load, on: service, stage, seconds: seconds, parts: Self.parts)
            for (status, count) in load.result.errors.sorted(by: { $0.key < $1.key }) {
                Output.line("    \(status): \(count)")
            }
            Output.line("    " + verdict(load.result))
            Output.line("    memory at rest, after each quarter: " + memory.map(\.text).joined(separator: "; "))
            let left = zip(memory, memory.dropFirst()).compactMap { before, after -> Double? in
                guard Double(after.answers ?? 0) <= Double(before.answers ?? 0) * (1 + Self.filling) else { return nil }
                return Double(after.besideCache - before.besideCache) / Double(max(1, after.requests - before.requests))
            }
            Output.line(
                left.isEmpty
                    ? "    whether it leaks cannot be told: the cache was filling all the time; give it more --seconds"
                    : "    left behind by a request in each quarter after the first in which the cache did not fill, its answers aside: "
                        + left.map { "\(Int($0.rounded()))" }.joined(separator: ", ")
                        + " bytes (a leak is more than \(Int(Self.growth)) in all of them)"
            )
            if !left.isEmpty, left.allSatisfy({ $0 > Self.growth }) { leaks.append(service.name) }
        }
        let paced = max(10, seconds / 4)
        Output.line("")
        Output.line(
            "The same users, each with \(Self.pause) between an answer and the next request, \(paced) s; the targets of the migration at 1:\(Self.scale)"
        )
        head()
        for service in services {
            let load = UserLoad(url: service.url, tokens: tokens, pause: Self.pause)
            _ = try await run(load, on: service, stage, seconds: paced, parts: 1)
            Output.line("    " + verdict(load.result))
        }
        if !leaks.isEmpty { throw StageError("the memory grows all the time: \(leaks.joined(separator: ", "))") }
    }

    private func head() {
        Output.line(
            "service     requests/s   p50 ms   p95 ms   p99 ms   failed   timed out   hit rate"
        )
    }

    /// - Returns: what the service holds in memory after each part of the time, when nothing is under way.
    private func run(_ load: UserLoad, on service: Loaded, _ stage: Stage, seconds: Int, parts: Int) async throws
        -> [ServiceMemory]
    {
        var memory: [ServiceMemory] = []
        for _ in 0..<parts {
            await load.run(.seconds(seconds) / parts)
            try stage.requireRunning(service.name)
            memory.append(try await service.memory(of: stage, requests: load.result.micros.count))
        }
        let result = load.result
        func milliseconds(_ percent: Int) -> String { pad("\(Quantile.of(result.micros, percent) / 1_000)", 9) }
        let lookUps = result.hits + result.misses
        Output.line(
            "\(service.name.padding(toLength: 10, withPad: " ", startingAt: 0))\(pad("\(Int(Double(result.micros.count) / (result.time / .seconds(1))))", 12))"
                + "\(milliseconds(50))\(milliseconds(95))\(milliseconds(99))\(share(result.failed, of: result.micros.count))"
                + "   \(share(result.timedOut, of: result.micros.count))   \(lookUps == 0 ? pad("none", 8) : share(result.hits, of: lookUps))"
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
