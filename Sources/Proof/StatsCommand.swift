import ArgumentParser
import MigrationCore
import Simulation

struct Stats: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Measures false alarms and detection of the comparison with legacy, beside a z-test at every look."
    )
    @Option(help: "Runs of each trial.") var runs = 2_000
    @Option(help: "The same seed gives the same figures.") var seed: UInt64 = 1
    @Option(help: "The share of legacy’s requests that are bad.") var rate = 0.01

    func validate() throws {
        if !(1...1_000_000).contains(runs) { throw ValidationError("--runs is between 1 and 1000000") }
        if !(0.0001...0.09).contains(rate) { throw ValidationError("--rate is between 0.0001 and 0.09") }
    }

    func run() throws {
        say(
            "20 requests/s, 10 % to the candidate, \(rate * 100) % bad at legacy, windows of 5 s, α = 5 %, seed \(seed), \(runs) runs"
        )
        let equal = trial(ratio: 1, looks: 360).play(runs: runs, alpha: 50_000, seed: seed)
        say(
            "false alarms over 360 looks: \(share(equal.alarms)) by the e-process, \(share(equal.zAlarms)) by a z-test at every look"
        )
        for (ratio, looks) in [(2.0, 720), (3.0, 360), (5.0, 180), (10.0, 90)] {
            let outcome = trial(ratio: ratio, looks: looks).play(runs: runs, alpha: 50_000, seed: seed &+ UInt64(ratio))
            let median = outcome.median.map { "\($0)" } ?? "longer than \(TimeSpan.seconds(5) * Int64(looks))"
            say(
                "\(Int(ratio)) times as bad: seen after \(median) (median), in \(share(outcome.alarms)) of the runs within \(TimeSpan.seconds(5) * Int64(looks))"
            )
        }
        if equal.alarms * 20 > equal.runs { throw ExitCode(1) }
    }

    private func trial(ratio: Double, looks: Int) -> EvidenceTrial {
        EvidenceTrial(candidate: 10, legacy: 90, rate: rate, ratio: ratio, window: .seconds(5), looks: looks)
    }

    private func share(_ count: Int) -> String { Decimals.text(count * 1_000 / runs, scale: 10) + " %" }
}
