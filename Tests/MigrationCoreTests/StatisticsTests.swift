import Foundation
import MigrationCore
import Testing

@Suite("Statistics")
struct StatisticsTests {
    /// Windows of (n_c, n_b, x, m), θ₀ in millionths, and ln E, as 2-analysis.md has them.
    struct Reference: Sendable {
        var windows: [[Int]]
        var factor = 1_000_000
        var logE: Double
    }

    static let references = [
        Reference(windows: [[10, 90, 1, 2]], logE: 0.692129727636),
        Reference(windows: [[10, 90, 3, 3]], logE: 4.356212647275),
        Reference(windows: [[10, 90, 1, 2], [10, 90, 2, 3], [25, 75, 4, 9], [50, 50, 6, 8]], logE: 3.269673054574),
        Reference(windows: [[1000, 9000, 20, 100]], logE: 3.071726674208),
        Reference(windows: [[1000, 9000, 20, 100]], factor: 1_200_000, logE: 1.566942516529),
        Reference(windows: [[1000, 9000, 10, 100]], logE: -1.682105708533),
    ]

    private func process(_ windows: [[Int]], factor: Int = 1_000_000, _ direction: EProcess.Direction = .worse) throws
        -> EProcess
    {
        try windows.reduce(EProcess(direction)) { process, window in
            let evidence = try #require(
                EProcess.Evidence(
                    candidate: window[0],
                    legacy: window[1],
                    candidateBad: window[2],
                    legacyBad: window[3] - window[2]
                )
            )
            return process.after(evidence, factor: factor, direction: direction)
        }
    }

    @Test("the e-process has the reference values", arguments: references)
    func logE(_ reference: Reference) throws {
        let logE = try process(reference.windows, factor: reference.factor).logE
        #expect(abs(logE - reference.logE) < 1e-9)
    }

    @Test("windows may come in any order, and no data is evidence of nothing")
    func order() throws {
        let windows = [[10, 90, 1, 2], [10, 90, 2, 3], [25, 75, 4, 9], [50, 50, 6, 8]]
        #expect(try process(windows) == process(windows.reversed()))
        for direction in [EProcess.Direction.worse, .noWorse] {
            #expect(try process([[0, 0, 0, 0], [0, 90, 0, 5], [90, 0, 0, 0]], direction).logE == 0)
            #expect(!EProcess(direction).exceeds(alpha: 999_999))
        }
    }

    @Test("an equal candidate is shown to be no worse, and one that is twice as bad is not")
    func mirrored() throws {
        let equal = try process([[10_000, 10_000, 300, 600]], factor: 1_500_000, .noWorse)
        #expect(equal.exceeds(alpha: 50_000))
        #expect(try !process([[10_000, 10_000, 300, 600]], factor: 1_500_000).exceeds(alpha: 50_000))
        let twice = try process([[10_000, 10_000, 400, 600]], factor: 1_500_000, .noWorse)
        #expect(!twice.exceeds(alpha: 50_000))
        #expect(try process([[10_000, 10_000, 400, 600]], factor: 1_500_000).exceeds(alpha: 50_000))
    }

    @Test("counts that cannot have been counted are no evidence; the largest ones do not overflow")
    func hostile() throws {
        #expect(EProcess.Evidence(candidate: 1, legacy: 1, candidateBad: 2, legacyBad: 0) == nil)
        #expect(EProcess.Evidence(candidate: -1, legacy: 1, candidateBad: 0, legacyBad: 0) == nil)
        #expect(EProcess.Evidence(candidate: .max, legacy: 1, candidateBad: 0, legacyBad: 0) == nil)
        let n = Counts.largest
        let process = try process(Array(repeating: [n, n, n, n], count: 10))
        #expect(process.logE.isFinite && process.exceeds(alpha: 1))
    }

    @Test("Mann–Whitney has the reference values")
    func ranks() throws {
        let sum = try #require(
            RankSum(
                [0.014, 0.016, 0.012, 0.018, 0.015, 0.013, 0.017],
                over: [0.010, 0.012, 0.011, 0.009, 0.013, 0.010, 0.012]
            )
        )
        #expect(sum.u == 46.5)
        #expect(abs(sum.p - 0.00284209772) < 1e-10)
        #expect(abs(sum.estimate - 0.004) < 1e-12)
        #expect(RankSum([], over: [1]) == nil)
        #expect(RankSum([.nan], over: [1]) == nil)
        #expect(RankSum([1, 1], over: [1, 1])?.p == 1)
    }

    @Test("logarithm, exponential and normal tail agree with the C library's")
    func transcendental() {
        var random = SystemRandomNumberGenerator()
        for _ in 0..<20_000 {
            let x = Double.random(in: -700...700, using: &random)
            #expect(abs(Transcendental.exp(x) / Foundation.exp(x) - 1) < 4e-16)
            let y = Foundation.exp(x / 10)
            #expect(abs(Transcendental.ln(y) - Foundation.log(y)) <= 4e-16 * abs(Foundation.log(y)))
            let z = x / 30
            #expect(abs(Transcendental.normalTail(z) / (0.5 * erfc(z / 2.0.squareRoot())) - 1) < 1e-12)
        }
        #expect(Transcendental.ln(0) == -.infinity)
        #expect(Transcendental.ln(-1).isNaN)
        #expect(Transcendental.exp(-1e9) == 0)
        #expect(Transcendental.exp(1e9) == .infinity)
        #expect(Transcendental.logSumExp([]) == -.infinity)
    }
}
