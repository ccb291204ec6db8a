import ArgumentParser
import Commands
import Foundation
import MigrationCore
import PlanFile
import Randomness
import ScenarioFile
import Simulation

struct Fuzz: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Feeds the parsers mutated inputs: none may crash, hang or swallow memory.",
        discussion:
            "The same seed gives the same inputs. A crash names itself by the last line that was printed: run again with --from."
    )
    @Option(help: "Inputs of all parsers together.") var inputs = 10_000_000
    @Option(help: "The first input.") var from = 0
    @Option(help: "The seed.") var seed: UInt64 = 1

    /// No input may take longer, in milliseconds, nor let the process grow by more, in bytes.
    private static let longest = 100.0
    private static let largest = 64 << 20

    private struct Target {
        var name: String
        var seeds: [[UInt8]]
        /// One input in so many is for this parser.
        var weight: Int
        var parse: (String) -> Bool
    }

    func validate() throws {
        if inputs < 1 || from < 0 { throw ValidationError("--inputs is a number from 1 and --from one from 0") }
    }

    func run() throws {
        let targets = try Self.targets()
        let wheel = targets.indices.flatMap { Array(repeating: $0, count: targets[$0].weight) }
        var accepted = targets.map { _ in 0 }, tried = targets.map { _ in 0 }, slowest = targets.map { _ in 0.0 }
        let before = Self.resident()
        for number in from..<(from + inputs) {
            if number % 1_000_000 == 0 { say("input \(number)") }
            var random = SplitMix(seed: seed &+ UInt64(number) &* 0x9E37_79B9)
            let index = wheel[Int(random.next() % UInt64(wheel.count))]
            let input = String(decoding: Self.mutated(targets[index].seeds, &random), as: UTF8.self)
            let started = DispatchTime.now().uptimeNanoseconds
            let isAccepted = targets[index].parse(input)
            let millis = Double(DispatchTime.now().uptimeNanoseconds - started) / 1e6
            tried[index] += 1
            if isAccepted { accepted[index] += 1 }
            slowest[index] = max(slowest[index], millis)
            if millis > Self.longest, !isQuick(targets[index], input) {
                say("input \(number) (\(targets[index].name)) takes \(millis) ms:\n\(input.prefix(2_000))")
                throw ExitCode(1)
            }
        }
        let growth = Self.resident() - before
        for (index, target) in targets.enumerated() {
            say(
                "\(target.name): \(tried[index]) inputs, \(accepted[index]) accepted, the slowest took \((slowest[index] * 10).rounded() / 10) ms"
            )
        }
        say("the process grew by \(max(0, growth) >> 20) MiB")
        if growth > Self.largest { throw ExitCode(1) }
    }

    /// A machine that was busy for a moment is no fault of the input's: the second time counts.
    private func isQuick(_ target: Target, _ input: String) -> Bool {
        (0..<3).contains { _ in
            let started = DispatchTime.now().uptimeNanoseconds
            _ = target.parse(input)
            return Double(DispatchTime.now().uptimeNanoseconds - started) / 1e6 <= Self.longest
        }
    }

    private static func targets() throws -> [Target] {
        func bytes(_ texts: [String]) -> [[UInt8]] { texts.map { Array($0.utf8) } }
        let conditions = [
            "error_rate > 2% for 2m (exit 1.5%, max gap 20s, no data 5m, minimum 20, missing hold, scope service)",
            "latency.p99.9 < 30s (minimum 20)", "timeout_rate improved by 87% on baseline",
            "error_rate no worse than legacy by 1.5x (confidence 99%)", "slow_rate(2s) > 5% for 1m",
            "latency.p95 worse than legacy by mann-whitney for 1m (confidence 99%, over 10m)",
            "error_rate burn rate > 14.4 over 1h/5m (objective 99.9%)", "throughput > 0.5/s for 10s",
        ]
        let plan = SampleText.plan
        let shop = try PlanFile.parse(plan, file: "the sample plan")
        return [
            Target(name: "durations", seeds: bytes(["1h30m", "90s", "14d", "250ms", "0s"]), weight: 30) {
                (try? Quantity.duration($0)) != nil
            },
            Target(
                name: "freezes",
                seeds: bytes(["fri 16:00 - mon 08:00 +02:00", "daily 22:00 - 06:00", "2026-12-24 - 2027-01-02 12:30"]),
                weight: 20
            ) {
                (try? FreezeText.parse($0)) != nil
            },
            Target(name: "conditions", seeds: bytes(conditions), weight: 40) { text in
                let trigger = try? ConditionText.trigger(text, window: .seconds(10))
                let criterion = try? ConditionText.criterion(text)
                return trigger != nil || criterion != nil
            },
            Target(name: "windows", seeds: bytes([SampleText.windows, SampleText.pairs]), weight: 7) {
                WindowLines.isReadable(Data($0.utf8))
            },
            Target(name: "scenarios", seeds: bytes([SampleText.scenario]), weight: 3) { text in
                let start = Timestamp(rawValue: 0)
                return (try? ScenarioFile.parse(text, file: "s", plan: shop, start: start)) != nil
            },
            Target(name: "plans", seeds: bytes([plan]), weight: 3) { (try? PlanFile.parse($0, file: "p")) != nil },
        ]
    }

    /// One of the seeds with some bytes changed, left out, doubled, or taken from another place.
    private static func mutated(_ seeds: [[UInt8]], _ random: inout SplitMix) -> [UInt8] {
        var text = seeds[Int(random.next() % UInt64(seeds.count))]
        func place(_ count: Int) -> Int { count == 0 ? 0 : Int(random.next() % UInt64(count)) }
        for _ in 0..<(1 + place(4)) {
            let at = place(text.count)
            let length = min(1 + place(24), text.count - at)
            switch place(7) {
            case 0: if !text.isEmpty { text[at] = UInt8(truncatingIfNeeded: random.next()) }
            case 1: text.removeSubrange(at..<(at + length))
            case 2: text.insert(contentsOf: text[at..<(at + length)], at: place(text.count))
            case 3:
                let other = seeds[place(seeds.count)]
                let from = place(other.count)
                text.insert(contentsOf: other[from..<min(other.count, from + length)], at: at)
            case 4: text.insert(contentsOf: SampleText.hostile[place(SampleText.hostile.count)].utf8, at: at)
            case 5: text.insert(contentsOf: repeatElement(text.isEmpty ? 0x20 : text[at], count: place(300)), at: at)
            default: text = Array(text.prefix(at))
            }
            if text.count > 20_000 { text = Array(text.prefix(20_000)) }
        }
        return text
    }

    /// The memory that the process has in use, in bytes.
    private static func resident() -> Int {
        let text = (try? String(contentsOfFile: "/proc/self/statm", encoding: .utf8)) ?? ""
        let pages = text.split(separator: " ").dropFirst().first.flatMap { Int($0) } ?? 0
        return pages * 4_096
    }
}
