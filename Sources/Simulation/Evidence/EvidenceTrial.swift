package import MigrationCore
import Randomness

/// What a comparison with legacy does over many runs of the same traffic.
package struct EvidenceTrial: Sendable {
    /// Requests a window, of the candidate and of legacy.
    package var candidate: Int
    package var legacy: Int
    /// The share of legacy's requests that are bad, and how many times as many of the candidate's.
    package var rate: Double
    package var ratio: Double
    package var window: TimeSpan
    /// How often one looks.
    package var looks: Int
    /// θ₀ in millionths, and what evidence is looked for.
    package var factor: Int
    package var direction: EProcess.Direction

    package init(
        candidate: Int,
        legacy: Int,
        rate: Double,
        ratio: Double,
        window: TimeSpan,
        looks: Int,
        factor: Int = 1_000_000,
        direction: EProcess.Direction = .worse
    ) {
        self.candidate = candidate
        self.legacy = legacy
        self.rate = rate
        self.ratio = ratio
        self.window = window
        self.looks = looks
        self.factor = factor
        self.direction = direction
    }

    package struct Outcome: Sendable {
        package var runs = 0
        /// Runs in which the e-process alarmed, and in which a z-test at every look did.
        package var alarms = 0
        package var zAlarms = 0
        /// When the e-process alarmed; runs without an alarm are longer than any.
        package var times: [TimeSpan] = []

        /// The median time to an alarm; nil when half of the runs had none.
        package var median: TimeSpan? {
            let sorted = times.sorted()
            return runs / 2 < sorted.count ? sorted[runs / 2] : nil
        }
    }

    /// Plays so many runs.
    ///
    /// - Parameters:
    ///   - alpha: the false alarms that are borne, in millionths.
    ///   - seed: the same seed gives the same outcome.
    package func play(runs: Int, alpha: Int, seed: UInt64) -> Outcome {
        var outcome = Outcome()
        for run in 0..<runs {
            var random = SplitMix(seed: seed &+ UInt64(run) &* 0x1000_0001)
            play(&random, alpha, &outcome)
        }
        return outcome
    }

    private func play(_ random: inout SplitMix, _ alpha: Int, _ outcome: inout Outcome) {
        outcome.runs += 1
        var process = EProcess(direction)
        var alarmed: Int?
        var hasZ = false
        var sums = (bad: 0, badOfLegacy: 0)
        for look in 1...looks {
            let bad = random.successes(candidate, rate * ratio), other = random.successes(legacy, rate)
            sums = (sums.bad + bad, sums.badOfLegacy + other)
            if alarmed == nil,
                let evidence = EProcess.Evidence(
                    candidate: candidate,
                    legacy: legacy,
                    candidateBad: bad,
                    legacyBad: other
                )
            {
                process = process.after(evidence, factor: factor, direction: direction)
                if process.exceeds(alpha: alpha) { alarmed = look }
            }
            hasZ = hasZ || isSignificant(sums.bad, candidate * look, sums.badOfLegacy, legacy * look, alpha)
            if alarmed != nil, hasZ { break }
        }
        if let alarmed {
            outcome.alarms += 1
            outcome.times.append(window * Int64(alarmed))
        }
        if hasZ { outcome.zAlarms += 1 }
    }

    /// The usual two-proportion z-test, one-sided, as somebody would make it who looks at every window.
    private func isSignificant(_ x: Int, _ n: Int, _ y: Int, _ m: Int, _ alpha: Int) -> Bool {
        let pooled = Double(x + y) / Double(n + m)
        let variance = pooled * (1 - pooled) * (1 / Double(n) + 1 / Double(m))
        guard variance > 0 else { return false }
        let z = (Double(x) / Double(n) - Double(y) / Double(m)) / variance.squareRoot()
        return Transcendental.normalTail(z) < Double(alpha) / 1_000_000
    }
}
