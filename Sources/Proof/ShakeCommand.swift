import ArgumentParser
import Foundation
import MigrationCore
import Simulation
import Synchronization

struct ShakeCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "shake",
        abstract:
            "Lets everything go wrong in a large simulated fleet, and holds it to all invariants after every step.",
        discussion: """
            Each seed is run twice, and must do the same both times. A seed that fails is told; run it again with --seed N --story.
            """
    )
    enum Size: String, ExpressibleByArgument, CaseIterable { case standard, foul, both }

    @Option(help: "How many seeds.") var seeds = 8
    @Option(help: "The first seed.") var seed: UInt64 = 17
    @Option(help: "For how many simulated days things go wrong, with each seed.") var days = 30
    @Option(help: "The scenario: standard, foul, or both in turn.") var scenario = Size.both
    @Option(help: "Only this deliberate mistake, by its name in the source; it must be found.") var mutant: String?
    @Flag(help: "Leaves out the deliberate mistakes.") var noMutants = false
    @Flag(help: "Runs each seed once only.") var once = false
    @Flag(help: "Tells what happened before an invariant was broken.") var story = false

    func validate() throws {
        if !(1...1_000_000).contains(seeds) { throw ValidationError("--seeds is between 1 and 1000000") }
        if !(1...3_650).contains(days) { throw ValidationError("--days is between 1 and 3650") }
        if let mutant, Self.mutant(mutant) == nil {
            throw ValidationError(
                "there is no mistake “\(mutant)”; there are: \(Mutant.allCases.map { "\($0)" }.joined(separator: ", "))"
            )
        }
    }

    private static func mutant(_ name: String) -> Mutant? { Mutant.allCases.first { "\($0)" == name } }

    func run() throws {
        if let mutant = mutant.flatMap(Self.mutant) {
            guard kill(mutant) else { throw ExitCode(1) }
            return
        }
        var sum = Sum()
        for offset in 0..<UInt64(seeds) {
            let (shake, isFoul) = shake(seed &+ offset, nil)
            let (report, seconds) = Self.timed { shake.run() }
            say(Self.line(report, isFoul, seconds))
            if let violation = report.violation {
                tell(violation, report, shake)
                throw ExitCode(1)
            }
            if !once, case let again = shake.run(), again.trace != report.trace || again.tally != report.tally {
                say("seed \(report.seed) does not do the same twice: trace \(Self.hex(again.trace))")
                throw ExitCode(1)
            }
            sum.add(report, seconds, isFoul: isFoul)
        }
        for line in sum.lines { say(line) }
        let missing = sum.tally.missing
        guard missing.isEmpty else {
            say("Never reached: \(missing.joined(separator: ", ")).")
            throw ExitCode(1)
        }
        if !noMutants {
            let isFound = Mutant.allCases.filter { Shake.mutants[$0] != nil }.map { kill($0) }
            guard isFound.allSatisfy({ $0 }) else { throw ExitCode(1) }
        }
        say("No invariant is broken, everything came right, and everything that should happen did.")
    }

    private func shake(_ seed: UInt64, _ mutant: Mutant?) -> (Shake, isFoul: Bool) {
        let isFoul = scenario == .foul || (scenario == .both && seed % 4 == 0)
        let lasting = isFoul ? TimeSpan.hours(Int64(days) * 4) : .days(Int64(days))
        return (Shake(isFoul ? .foul : .standard, seed: seed, lasting: lasting, mutant: mutant), isFoul)
    }

    /// Whether a deliberate mistake shows within a few seeds, by the invariant that it is meant to break.
    private func kill(_ mutant: Mutant) -> Bool {
        for offset in UInt64(0)..<40 {
            let (shake, _) = shake(seed &+ offset, mutant)
            let report = shake.run()
            guard let violation = report.violation else { continue }
            let isRight = Shake.mutants[mutant] == violation.invariant
            say(
                "\(isRight ? "killed" : "KILLED BY ANOTHER") · \(mutant.rawValue): invariant \(violation.invariant) with seed "
                    + "\(report.seed), after \(report.at ?? .zero)"
            )
            if !isRight || story { tell(violation, report, shake) }
            return isRight
        }
        say("ALIVE · \(mutant.rawValue): no invariant is broken with 40 seeds")
        return false
    }

    private static func timed(_ body: () -> Shake.Report) -> (Shake.Report, Double) {
        let started = ContinuousClock.now
        let report = body()
        return (report, (ContinuousClock.now - started) / .seconds(1))
    }

    static func hex(_ trace: UInt64) -> String { String(trace, radix: 16) }

    private static func line(_ report: Shake.Report, _ isFoul: Bool, _ seconds: Double) -> String {
        let simulated = Double(report.simulated.rawValue) / 1_000_000
        let hours = Int(simulated / 3_600)
        let speed = Int(simulated / max(seconds, 1e-9))
        return
            "seed \(report.seed) (\(isFoul ? "foul" : "standard")): \(hours) simulated hours, \(report.steps) steps, "
            + "\(report.commits) commits, \(speed) times real time, trace \(hex(report.trace))"
    }

    private func tell(_ violation: Violation, _ report: Shake.Report, _ shake: Shake) {
        say("invariant \(violation.invariant) is broken after \(report.at ?? .zero): \(violation.message)")
        guard story else {
            return say(
                "  the same again, with what happened: --seed \(report.seed) --seeds 1 --scenario \(scenario.rawValue) --days \(days) --story"
            )
        }
        let lines = Lines()
        _ = shake.run { at, words in lines.add("  \(at.rawValue / 1_000) ms  \(words)") }
        for line in lines.last { say(line) }
    }
}

/// The last lines of a story.
private final class Lines: Sendable {
    private let lines = Mutex<[String]>([])
    func add(_ line: String) {
        lines.withLock { all in
            all.append(line)
            if all.count > 400 { all.removeFirst(200) }
        }
    }
    var last: [String] { lines.withLock { Array($0.suffix(80)) } }
}

/// What all seeds did together.
private struct Sum {
    var tally = Tally()
    var steps = 0
    var commits = 0
    /// Simulated seconds and processor seconds of the standard scenario.
    var simulated = 0.0
    var standard = (simulated: 0.0, seconds: 0.0)

    mutating func add(_ report: Shake.Report, _ seconds: Double, isFoul: Bool) {
        tally = tally + report.tally
        steps += report.steps
        commits += report.commits
        let span = Double(report.simulated.rawValue) / 1_000_000
        simulated += span
        if !isFoul { standard = (standard.simulated + span, standard.seconds + seconds) }
    }

    var lines: [String] {
        var lines = ["\(Int(simulated / 3_600)) simulated hours, \(steps) steps, \(commits) commits in all"]
        if standard.seconds > 0 {
            lines.append(
                "the standard scenario runs \(Int(standard.simulated / standard.seconds)) times as fast as real time, on one core"
            )
        }
        lines.append("troubles:")
        lines += zip(Trouble.kinds, tally.troubles).map { "  \($0): \($1)" }
        lines.append("sometimes reached:")
        lines += Tally.Happening.allCases.map { "  \($0.rawValue): \(tally[$0])" }
        return lines
    }
}
