import Simulation
import Testing

@Suite("The search of small worlds")
struct SearchTests {
    @Test("finds every deliberate mistake, each by the invariant that it breaks", arguments: Mutant.allCases)
    func mutants(_ mutant: Mutant) async throws {
        let report = await Search(mutant.world, mutant: mutant, most: 60_000, livenessEvery: 16).run()
        let violation = try #require(report.violation, "\(mutant.rawValue)")
        #expect(violation.invariant == mutant.breaks, "\(mutant.rawValue): \(violation.message)")
        #expect(!report.story.isEmpty)
    }

    @Test("each of the 21 invariants has a mistake that breaks it")
    func invariants() {
        #expect(Set(Mutant.allCases.map(\.breaks)) == Set(1...21))
    }

    @Test("finds nothing wrong with the rules as they are, and the same worlds on every run", arguments: SmallWorld.all)
    func whole(_ small: SmallWorld) async {
        let first = await Search(small, most: 3_000, livenessEvery: 8, threads: 1).run()
        let second = await Search(small, most: 3_000, livenessEvery: 8, threads: 2).run()
        #expect(first.violation == nil)
        #expect(first.states > 3_000)
        #expect(first.states == second.states)
        #expect(first.moves == second.moves)
        #expect(first.depth == second.depth)
    }
}
