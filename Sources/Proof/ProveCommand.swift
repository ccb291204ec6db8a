import ArgumentParser
import Simulation

struct Prove: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Tries everything that can happen in small worlds, and that every deliberate mistake is found."
    )
    @Option(help: "Worlds that are looked at, at most, in each of the small worlds.") var states = 850_000
    @Option(help: "Worlds that are looked at, at most, for each mistake.") var mutantStates = 150_000
    @Option(help: "People’s commands on one path that change something; else each small world’s own number.")
    var people: Int?
    @Option(help: "Threads.") var threads = 2
    @Flag(help: "Only the mistakes.") var onlyMutants = false
    @Flag(help: "Prints how each mistake shows.") var stories = false

    func run() async throws {
        var isWhole = true
        if !onlyMutants {
            var total = 0
            for var small in SmallWorld.all {
                if let people { small.limits.people = people }
                let report = await Search(small, most: states, threads: threads).run()
                total += report.states
                say(
                    "\(small.name): \(report.states) worlds, \(report.moves) moves, depth \(report.depth), "
                        + "\(report.livenessChecks) tried for liveness, \(report.isExhausted ? "everything seen" : "up to the bound")"
                )
                if let violation = report.violation {
                    isWhole = false
                    tell(violation, report.story)
                }
            }
            say("\(total) different worlds in all")
        }
        for mutant in Mutant.allCases { isWhole = await kill(mutant) && isWhole }
        if !isWhole { throw ExitCode(1) }
        say("No invariant is broken, and every mistake is found.")
    }

    private func kill(_ mutant: Mutant) async -> Bool {
        let report = await Search(mutant.world, mutant: mutant, most: mutantStates, livenessEvery: 16, threads: threads)
            .run()
        guard let violation = report.violation else {
            say("ALIVE · \(mutant.rawValue): no invariant is broken in \(report.states) worlds")
            return false
        }
        let isRight = violation.invariant == mutant.breaks
        say(
            "\(isRight ? "killed" : "KILLED BY ANOTHER") · \(mutant.rawValue): invariant \(violation.invariant) after "
                + "\(report.story.count) moves"
        )
        if stories || !isRight { tell(violation, report.story) }
        return isRight
    }

    private func tell(_ violation: Violation, _ story: [String]) {
        say("  invariant \(violation.invariant): \(violation.message)")
        for line in story { say("  " + line) }
    }
}
